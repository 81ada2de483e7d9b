"""`embedmill bulk`: list, show."""

from typing import Annotated

import typer

from embedmill.console.cli.output import print_json

app = typer.Typer(no_args_is_help=True, help="Look at vendors' batches of --lane bulk.")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]


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
    from embedmill.console.cli.session import opened
    from embedmill.console.services.bulk import describe_batch, print_batches
    from embedmill.shared.db import bulk_batches

    with opened() as runtime:
        found = runtime.database.query(
            lambda connection: bulk_batches.list_batches(connection, job_id=job, only_open=open_, limit=limit)
        )
    rows = [describe_batch(batch) for batch in found]
    if as_json:
        print_json({"batches": rows})
    else:
        print_batches(rows, empty="no batches: embedmill ingest FOLDER --lane bulk")


@app.command()
def show(
    batch: Annotated[int, typer.Argument(metavar="BATCH", help="The batch's number.")], as_json: AsJson = False
) -> None:
    """Show one batch."""
    from embedmill.console.cli.session import opened
    from embedmill.console.services.bulk import describe_batch, print_batch
    from embedmill.shared.db import bulk_batches
    from embedmill.shared.errors import NotFound

    with opened() as runtime:
        found = runtime.database.query(lambda connection: bulk_batches.get_batch(connection, batch))
    if found is None:
        raise NotFound(f"no batch {batch}", hint="embedmill bulk list")
    row = describe_batch(found)
    if as_json:
        print_json(row)
    else:
        print_batch(row)
