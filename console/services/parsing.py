"""`embedmill parse`: what is read from one file, and into which chunks it is cut; nothing is stored."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from embedmill.console.cli.output import print_line, print_warning
from embedmill.console.cli.session import opened, read_settings
from embedmill.shared.collections import CollectionSettings, read_collection_settings
from embedmill.shared.db.collections import get_collection
from embedmill.shared.errors import DocumentError, SourceGone, UserError
from embedmill.shared.files import read_regular_file
from embedmill.shared.settings import Settings
from embedmill.shared.uris import path_to_uri
from embedmill.workers.chunking import Chunk
from embedmill.workers.chunking.normalise import BlockSpan, normalise
from embedmill.workers.parsing.detect import NAMES
from embedmill.workers.parsing.document import Block
from embedmill.workers.parsing.limits import ParserLimits
from embedmill.workers.parsing.sandbox import Parser
from embedmill.workers.stages.chunk import split

SHOWN_CHARACTERS = 72


def parse_file(path: Path, *, collection: str | None) -> dict[str, Any]:
    """A file as a worker would read it, under the settings of a collection; without one, under the usual ones.

    Raises UserError for a file that cannot be read, NotFound for a collection that there is not.
    """
    if path.is_dir():
        raise UserError(f"{path} is a folder", hint="Name one file; embedmill ingest reads folders.")
    settings = read_settings()
    chosen = _usual(settings) if collection is None else _of_collection(settings, collection)
    location = os.fsencode(path.absolute())
    uri = path_to_uri(location)
    try:
        data = read_regular_file(location, max_bytes=settings.max_document_bytes)
        with Parser(ParserLimits.from_settings(settings)) as parser:
            parsed = parser.parse(data, name=uri)
    except SourceGone as error:
        raise UserError(f"{path}: {error}", hint="Check the path and its permissions.") from None
    except DocumentError as error:
        raise UserError(f"{path}: {error}", hint=error.hint) from None
    chunk_set = split(parsed, chosen, title="")
    spans = normalise(parsed).blocks
    return {
        "uri": uri,
        "format": NAMES[parsed.media_type],
        "media_type": parsed.media_type,
        "title": chunk_set.title,
        "text": chunk_set.text,
        "notes": list(parsed.notes),
        "blocks": [_describe_block(block) for block in parsed.blocks],
        "chunks": [_describe_chunk(chunk, chunk_set.text, spans) for chunk in chunk_set.chunks],
    }


def _usual(settings: Settings) -> CollectionSettings:
    return CollectionSettings(embedding=settings.embedding, validator=settings.validator)


def _of_collection(settings: Settings, name: str) -> CollectionSettings:
    with opened(settings) as runtime:
        found = runtime.database.query(lambda connection: get_collection(connection, name))
    return read_collection_settings(found.settings)


def _describe_block(block: Block) -> dict[str, Any]:
    return {"kind": str(block.kind), "text": block.text, "level": block.level or None, "page": block.page}


def _describe_chunk(chunk: Chunk, text: str, spans: Iterable[BlockSpan]) -> dict[str, Any]:
    pages = [span.page for span in spans if span.page and span.start < chunk.end and span.end > chunk.start]
    return {
        "text": chunk.body(text),
        "start": chunk.start,
        "end": chunk.end,
        "tokens": chunk.tokens,
        "section": chunk.section,
        "pages": [min(pages), max(pages)] if pages else None,
    }


def print_reading(found: Mapping[str, Any]) -> None:
    """The same for people: the notes first, then the blocks, then where the chunks begin and end."""
    title = f" “{found['title']}”" if found["title"] else ""
    print_line(f"{found['format']}{title}: {len(found['text']):,} characters, {len(found['blocks']):,} blocks")
    for note in found["notes"]:
        print_warning(note)
    for block in found["blocks"]:
        kind = f"{block['kind']} {block['level']}" if block["level"] else block["kind"]
        page = f"page {block['page']}" if block["page"] else ""
        print_line(f"{kind:11} {page:8} {_shortened(block['text'])}")
    for number, chunk in enumerate(found["chunks"]):
        section = f"  {chunk['section']}" if chunk["section"] else ""
        print_line(f"chunk {number}: {chunk['start']}-{chunk['end']}, {chunk['tokens']} tokens{section}")


def _shortened(text: str) -> str:
    folded = " ".join(text.split())
    return folded if len(folded) <= SHOWN_CHARACTERS else folded[: SHOWN_CHARACTERS - 1] + "…"
