"""`embedmill feedback`: what readers think of hits."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from embedmill.console.cli.options import AsJson, Collection
from embedmill.console.cli.output import (
    json_line,
    print_json,
    print_json_lines,
    print_line,
    print_notice,
    print_result,
    print_table,
)
from embedmill.console.rendering import to_json
from embedmill.console.usual import USUAL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from embedmill.console.services.feedback import FeedbackReport, Judged

app = typer.Typer(no_args_is_help=True, help="Say which hits helped, and measure the search by it.")


@app.command()
def add(
    result: Annotated[str, typer.Argument(metavar="RESULT", help="The `id` in a result's JSON, or last.")],
    chunk: Annotated[str, typer.Argument(metavar="CHUNK", help="A hit's chunk, or its rank.")],
    helpful: Annotated[bool, typer.Option("--helpful/--not-helpful", help="Whether it helped.")],
    why: Annotated[str | None, typer.Option("--why", metavar="TEXT", help="What was wrong or right with it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say of a hit whether it helped.

    Whoever says it again replaces what was said. The newest result of this installation is called last.
    """
    from embedmill.console.cli.session import opened
    from embedmill.console.services.feedback import add_feedback

    with opened() as runtime:
        judged = add_feedback(runtime, result, chunk, helpful=helpful, why=why)
    print_result(judged, _print_judged, as_json=as_json)


@app.command()
def report(
    collection: Annotated[
        str | None, typer.Option("--collection", "-c", help="Of one collection; of all if not given.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Most queries.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show what was said, and the worst queries."""
    from embedmill.console.cli.session import opened_to_read
    from embedmill.console.services.feedback import report_feedback

    with opened_to_read() as runtime:
        found = report_feedback(runtime, collection=collection, limit=limit)
    print_result(found, _print_report, as_json=as_json)


@app.command()
def export(
    collection: Collection = USUAL,
    queries: Annotated[Path | None, typer.Option("--queries", help="Write the queries to this file.")] = None,
    qrels: Annotated[
        Path | None, typer.Option("--qrels", help="Write the judgements to this file, and not to stdout.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print what was said as judgements for `eval`.

    JSONL of {"query", "document", "relevance"}, for queries whose text was kept (collections update --keep-queries).
    """
    from embedmill.console.cli.session import opened_to_read
    from embedmill.console.services.feedback import export_feedback

    with opened_to_read(takes_long=True) as runtime:
        found = export_feedback(runtime, collection)
    if found.left_out:
        print_notice(f"{found.left_out} judged queries are left out: their texts were not kept")
    if queries is not None:
        _write(queries, found.queries)
    if qrels is not None:
        _write(qrels, found.judgements)
    if as_json:
        print_json(found)
    elif qrels is None:
        print_json_lines(found.judgements)


def _write(path: Path, rows: "Iterable[object]") -> None:
    path.write_bytes(b"".join(map(json_line, rows)))


def _print_judged(judged: "Judged") -> None:
    verdict = "helpful" if judged.helpful else "not helpful"
    said = f'"{judged.text}"' if judged.text is not None else f"query {judged.query}"
    print_line(f"{verdict}: {judged.uri or judged.document} for {said}")


def _print_report(found: "FeedbackReport") -> None:
    print_line(
        f"{found.queries} queries recorded, {found.judged} of them judged: "
        f"{found.helpful} hits helpful, {found.not_helpful} not"
    )
    rows = [
        to_json(row) | {"query": row.query if row.text is None else row.text, "why": "; ".join(row.whys)}
        for row in found.worst
    ]
    print_table(rows, ("query", "collection", "helpful", "not_helpful", "why"), empty="nothing was unhelpful")
