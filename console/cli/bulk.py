"""`embedmill bulk`: list, show."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from embedmill.console.cli.options import AsJson
from embedmill.console.cli.output import print_line, print_result, print_table
from embedmill.console.rendering import to_json
from embedmill.shared.durations import format_duration

if TYPE_CHECKING:
    from embedmill.console.services.bulk import BatchReport

app = typer.Typer(no_args_is_help=True, help="Look at vendors' batches of --lane bulk.")


@app.command("list")
def list_(
    job: Annotated[int | None, typer.Option(help="Only batches of this job.")] = None,
    open_: Annotated[bool, typer.Option("--open", help="Only those that are under way.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="Most batches.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List batches, newest first.

    Their state here and at the vendor, their age, and when they expire.
    """
    from embedmill.console.cli.session import opened_to_read
    from embedmill.console.services import bulk

    with opened_to_read() as runtime:
        found = bulk.list_batches(runtime, job=job, only_open=open_, limit=limit)
    empty = "no batches: embedmill ingest FOLDER --lane bulk"
    print_result(found, lambda found: print_batches(found.batches, empty=empty), as_json=as_json)


@app.command()
def show(
    batch: Annotated[int, typer.Argument(metavar="BATCH", help="The batch's number.")], as_json: AsJson = False
) -> None:
    """Show one batch."""
    from embedmill.console.cli.session import opened_to_read
    from embedmill.console.services import bulk

    with opened_to_read() as runtime:
        found = bulk.show_batch(runtime, batch)
    print_result(found, _print_batch, as_json=as_json)


def print_batches(batches: "Sequence[BatchReport]", *, empty: str) -> None:
    """Batches as a table."""
    columns = ("batch", "job", "model", "state", "vendor_state", "requests", "age", "expires in", "vendor_id", "error")
    print_table([_row(batch) for batch in batches], columns, empty=empty)


def _row(batch: "BatchReport") -> dict[str, Any]:
    left = batch.expires_in_seconds
    return {
        **to_json(batch),
        "age": format_duration(batch.age_seconds),
        "expires in": "" if left is None else format_duration(left),
    }


def _print_batch(batch: "BatchReport") -> None:
    """One batch, a line for each thing known of it."""
    for name, value in to_json(batch).items():
        if value is not None:
            print_line(f"{name}: {value}")
