"""`embedmill watch`, and the options by which a source is read again by itself."""

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from embedmill.console.cli.options import AsJson, Collection
from embedmill.console.cli.output import print_json, print_line, print_notice
from embedmill.console.cli.sourcing import reads_sources
from embedmill.console.usual import USUAL
from embedmill.producers.sources.options import SourceOptions
from embedmill.shared.durations import format_time

if TYPE_CHECKING:
    from embedmill.console.services.watching import ScheduleReport, WatchedRun, WatchedSource
    from embedmill.shared.timetable import Timetable

USUAL_EVERY = "15m"
EVERY_BESIDE_EVENTS = "6h"
Every = Annotated[
    str | None, typer.Option("--every", metavar="SPAN", help="Read the sources again every so often, as 15m or 6h.")
]
Schedule = Annotated[
    str | None,
    typer.Option(
        "--schedule", metavar="CRON", help='Read them again by a line of cron, as "0 2 * * *", in the time of --zone.'
    ),
]


def timetable_of(every: str | None, schedule: str | None, how: SourceOptions) -> "Timetable | None":
    """The timetable that was asked for, if one was; raises UsageError."""
    from embedmill.shared.timetable import Timetable

    return Timetable.read(every=every, schedule=schedule, zone=how.dates.zone) if every or schedule else None


@reads_sources
def watch(
    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCE", help="Whatever ingest takes and can be read again.")
    ],
    collection: Collection = USUAL,
    *,
    how: SourceOptions,
    every: Every = None,
    schedule: Schedule = None,
    allow_deletes: Annotated[
        bool, typer.Option("--allow-deletes", help="Remove vanished documents though they are more than a fifth.")
    ] = False,
    events: Annotated[
        str,
        typer.Option(
            "--events",
            metavar="QUEUE-URL",
            help="Read single keys of a bucket as its event messages in this SQS queue name them.",
        ),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Read sources again and again, and work here.

    Every 15 minutes, with --events every 6 hours, unless --every or --schedule say otherwise, until this is
    interrupted. The timetable is kept, and `workers start` goes on with it.
    """
    import sys

    from embedmill.console.cli.session import heard, opened_to_work
    from embedmill.console.services import watching
    from embedmill.console.services.submitting import JobOptions
    from embedmill.producers.sources.open import open_sources

    usual = EVERY_BESIDE_EVENTS if events else USUAL_EVERY
    timetable = timetable_of(every or (None if schedule else usual), schedule, how)
    assert timetable is not None
    opened_sources = open_sources(sources, options=how, stdin=sys.stdin.buffer)
    with opened_to_work() as runtime, heard(quiet=True) as listener, suppress(KeyboardInterrupt):
        watching.watch(
            runtime,
            opened_sources,
            collection=collection,
            when=watching.Occasions(timetable, events),
            options=JobOptions(allow_deletes=allow_deletes),
            heard=watching.Heard(_tell_begun, print_json if as_json else RunPrinter().print),
            listener=listener,
        )


def _tell_begun(watched: "Sequence[WatchedSource]") -> None:
    for each in watched:
        print_notice(f"source {each.source}: {each.uri} is read {each.schedule.timetable}")
    ids = " ".join(str(each.source) for each in watched)
    print_notice(f"this is kept, and workers start goes on with it; to end it: embedmill sources schedule {ids} --off")


class RunPrinter:
    """Prints what came of each reading; why documents are kept, only where their number has changed."""

    def __init__(self) -> None:
        self._held: dict[int, int] = {}

    def print(self, run: "WatchedRun") -> None:
        """What came of one reading."""
        from embedmill.console.cli.reports import print_held

        ended = format_time(run.schedule.ended.timestamp()) if run.schedule.ended else ""
        print_line(f"{ended} source {run.source}: {_outcome(run)}")
        if run.job is not None and run.job.held_deletions != self._held.get(run.source, 0):
            self._held[run.source] = run.job.held_deletions
            print_held(run.job)


def _outcome(run: "WatchedRun") -> str:
    from embedmill.console.cli.reports import describe_documents

    if run.schedule.error is not None:
        again = format_time(run.schedule.next.timestamp())
        return f"failed ({run.schedule.error}); it is tried again at {again}"
    if run.job is None:
        return "nothing was done"
    held = f", {run.job.held_deletions} kept that were not met" if run.job.held_deletions else ""
    problems = f", {run.job.problems} problems" if run.job.problems else ""
    return f"job {run.job.job} {run.job.state}: {describe_documents(run.job)}{held}{problems}"


def describe_schedule(found: "ScheduleReport") -> list[str]:
    """Lines on when a source is read, and what came of the last time."""
    again = "it is being read now" if found.running else f"next at {format_time(found.next.timestamp())}"
    lines = [f"read {found.timetable}: {again}"]
    if found.events:
        lines.append(f"and what messages in {found.events} name, by workers start and watch")
    if found.ended is not None:
        outcome = f"failed {found.failures} times in a row: {found.error}" if found.error else f"job {found.job}"
        lines.append(f"last time at {format_time(found.ended.timestamp())}: {outcome}")
    return lines
