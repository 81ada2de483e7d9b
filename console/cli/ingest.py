"""`embedmill ingest`, `submit` and `estimate`: what is done with sources."""

import sys
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from embedmill.console.cli.options import AsJson, Collection
from embedmill.console.cli.output import DONE, FAILED, print_result
from embedmill.console.cli.sourcing import reads_sources
from embedmill.console.cli.watching import Every, Schedule, timetable_of
from embedmill.console.usual import USUAL
from embedmill.producers.sources.options import SourceOptions
from embedmill.shared.ledger import Lane

if TYPE_CHECKING:
    from embedmill.console.services.submitting import JobOptions
    from embedmill.producers.sources.base import Source
    from embedmill.shared.runtime import Runtime
    from embedmill.shared.timetable import Timetable

Sources = Annotated[
    list[str], typer.Argument(metavar="SOURCE", help="Files, folders, JSONL or CSV files; - reads a list of files.")
]
Limit = Annotated[
    int | None,
    typer.Option(
        "--limit", min=1, metavar="N", help="A sample: read no more than N documents of each source; none leaves."
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done: nothing is recorded or spent.")]
RetryDead = Annotated[bool, typer.Option("--retry-dead", help="Try again what failed for good before.")]
AllowDeletes = Annotated[
    bool, typer.Option("--allow-deletes", help="Remove vanished documents though they are more than a fifth.")
]
Priority = Annotated[
    int | None, typer.Option(min=-100, max=100, help="Urgency: the higher is served first; 0 if not given.")
]
Weight = Annotated[int | None, typer.Option(min=1, max=100, help="Share among jobs of one priority; 1 if not given.")]
LaneOption = Annotated[
    Lane | None,
    typer.Option(
        "--lane", help="`bulk` asks models in the vendors' batches: half the price, within a day; live if not given."
    ),
]
JobName = Annotated[str | None, typer.Option("--name", help="What to call the job.")]
Access = Annotated[
    str | None, typer.Option(help="Access level of these sources' documents; kept with the sources, '' takes it back.")
]
Owner = Annotated[str | None, typer.Option(help="Who owns them; kept with the sources, '' takes it back.")]


@reads_sources
def ingest(
    sources: Sources,
    collection: Collection = USUAL,
    *,
    how: SourceOptions,
    limit: Limit = None,
    dry_run: DryRun = False,
    allow_deletes: AllowDeletes = False,
    retry_dead: RetryDead = False,
    priority: Priority = None,
    weight: Weight = None,
    lane: LaneOption = None,
    name: JobName = None,
    access: Access = None,
    owner: Owner = None,
    every: Every = None,
    schedule: Schedule = None,
    as_json: AsJson = False,
) -> None:
    """Put documents in and work here until they are indexed."""
    from embedmill.console.cli.session import heard, opened_to_work

    if dry_run:
        _preview(sources, how, collection, limit=limit, allow_deletes=allow_deletes, as_json=as_json)
    timetable = timetable_of(every, schedule, how)
    with opened_to_work() as runtime:
        # The fork server loads what workers need meanwhile: a small job waits for that.
        from embedmill.console.cli.reports import exit_status, show_report
        from embedmill.console.services import working
        from embedmill.console.services.submitting import JobOptions

        options = JobOptions(allow_deletes, retry_dead, priority, weight, lane, name, limit, access, owner)
        with heard(quiet=as_json) as listener:
            found = _open(sources, how)
            _schedule(runtime, found, collection, timetable, options)
            report = working.ingest(runtime, found, collection=collection, options=options, listener=listener)
        show_report(runtime, report, as_json=as_json)
    raise typer.Exit(exit_status(report))


@reads_sources
def submit(
    sources: Sources,
    collection: Collection = USUAL,
    *,
    how: SourceOptions,
    limit: Limit = None,
    dry_run: DryRun = False,
    allow_deletes: AllowDeletes = False,
    retry_dead: RetryDead = False,
    priority: Priority = None,
    weight: Weight = None,
    lane: LaneOption = None,
    name: JobName = None,
    access: Access = None,
    owner: Owner = None,
    every: Every = None,
    schedule: Schedule = None,
    as_json: AsJson = False,
) -> None:
    """Put documents in for the workers, and return at once."""
    from embedmill.console.cli.reports import print_submitted
    from embedmill.console.cli.session import heard, opened
    from embedmill.console.services import submitting
    from embedmill.console.services.submitting import JobOptions

    if dry_run:
        _preview(sources, how, collection, limit=limit, allow_deletes=allow_deletes, as_json=as_json)
    options = JobOptions(allow_deletes, retry_dead, priority, weight, lane, name, limit, access, owner)
    timetable = timetable_of(every, schedule, how)
    with opened() as runtime, heard(quiet=as_json) as listener:
        found = _open(sources, how)
        _schedule(runtime, found, collection, timetable, options)
        report = submitting.submit(runtime, found, collection=collection, options=options, listener=listener)
    print_result(report, print_submitted, as_json=as_json)
    raise typer.Exit(FAILED if report.problems else DONE)


@reads_sources
def estimate(
    sources: Sources,
    collection: Collection = USUAL,
    *,
    how: SourceOptions,
    limit: Limit = None,
    as_json: AsJson = False,
) -> None:
    """Say what an ingest would take and cost.

    Documents, chunks, tokens, calls and dollars per stage. Nothing is stored or spent.
    """
    from embedmill.console.cli.estimates import print_estimate
    from embedmill.console.cli.session import opened
    from embedmill.console.services import estimates

    with opened() as runtime:
        report = estimates.estimate(runtime, _open(sources, how), collection=collection, limit=limit)
    print_result(report, print_estimate, as_json=as_json)
    raise typer.Exit(FAILED if report.refused else DONE)


def _preview(
    sources: list[str], how: SourceOptions, collection: str, *, limit: int | None, allow_deletes: bool, as_json: bool
) -> NoReturn:
    """Show what would be done, and end."""
    from embedmill.console.cli.previews import print_preview
    from embedmill.console.cli.session import heard, opened
    from embedmill.console.services import previewing

    with opened() as runtime, heard(quiet=as_json) as listener:
        report = previewing.preview(
            runtime,
            _open(sources, how),
            collection=collection,
            limit=limit,
            allow_deletes=allow_deletes,
            listener=listener,
        )
    print_result(report, print_preview, as_json=as_json)
    raise typer.Exit(FAILED if report.problems else DONE)


def _schedule(
    runtime: "Runtime",
    sources: "list[Source]",
    collection: str,
    timetable: "Timetable | None",
    options: "JobOptions",
) -> None:
    """Have sources read by a timetable, if there is one; the first time is now and the command's own."""
    from embedmill.console.services.watching import schedule_sources

    if timetable is not None:
        schedule_sources(
            runtime, sources, collection=collection, timetable=timetable, options=options, begins_now=False
        )


def _open(sources: list[str], options: SourceOptions) -> "list[Source]":
    from embedmill.producers.sources.open import open_sources

    return open_sources(sources, options=options, stdin=sys.stdin.buffer)
