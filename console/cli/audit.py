"""`embedmill audit`: list, verify, export, anchor."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from embedmill.console.cli.options import AsJson
from embedmill.console.cli.output import DONE, FAILED, print_json_lines, print_line, print_result, print_table
from embedmill.console.rendering import to_json
from embedmill.shared.durations import parse_since

if TYPE_CHECKING:
    from embedmill.console.services.auditing import AuditRecords, AuditVerification, MadeAnchor

app = typer.Typer(no_args_is_help=True, help="See who did what, and whether that is all.")

Collection = Annotated[str | None, typer.Option("--collection", "-c", help="Only this collection.")]
Since = Annotated[str | None, typer.Option(metavar="TIME", help="From a date on, or a span before now, such as 7d.")]


@app.command("list")
def list_(
    collection: Collection = None,
    since: Since = None,
    principal: Annotated[str | None, typer.Option(help="Only what this one did.")] = None,
    action: Annotated[str | None, typer.Option(help="Only this, such as search or tokens.create.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Most records.")] = 100,
    after: Annotated[str | None, typer.Option(help="Where to go on: `next` of the page before.")] = None,
    as_json: AsJson = False,
) -> None:
    """List who did what, newest first."""
    from embedmill.console.cli.session import opened_to_read
    from embedmill.console.services import auditing

    begin = None if since is None else parse_since(since)
    with opened_to_read() as runtime:
        found = auditing.list_records(
            runtime,
            collection=collection,
            since=begin,
            principal=principal,
            action=action,
            limit=limit,
            after=after,
        )
    print_result(found, _print_records, as_json=as_json)


@app.command()
def verify(collection: Collection = None, as_json: AsJson = False) -> None:
    """Check that nothing was changed, removed or cut off.

    Says which record is not as it was written. Ends with 1 if any is not.
    """
    from embedmill.console.cli.session import opened_to_read
    from embedmill.console.services import auditing

    with opened_to_read(takes_long=True) as runtime:
        found = auditing.verify_records(runtime, collection=collection)
    print_result(found, _print_verification, as_json=as_json)
    raise typer.Exit(DONE if found.ok else FAILED)


@app.command()
def export(
    collection: Collection = None,
    since: Since = None,
    form: Annotated[
        Literal["jsonl", "ocsf"], typer.Option("--format", help="As written, or as events of the OCSF.")
    ] = "jsonl",
    as_json: AsJson = False,
) -> None:
    """Print every record, one a line."""
    from embedmill.console.cli.session import opened_to_read
    from embedmill.console.services import auditing

    begin = None if since is None else parse_since(since)
    with opened_to_read(takes_long=True) as runtime:
        print_json_lines(auditing.export_records(runtime, collection=collection, since=begin, form=form))


@app.command()
def anchor(as_json: AsJson = False) -> None:
    """Write down where the chains end, signed."""
    from embedmill.console.cli.session import opened
    from embedmill.console.services import auditing

    with opened() as runtime:
        made = auditing.anchor_records(runtime)
    print_result(made, _print_anchor, as_json=as_json)


def _print_records(found: "AuditRecords") -> None:
    columns = ("at", "collection", "seq", "principal", "action", "outcome", "target", "counts")
    rows = [
        {**to_json(each), "counts": ", ".join(f"{name} {n}" for name, n in each.counts.items())}
        for each in found.records
    ]
    print_table(rows, columns, empty="nothing is on record")
    if found.next is not None:
        print_line(f"there is more: --after {found.next}")


def _print_verification(found: "AuditVerification") -> None:
    against = f"; the last of {found.anchors} anchors is of {found.anchored}" if found.anchored else "; no anchors"
    print_line(f"{found.records} records in {found.chains} chains{against}")
    print_table(found.faults, ("collection", "seq", "fault", "detail"), empty="all as they were written")


def _print_anchor(made: "MadeAnchor") -> None:
    print_line(f"anchor {made.anchor} of {made.chains} chains" if made.anchor else "nothing is on record")
