"""`embedmill search` and `embedmill export`: what is in a collection."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from embedmill.console.cli.options import AsJson, Collection
from embedmill.console.cli.output import (
    FAILED,
    print_error,
    print_json,
    print_json_lines,
    print_line,
    print_result,
    print_warning,
)
from embedmill.console.cli.queries import QueryFile

if TYPE_CHECKING:
    from embedmill.retrieval.hits import Hit, SearchResult
    from embedmill.retrieval.question import Mode
    from embedmill.shared.runtime import Runtime

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
    where: Annotated[str | None, typer.Option(metavar="FILTER", help="Only chunks that meet it; see below.")] = None,
    queries: Annotated[Path | None, typer.Option(help='JSONL of {"id", "text", "where"}; - reads stdin.')] = None,
    as_json: AsJson = False,
) -> None:
    """Search a collection by meaning and by words.

    In a query, "several words" in quotes are a phrase, which a hit holds as it stands, and -word keeps out what has the
    word. Everything else is text. A query that begins with a sign follows two dashes: search -- "-40 degrees"

    A filter compares fields of the metadata, and document, uri, title, section and page, by = != < <= > >= ~ (a glob),
    in (…), not in (…) and exists(…), with and, or, not and parentheses: --where 'year >= 2020 and not exists(draft)'
    Dates are written 2026-11-29. A field that is missing meets != and not, and nothing else.
    """
    from embedmill.console.cli.session import opened_to_read
    from embedmill.console.services import searching

    if (query is None) == (queries is None):
        raise typer.BadParameter("give either a QUERY or --queries FILE")
    with opened_to_read() as runtime:
        if queries is not None:
            asked = QueryFile(queries)
            _answer_all(runtime, asked, collection=collection, top_k=top_k, mode=mode.value, where=where)
            return
        result = searching.search(runtime, str(query), collection=collection, top_k=top_k, mode=mode.value, where=where)
    _print_remarks(result)
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


def _answer_all(
    runtime: "Runtime", queries: QueryFile, *, collection: str, top_k: int, mode: "Mode", where: str | None
) -> None:
    """A line of JSON for every query; exits with 1 when one was not answered, or a line is none."""
    from embedmill.console.services import searching

    unanswered = 0
    answers = searching.answer_each(runtime, iter(queries), collection=collection, top_k=top_k, mode=mode, where=where)
    for answer in answers:
        print_json(answer)
        if isinstance(answer, searching.Unanswered):
            unanswered += 1
            print_error(f"query {answer.id!r}: {answer.error}", answer.hint)
    if unanswered or queries.refused:
        raise typer.Exit(FAILED)


def _print_remarks(result: "SearchResult") -> None:
    for remark in result.remarks:
        print_warning(remark)


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
