"""`embedmill search` and `embedmill export`: what is in a collection."""

import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from embedmill.console.cli.options import AsJson, Collection
from embedmill.console.cli.output import print_json, print_json_lines, print_line, print_result

if TYPE_CHECKING:
    from embedmill.console.services.searching import Query
    from embedmill.retrieval.hits import Hit, SearchResult

SNIPPET = 240


class SearchMode(StrEnum):
    """How a query is matched."""

    HYBRID = "hybrid"
    DENSE = "dense"
    LEXICAL = "lexical"


def search(
    query: Annotated[str | None, typer.Argument(metavar="QUERY", help="What to look for.")] = None,
    collection: Collection = "default",
    top_k: Annotated[int, typer.Option("--top-k", "-k", min=1, max=1000, help="Most hits.")] = 10,
    mode: Annotated[SearchMode, typer.Option(help="How to search.")] = SearchMode.HYBRID,
    queries: Annotated[Path | None, typer.Option(help='JSONL of {"id", "text"}; - reads stdin.')] = None,
    as_json: AsJson = False,
) -> None:
    """Search a collection by meaning and by words."""
    from embedmill.console.cli.session import opened_to_read
    from embedmill.console.services import searching

    if (query is None) == (queries is None):
        raise typer.BadParameter("give either a QUERY or --queries FILE")
    with opened_to_read() as runtime:
        if queries is not None:
            asked = _read_queries(queries)
            for answer in searching.search_each(runtime, asked, collection=collection, top_k=top_k, mode=mode.value):
                print_json(answer)
            return
        result = searching.search(runtime, str(query), collection=collection, top_k=top_k, mode=mode.value)
    print_result(result, print_hits, as_json=as_json)


def export(
    collection: Collection = "default",
    vectors: Annotated[bool, typer.Option("--vectors", help="With the vectors.")] = False,
    rejected: Annotated[bool, typer.Option("--rejected", help="Instead, the rejected chunks with reasons.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print what the vector store holds, as JSONL.

    One line for each vector.
    """
    from embedmill.console.cli.session import opened_to_read
    from embedmill.console.services import exporting

    with opened_to_read() as runtime:
        if rejected:
            print_json_lines(exporting.export_rejected(runtime, collection))
        else:
            print_json_lines(exporting.export(runtime, collection, with_vectors=vectors))


def _read_queries(path: Path) -> "Iterator[Query]":
    """The queries of a JSONL file; raises SourceError at the first line that is none."""
    from embedmill.shared.errors import SourceError

    try:
        stream = sys.stdin.buffer if str(path) == "-" else path.open("rb")
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from None
    with stream:
        for number, line in enumerate(stream, start=1):
            if line.strip():
                yield _read_query(line, number)


def _read_query(line: bytes, number: int) -> "Query":
    import orjson

    from embedmill.console.services.searching import Query
    from embedmill.shared.errors import SourceError

    try:
        query = orjson.loads(line)
    except orjson.JSONDecodeError:
        query = None
    match query:
        case {"id": id_, "text": str(text)}:
            return Query(id_, text)
    raise SourceError(f"line {number} of the queries is not an object with id and text")


def print_hits(result: "SearchResult") -> None:
    """Hits for people."""
    for hit in result.hits:
        _print_hit(hit)
    if not result.hits:
        print_line("nothing found")


def _print_hit(hit: "Hit") -> None:
    place = hit.uri + (f", page {hit.page}" if hit.page else "")
    print_line(f"{hit.rank:2}. {hit.score:.3f}  {place}  [{hit.start}:{hit.end}]")
    if hit.section:
        print_line(f"    {hit.section}")
    text = " ".join(hit.text.split())
    print_line(f"    {text[:SNIPPET]}{'…' if len(text) > SNIPPET else ''}")
