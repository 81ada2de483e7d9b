"""`embedmill search`: a searcher over one collection, for one query or a file of them."""

import sys
from collections.abc import Collection as Ids
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import orjson

from embedmill.console.cli.output import print_line
from embedmill.console.cli.session import opened_to_read
from embedmill.retrieval.search import Mode, Searcher, SearchResult
from embedmill.shared.collections import read_collection_settings
from embedmill.shared.db import collections, documents
from embedmill.shared.editions import Edition
from embedmill.shared.errors import SourceError, UsageError
from embedmill.shared.ledger import Subject
from embedmill.shared.paging import pages
from embedmill.shared.queries import remembered
from embedmill.shared.runtime import Runtime

SNIPPET = 240
# Under SQLite's limit of bound values.
PAGE = 5000


@contextmanager
def searcher(collection: str) -> Iterator[Searcher]:
    """A searcher over a collection; raises NotFound."""
    with opened_to_read() as runtime:
        with runtime.database.read() as connection:
            found = collections.get_collection(connection, collection)
        embedder = runtime.embedder(read_collection_settings(found.settings).embedding)
        with closing(runtime.open_cache()) as cache:
            embedder = remembered(embedder, cache, runtime.spender, Subject(collection_id=found.id))
            yield Searcher(
                runtime.store(found), lambda: _shards(runtime, found.id), embedder, lambda ids: _active(runtime, ids)
            )


def _shards(runtime: Runtime, collection_id: int) -> Sequence[str]:
    with runtime.database.read() as connection:
        return collections.get_collection_by_id(connection, collection_id).reading_shards


def _active(runtime: Runtime, ids: Ids[str]) -> Mapping[str, Edition]:
    wanted = list(ids)
    active: dict[str, Edition] = {}
    with runtime.database.read() as connection:
        for some in pages(wanted, PAGE):
            active |= documents.find_active_editions(connection, some)
    return active


def search_one(query: str, collection: str, *, top_k: int, mode: str) -> dict[str, Any]:
    """The answer to one query as `--json` shows it; raises UsageError where nothing is asked."""
    if not query.strip():
        raise UsageError("the query is empty", hint='embedmill search "what you look for"')
    with searcher(collection) as found:
        return _describe(found.search(query, top_k=top_k, mode=cast(Mode, mode)))


def search_many(path: Path, collection: str, *, top_k: int, mode: str) -> Iterator[dict[str, Any]]:
    """The answers to a JSONL file of queries, in its order; raises SourceError at the first line that is none."""
    with searcher(collection) as found:
        for id_, text in _read_queries(path):
            yield {"id": id_, **_describe(found.search(text, top_k=top_k, mode=cast(Mode, mode)))}


def _read_queries(path: Path) -> Iterator[tuple[Any, str]]:
    try:
        stream = sys.stdin.buffer if str(path) == "-" else path.open("rb")
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from None
    with stream:
        for number, line in enumerate(stream, start=1):
            if line.strip():
                yield _read_query(line, number)


def _read_query(line: bytes, number: int) -> tuple[Any, str]:
    try:
        query = orjson.loads(line)
    except orjson.JSONDecodeError:
        query = None
    match query:
        case {"id": id_, "text": str(text)}:
            return id_, text
    raise SourceError(f"line {number} of the queries is not an object with id and text")


def _describe(result: SearchResult) -> dict[str, Any]:
    return {"hits": [asdict(hit) for hit in result.hits], "timings": dict(result.timings)}


def print_hits(result: Mapping[str, Any]) -> None:
    """Hits for people."""
    for hit in result["hits"]:
        place = hit["uri"] + (f", page {hit['page']}" if hit.get("page") else "")
        print_line(f"{hit['rank']:2}. {hit['score']:.3f}  {place}  [{hit['start']}:{hit['end']}]")
        if hit["section"]:
            print_line(f"    {hit['section']}")
        text = " ".join(hit["text"].split())
        print_line(f"    {text[:SNIPPET]}{'…' if len(text) > SNIPPET else ''}")
    if not result["hits"]:
        print_line("nothing found")
