"""`embedmill sources`: list, show, rescan, schedule, remove."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from embedmill.console.cli.options import AsJson
from embedmill.console.cli.output import DONE, FAILED, confirm, print_json, print_line, print_result, print_table
from embedmill.console.cli.watching import Every, describe_schedule
from embedmill.console.rendering import documents_of, to_json

if TYPE_CHECKING:
    from embedmill.console.services.sources import (
        ClosedSource,
        ClosingPreview,
        ListedSource,
        SourceDetail,
        SourceReports,
    )
    from embedmill.console.services.submitting import SubmittedJob

app = typer.Typer(no_args_is_help=True, help="See what claims documents; read it again, close it.")

CollectionOption = Annotated[str | None, typer.Option("--collection", "-c", help="Only of this collection.")]
SourceArgument = Annotated[str, typer.Argument(metavar="ID|URI", help="A source's number, URI or path.")]


@app.command("list")
def list_(
    collection: CollectionOption = None,
    limit: Annotated[int, typer.Option(min=1, help="Most sources.")] = 100,
    after: Annotated[int, typer.Option(help="Only sources with a higher number.")] = 0,
    as_json: AsJson = False,
) -> None:
    """List sources with the documents that they claim."""
    from embedmill.console.cli.session import opened_to_read
    from embedmill.console.services import sources

    with opened_to_read() as runtime:
        found = sources.list_sources(runtime, collection=collection, limit=limit, after=after)
    print_result(found, lambda found: _print_sources(found, limit=limit), as_json=as_json)


@app.command()
def show(source: SourceArgument, collection: CollectionOption = None, as_json: AsJson = False) -> None:
    """Show one source, and what it alone claims."""
    from embedmill.console.cli.session import opened_to_read
    from embedmill.console.services import sources

    with opened_to_read() as runtime:
        found = sources.show_source(runtime, source, collection=collection)
    print_result(found, _print_source, as_json=as_json)


@app.command()
def rescan(
    source: SourceArgument,
    collection: CollectionOption = None,
    submit: Annotated[bool, typer.Option("--submit", help="Leave the work to workers and return.")] = False,
    allow_deletes: Annotated[
        bool, typer.Option("--allow-deletes", help="Remove vanished documents though they are more than a fifth.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Read a source again, as it was read before.

    A source that was closed is opened by it.
    """
    from embedmill.console.cli.reports import exit_status, show_report
    from embedmill.console.cli.session import heard, opened
    from embedmill.console.services import sources

    with opened() as runtime:
        with heard(quiet=as_json) as listener:
            if submit:
                submitted = sources.submit_rescan(
                    runtime, source, collection=collection, allow_deletes=allow_deletes, listener=listener
                )
            else:
                report = sources.rescan_source(
                    runtime, source, collection=collection, allow_deletes=allow_deletes, listener=listener
                )
        if not submit:
            show_report(runtime, report, as_json=as_json)
            raise typer.Exit(exit_status(report))
    print_result(submitted, _print_submitted, as_json=as_json)
    raise typer.Exit(FAILED if submitted.problems else DONE)


@app.command()
def schedule(
    source: SourceArgument,
    collection: CollectionOption = None,
    every: Every = None,
    cron: Annotated[
        str | None, typer.Option("--schedule", metavar="CRON", help='Read it by a line of cron, as "0 2 * * *".')
    ] = None,
    zone: Annotated[str, typer.Option("--zone", help="Time zone of --schedule, as Europe/Berlin.")] = "UTC",
    off: Annotated[bool, typer.Option("--off", help="Read it by itself no more.")] = False,
    as_json: AsJson = False,
) -> None:
    """Have a source read again by itself, or no more.

    Whoever runs `workers start` or `watch` does it.
    """
    from embedmill.console.cli.session import opened
    from embedmill.console.services import sources
    from embedmill.shared.timetable import Timetable

    if [every, cron].count(None) != (2 if off else 1):
        raise typer.BadParameter("give one of --every, --schedule and --off")
    timetable = None if off else Timetable.read(every=every, schedule=cron, zone=zone)
    with opened() as runtime:
        found = sources.reschedule_source(runtime, source, timetable, collection=collection)
    print_result(found, _print_source, as_json=as_json)


@app.command()
def remove(
    source: SourceArgument,
    collection: CollectionOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Close a source.

    What nobody else claims leaves the index.
    """
    from embedmill.console.cli.reports import worst_status
    from embedmill.console.cli.session import heard, opened, opened_to_work
    from embedmill.console.services import sources

    with opened() if dry_run else opened_to_work() as runtime:
        found = sources.preview_closing(runtime, source, collection=collection)
        told = _describe_closing(found)
        if dry_run:
            print_result(found, lambda _: print_line(told), as_json=as_json)
            return
        if not yes and not confirm(f"{told}. Remove it?"):
            _decline(as_json=as_json)
            return
        with heard(quiet=as_json) as listener:
            done = sources.close_source(runtime, str(found.source.id), listener=listener)
        status = worst_status(runtime, done.jobs)
    print_result(done, _print_closed, as_json=as_json)
    raise typer.Exit(status)


def _describe_closing(found: "ClosingPreview") -> str:
    claimed = found.source.documents
    return f"{found.source.uri}: documents that it claims: {claimed}; that would leave with it: {found.would_delete}"


def _decline(*, as_json: bool) -> None:
    if as_json:
        print_json({"removed": None, "deleted": 0, "declined": True})
    else:
        print_line("nothing was removed")


def _print_closed(done: "ClosedSource") -> None:
    print_line(f"{done.removed.uri} is closed; documents that left the index: {done.deleted}")


def _print_submitted(report: "SubmittedJob") -> None:
    print_line(f"job {report.job}: {documents_of(report.documents)}; embedmill jobs show {report.job}")


def _print_sources(found: "SourceReports", *, limit: int) -> None:
    rows = [_row(source) for source in found.sources]
    optional = [column for column in ("schedule", "read with") if any(row[column] for row in rows)]
    columns = ["id", "kind", "state", "documents", "scanned", "collection", "uri", *optional]
    print_table(rows, columns, empty="no sources: embedmill ingest FOLDER")
    if len(rows) == limit:
        print_line(f"the next ones: --after {rows[-1]['id']}")


def _row(source: "ListedSource") -> dict[str, Any]:
    scanned = to_json(source.scanned) or "never to its end"
    schedule = source.schedule.timetable if source.schedule else ""
    return {**to_json(source), "scanned": scanned, "schedule": schedule, "read with": _in_short(source.options)}


def _in_short(options: Mapping[str, Any]) -> str:
    columns = options.get("columns", {})
    told = {_WORDS.get(name, name): value for name, value in {**options, **columns}.items() if name not in _NOT_TOLD}
    return " ".join(f"{name}={_option(value)}" for name, value in told.items() if value and _USUAL.get(name) != value)


# Options as they are typed.
_WORDS = {
    "texts": "text",
    "ids": "id",
    "seconds": "statement-seconds",
    "max_pages": "max-pages",
    "max_depth": "max-depth",
    "requester_pays": "requester-pays",
    "sse_c": "sse-c",
}
_USUAL: dict[str, Any] = {"statement-seconds": 60.0, "max-pages": 10_000, "max-depth": 50}
# Of a database they are in its URI; its columns are told one by one.
_NOT_TOLD = ("path", "host", "port", "database", "table", "columns", "mark")


def _option(value: Any) -> str:
    """An option's value as it was typed: of names of fields, those that are not their own."""
    match value:
        case Mapping():
            return ",".join(f"{name}:{column}" for name, column in value.items() if column and name != column) or "rows"
        case list():
            return ",".join(map(str, value))
        case float():
            return f"{value:g}"
        case _:
            return str(value)


def _print_source(found: "SourceDetail") -> None:
    print_line(f"source {found.id}: {found.uri} ({found.kind}, {found.state})")
    print_line(f"  collection {found.collection}, last read to its end: {to_json(found.scanned) or 'never'}")
    print_line(f"  claims {documents_of(found.documents)}, {found.only_here} of them alone")
    if options := _in_short(found.options):
        print_line(f"  read with {options}")
    for line in describe_schedule(found.schedule) if found.schedule else ():
        print_line(f"  {line}")
