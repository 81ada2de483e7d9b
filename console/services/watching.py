"""Sources that are read again by themselves: by whom is asked for, what came of it, and the command that stays."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from embedmill.console.listening import NOBODY, Listener
from embedmill.console.services.events import EventQueue
from embedmill.console.services.jobs import JobReport, describe_job
from embedmill.console.services.owning import require_shown
from embedmill.console.services.progress import FINAL
from embedmill.console.services.reach import in_collection
from embedmill.console.services.running import Workshop, WorkshopOptions
from embedmill.console.services.serving import serves
from embedmill.console.services.submitting import USUAL, JobOptions
from embedmill.shared.access.principals import Right
from embedmill.shared.collections import read_collection_settings
from embedmill.shared.db import scans, schedules
from embedmill.shared.db.agenda import has_work
from embedmill.shared.db.clock import read_clock
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.schedules import Schedule
from embedmill.shared.durations import moment
from embedmill.shared.errors import SourceError
from embedmill.shared.runtime import Runtime
from embedmill.shared.timetable import Timetable

if TYPE_CHECKING:
    from embedmill.producers.sources.base import Source

LABELS = ("access", "owner")
FAILS_OFTEN = 3
"""After so many failures in a row the doctor says so."""


@dataclass(frozen=True, slots=True)
class ScheduleReport:
    """When a source is read again, and what came of the last time; `failures` are those in a row.

    `events` is the queue whose messages name objects that are read besides, "" for none.
    """

    timetable: str
    every_seconds: float | None
    cron: str | None
    zone: str
    next: datetime
    began: datetime | None
    ended: datetime | None
    running: bool
    job: int | None
    error: str | None
    failures: int
    failing_since: datetime | None
    events: str


@dataclass(frozen=True, slots=True)
class WatchedSource:
    """A source that is read by itself."""

    source: int
    uri: str
    collection: str
    schedule: ScheduleReport


@dataclass(frozen=True, slots=True)
class WatchedRun:
    """What came of one reading; `job` is None where it did not come to one."""

    source: int
    uri: str
    collection: str
    schedule: ScheduleReport
    job: JobReport | None


@dataclass(frozen=True, slots=True)
class Occasions:
    """When sources are read: by a timetable, and single keys of a bucket whenever messages in a queue name them."""

    timetable: Timetable
    events: str = ""


@dataclass(frozen=True, slots=True)
class Heard:
    """Who is told which sources are read from now on, and then of each reading when its job has ended."""

    on_begun: Callable[[Sequence[WatchedSource]], object]
    on_run: Callable[[WatchedRun], object]


def describe_schedule(found: Schedule, *, is_running: bool) -> ScheduleReport:
    """As people see it."""
    timetable = found.timetable
    return ScheduleReport(
        timetable=str(timetable),
        every_seconds=timetable.every_seconds,
        cron=timetable.cron,
        zone=timetable.zone,
        next=moment(found.due_at),
        began=_moment_if(found.began_at),
        ended=_moment_if(found.ended_at),
        running=is_running,
        job=found.job_id,
        error=found.error,
        failures=found.failures,
        failing_since=_moment_if(found.failing_since),
        events=found.events,
    )


def find_schedules(connection: Connection, source_ids: Sequence[int]) -> dict[int, ScheduleReport]:
    """The schedules of those sources that have one."""
    found = schedules.list_schedules(connection, source_ids)
    running = schedules.list_running(connection, [each.source_id for each in found])
    return {each.source_id: describe_schedule(each, is_running=each.source_id in running) for each in found}


@serves("sources.schedule", Right.OPERATE, in_collection())
def schedule_sources(
    runtime: Runtime,
    sources: "Sequence[Source]",
    *,
    collection: str,
    timetable: Timetable,
    options: JobOptions = USUAL,
    events: str | None = None,
    begins_now: bool = True,
    stays: bool = False,
) -> list[WatchedSource]:
    """Have sources read by a timetable from now on; raises UserError for one that comes only once.

    `events` is a queue whose messages name objects of a source; if it is None, the one that it had is read on.
    One that was opened with a password, which is kept nowhere, only this process can read, and only if it `stays`.
    """
    from embedmill.producers.submission import called, ensure_collection

    found = ensure_collection(runtime, collection)
    require_shown(options.owner, read_collection_settings(found.settings).redact)
    sources = called(runtime.database, found.id, sources)

    def put(connection: Connection) -> list[int]:
        now = read_clock(connection)
        ids = [
            scans.open_source(
                connection, collection_id=found.id, identity=s.identity, spec=s.spec, former=s.former_identity
            ).id
            for s in sources
        ]
        for id_, each in zip(ids, sources, strict=True):
            schedules.put_schedule(
                connection, id_, spec=each.spec, options=_chosen(options), timetable=timetable, events=events
            )
            due_at = now if begins_now else timetable.next_after(now, of=id_)
            schedules.set_due(connection, id_, due_at)
        return ids

    for each in sources:
        _require_repeatable(each, stays=stays)
    return _describe(runtime, runtime.database.transact(put))


def _require_repeatable(source: "Source", *, stays: bool) -> None:
    from embedmill.producers.sources.open import source_from_spec

    if source.holds_secret and not stays:
        told = (
            f"the address of {source.spec['uri']} lets somebody in, which is kept nowhere: nobody could read it again"
        )
        ways = filter(None, (source.without_secret, "embedmill watch, which keeps it to itself"))
        raise SourceError(told, hint=f"Use {', or '.join(ways)}.")
    try:
        source_from_spec(source.spec)
    except SourceError as error:
        raise SourceError(f"{source.spec['uri']} cannot be read again: {error}", hint=error.hint) from None


def _chosen(options: JobOptions) -> dict[str, Any]:
    """Options that are not as usual, as JSON values; labels are kept with the source itself."""
    usual = asdict(USUAL)
    return {name: v for name, v in asdict(options).items() if v != usual[name] and name not in LABELS}


def _describe(runtime: Runtime, ids: Sequence[int]) -> list[WatchedSource]:
    def look(connection: Connection) -> list[WatchedSource]:
        reports = find_schedules(connection, ids)
        found = schedules.list_schedules(connection, ids)
        return [_watched(each, reports[each.source_id]) for each in found]

    return runtime.database.query(look)


def _watched(found: Schedule, report: ScheduleReport) -> WatchedSource:
    return WatchedSource(found.source_id, str(found.spec.get("uri")), found.collection, report)


@serves("watch", Right.OPERATE, in_collection())
def watch(
    runtime: Runtime,
    sources: "Sequence[Source]",
    *,
    collection: str,
    when: Occasions,
    options: JobOptions = USUAL,
    heard: Heard,
    listener: Listener = NOBODY,
) -> None:
    """Have sources read by a timetable, the first time now, and work here until none of them is to be read any more.

    Raises UsageError where messages name keys and the sources are not one bucket.
    """
    from embedmill.producers.submission import called, ensure_collection

    if when.events:
        EventQueue.of(sources, when.events, collection, options)
    # Those that hold a password are found again by what they are called on record.
    sources = called(runtime.database, ensure_collection(runtime, collection).id, sources)
    watched = schedule_sources(
        runtime,
        sources,
        collection=collection,
        timetable=when.timetable,
        options=options,
        events=when.events,
        stays=True,
    )
    heard.on_begun(watched)
    runs = _RunTeller(runtime, [each.source for each in watched], heard.on_run)
    workshop_options = WorkshopOptions(watches=True, watched=sources)
    with Workshop(runtime, options=workshop_options, listener=listener) as workshop:

        def is_over() -> bool:
            if runtime.database.query(has_work):
                workshop.start_workers()
            return not runs.look()

        try:
            workshop.run_until(is_over)
        finally:
            runs.look()


class _RunTeller:
    """Tells of each reading of some sources when its job has ended."""

    def __init__(self, runtime: Runtime, ids: Sequence[int], on_run: Callable[[WatchedRun], object]) -> None:
        self._runtime = runtime
        self._ids = ids
        self._on_run = on_run
        self._told: dict[int, datetime | None] = {each.source: each.schedule.ended for each in _describe(runtime, ids)}

    def look(self) -> bool:
        """Tell what has ended; whether any of the sources is still to be read."""
        left = _describe(self._runtime, self._ids)
        for each in left:
            if each.schedule.ended != self._told.get(each.source) and not each.schedule.running:
                self._tell(each)
        return bool(left)

    def _tell(self, watched: WatchedSource) -> None:
        job = watched.schedule.job
        report = describe_job(self._runtime, job) if job is not None else None
        if report is not None and report.state not in FINAL and watched.schedule.error is None:
            return
        # Whoever is stopped in between tells it again; the other order would keep it back.
        self._on_run(WatchedRun(watched.source, watched.uri, watched.collection, watched.schedule, report))
        self._told[watched.source] = watched.schedule.ended


def find_failing(runtime: Runtime) -> list[str]:
    """What there is to say of sources that failed often in a row."""
    found = runtime.database.query(lambda connection: schedules.list_failing(connection, least=FAILS_OFTEN))
    return [_describe_failing(each) for each in found]


def _describe_failing(found: Schedule) -> str:
    since = moment(found.failing_since or 0.0)
    again = moment(found.due_at)
    return (
        f"source {found.source_id} ({found.spec.get('uri')}) could not be read {found.failures} times since "
        f"{since:%Y-%m-%d %H:%M} UTC, and is tried again at {again:%Y-%m-%d %H:%M}: {found.error}"
    )


def _moment_if(seconds: float | None) -> datetime | None:
    return None if seconds is None else moment(seconds)
