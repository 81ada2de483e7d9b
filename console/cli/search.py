"""`embedmill search` and `embedmill export`: what is in a collection."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from embedmill.console.cli.explained import print_explanation
from embedmill.console.cli.found import print_found
from embedmill.console.cli.options import (
    AsJson,
    Collection,
    Decompose,
    Expand,
    Explain,
    MaxUsd,
    NoCache,
    Normalise,
    Rank,
)
from embedmill.console.cli.output import (
    FAILED,
    print_error,
    print_json,
    print_json_lines,
    print_result,
    print_warning,
)
from embedmill.console.cli.queries import QueryFile
from embedmill.console.usual import USUAL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from embedmill.console.services.searching import Answered, Unanswered
    from embedmill.console.services.switches import Switches
    from embedmill.retrieval.hits import SearchResult


class SearchMode(StrEnum):
    """How a query is matched."""

    HYBRID = "hybrid"
    DENSE = "dense"
    LEXICAL = "lexical"


def search(
    query: Annotated[str | None, typer.Argument(metavar="QUERY", help="What to look for.")] = None,
    collection: Collection = USUAL,
    top_k: Annotated[int, typer.Option("--top-k", "-k", min=1, max=1000, help="Most hits.")] = 10,
    mode: Annotated[SearchMode, typer.Option(help="How to search.")] = SearchMode.HYBRID,
    where: Annotated[str | None, typer.Option(metavar="FILTER", help="Only chunks that meet it; see below.")] = None,
    context: Annotated[int, typer.Option(help="So many chunks before and after each hit.", min=0, max=20)] = 0,
    per_document: Annotated[
        int | None,
        typer.Option(
            help="At most so many hits of a document, the others named with its first; 0 is no limit. Without it, "
            "those after a document's third come behind the others.",
            min=0,
        ),
    ] = None,
    offset: Annotated[int, typer.Option(help="Pass over so many hits.", min=0)] = 0,
    after: Annotated[
        str | None, typer.Option(metavar="CURSOR", help="The page after the one with this `next` in its JSON.")
    ] = None,
    fold: Annotated[bool, typer.Option(help="One hit for all near-copies, or one for each.")] = True,
    rank: Rank = None,
    expand: Expand = None,
    normalise: Normalise = None,
    decompose: Decompose = None,
    max_usd: MaxUsd = None,
    explain: Explain = False,
    no_cache: NoCache = False,
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
    from embedmill.retrieval.view import View

    if (query is None) == (queries is None):
        raise typer.BadParameter("give either a QUERY or --queries FILE")
    switches: Switches = {
        "rank": rank,
        "expand": expand,
        "normalise": normalise,
        "decompose": decompose,
        "cache": not no_cache,
        "max_usd": max_usd,
    }
    view = View(offset=offset, after=after, per_document=per_document, context=context, fold=fold, explain=explain)
    with opened_to_read() as runtime:
        if queries is not None:
            asked = QueryFile(queries)
            answers = searching.answer_each(
                runtime,
                iter(asked),
                collection=collection,
                top_k=top_k,
                mode=mode.value,
                where=where,
                view=view,
                **switches,
            )
            _print_answers(answers, asked)
            return
        result = searching.search(
            runtime, str(query), collection=collection, top_k=top_k, mode=mode.value, where=where, view=view, **switches
        )
        _print_remarks(result)
        print_result(result, lambda found: _print_found(found, offset), as_json=as_json)


def export(
    collection: Collection = USUAL,
    vectors: Annotated[bool, typer.Option("--vectors", help="With the vectors.")] = False,
    rejected: Annotated[bool, typer.Option("--rejected", help="Instead, the rejected chunks with reasons.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print what the vector store holds, as JSONL.

    One line for each vector.
    """
    from embedmill.console.cli.session import opened_to_read
    from embedmill.console.services import exporting

    with opened_to_read(takes_long=True) as runtime:
        if rejected:
            print_json_lines(exporting.export_rejected(runtime, collection))
        else:
            print_json_lines(exporting.export(runtime, collection, with_vectors=vectors))


def _print_found(result: "SearchResult", offset: int) -> None:
    print_found(result, offset=offset)
    print_explanation(result.explanation)


def _print_answers(answers: "Iterable[Answered | Unanswered]", queries: QueryFile) -> None:
    """A line of JSON for every query; exits with 1 when one was not answered, or a line is none."""
    from embedmill.console.services import searching

    unanswered = 0
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
