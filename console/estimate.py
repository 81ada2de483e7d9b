"""`embedmill estimate`: what an ingest would do, by parsing and chunking without storing or spending anything."""

import math
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from console.output import print_line, print_warning
from console.session import opened
from shared.collections import CollectionSettings, read_collection_settings
from shared.db import collections
from shared.errors import DocumentError, ParserCrashed
from shared.files import read_regular_file
from shared.runtime import Runtime

if TYPE_CHECKING:
    from producers.sources.base import FileItem, RowItem
    from producers.sources.open import SourceOptions
    from workers.chunking import ChunkSet
    from workers.parsing.sandbox import Parser

SHOWN = 20


def estimate(sources: Sequence[str], collection: str, options: "SourceOptions") -> dict[str, Any]:
    """Documents, chunks, tokens and calls per stage."""
    from producers.sources.base import FileItem, RowItem
    from producers.sources.open import open_sources
    from workers.parsing.limits import ParserLimits
    from workers.parsing.sandbox import Parser

    began = time.monotonic()
    totals = {"documents": 0, "skipped": 0, "unreadable": 0, "chunks": 0, "tokens": 0, "embedded_tokens": 0}
    problems: list[str] = []
    with opened() as runtime:
        settings = _settings(runtime, collection)
        limits = ParserLimits.from_settings(runtime.settings)
        with Parser(limits) as parser:
            for source in open_sources(sources, options=options, stdin=sys.stdin.buffer):
                for item in source:
                    if isinstance(item, FileItem | RowItem):
                        _count(runtime, parser, settings, item, totals, problems)
                    else:
                        totals["skipped"] += 1
        embedder = runtime.embedder(settings.embedding)
        calls = max(
            math.ceil(totals["chunks"] / embedder.max_inputs),
            math.ceil(totals["embedded_tokens"] / embedder.max_tokens_per_request),
        )
    return {
        "documents": totals["documents"],
        "skipped": totals["skipped"],
        "unreadable": totals["unreadable"],
        "stages": {
            "chunk": {"documents": totals["documents"], "tokens": totals["tokens"]},
            "validate": {"validator": settings.validator, "chunks": totals["chunks"], "calls": 0},
            "embed": {
                "model": embedder.name,
                "chunks": totals["chunks"],
                "tokens": totals["embedded_tokens"],
                "calls": calls,
            },
            "index": {"vectors": totals["chunks"]},
        },
        "problems": problems[:SHOWN],
        "seconds": round(time.monotonic() - began, 3),
    }


def _settings(runtime: Runtime, name: str) -> CollectionSettings:
    with runtime.database.read() as connection:
        found = collections.find_collection(connection, name)
    if found is not None:
        return read_collection_settings(found.settings)
    return CollectionSettings(embedding=runtime.settings.embedding, validator=runtime.settings.validator)


def _count(
    runtime: Runtime,
    parser: "Parser",
    settings: CollectionSettings,
    item: "FileItem | RowItem",
    totals: dict[str, int],
    problems: list[str],
) -> None:
    from shared.tokenizer import count_many

    totals["documents"] += 1
    try:
        chunk_set = _split(runtime, parser, settings, item)
    except (DocumentError, ParserCrashed) as error:
        totals["unreadable"] += 1
        problems.append(f"{item.uri}: {error}")
        return
    totals["chunks"] += len(chunk_set.chunks)
    totals["tokens"] += sum(chunk.tokens for chunk in chunk_set.chunks)
    totals["embedded_tokens"] += sum(count_many(chunk_set.embedded_texts()))


def _split(runtime: Runtime, parser: "Parser", settings: CollectionSettings, item: "FileItem | RowItem") -> "ChunkSet":
    from producers.sources.base import RowItem
    from workers.stages.chunk import parse_row, split

    if isinstance(item, RowItem):
        return split(parse_row(item.text), settings, title=item.title)
    data = read_regular_file(item.path, max_bytes=runtime.settings.max_document_bytes)
    return split(parser.parse(data, name=item.uri), settings, title=item.title or "")


def print_estimate(report: Mapping[str, Any]) -> None:
    """The estimate for people."""
    embed = report["stages"]["embed"]
    print_line(
        f"{report['documents']} documents ({report['unreadable']} unreadable, {report['skipped']} things skipped): "
        f"{embed['chunks']} chunks, {embed['tokens']} tokens to embed with {embed['model']} in {embed['calls']} calls"
    )
    for problem in report["problems"]:
        print_warning(problem)
