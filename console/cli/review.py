"""`embedmill review`: verdicts that a person should look at before they are acted upon."""

from typing import TYPE_CHECKING, Annotated

import typer

from embedmill.console.cli.options import AsJson
from embedmill.console.cli.output import DONE, print_line, print_result, print_table
from embedmill.console.rendering import to_json

if TYPE_CHECKING:
    from embedmill.console.services.reviews import Reviews

app = typer.Typer(no_args_is_help=True, help="Decide on verdicts of a model that are in doubt.")

Numbers = Annotated[list[int], typer.Argument(metavar="ID", help="Numbers of review entries.")]


@app.command("list")
def list_(
    collection: Annotated[str | None, typer.Option("--collection", "-c", help="Only this collection.")] = None,
    resolved: Annotated[bool, typer.Option("--resolved", help="Instead, those that were decided.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Most entries.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List doubtful verdicts with their chunks.

    Each with the reasons why it is in doubt.
    """
    from embedmill.console.cli.session import opened_to_read
    from embedmill.console.services import reviews

    with opened_to_read() as runtime:
        found = reviews.list_reviews(runtime, collection=collection, resolved=resolved, limit=limit)
    print_result(found, _print_reviews, as_json=as_json)


@app.command()
def accept(
    numbers: Numbers,
    work: Annotated[bool, typer.Option("--work", help="Apply it in this process until done.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say that verdicts are right, and apply them.

    Applying them costs nothing.
    """
    from embedmill.console.cli.reports import exit_status
    from embedmill.console.cli.session import heard, opened, opened_to_work
    from embedmill.console.services import reviews

    with opened_to_work() if work else opened() as runtime, heard(quiet=as_json) as listener:
        done = reviews.accept_reviews(runtime, numbers, work=work, listener=listener)
    print_result(done, lambda done: print_line(f"{len(done.accepted)} accepted"), as_json=as_json)
    raise typer.Exit(max(map(exit_status, done.jobs), default=DONE) if work else DONE)


@app.command()
def reject(numbers: Numbers, as_json: AsJson = False) -> None:
    """Say that verdicts are wrong; chunks stay.

    A rejected verdict is never acted upon.
    """
    from embedmill.console.cli.session import opened
    from embedmill.console.services import reviews

    with opened() as runtime:
        done = reviews.reject_reviews(runtime, numbers)
    print_result(done, lambda done: print_line(f"{len(done.rejected)} rejected"), as_json=as_json)


def _print_reviews(found: "Reviews") -> None:
    rows = [{**to_json(entry), "doubts": "; ".join(entry.doubts), "score": entry.score} for entry in found.reviews]
    columns = ("id", "collection", "uri", "ordinal", "score", "doubts", "text")
    print_table(rows, columns, empty="nothing is in doubt")
