"""What users see of jobs: reports, and what each waits for."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any

from embedmill.console.rendering import LEFT_OUT
from embedmill.console.services.bulk import BatchReport, describe_batch
from embedmill.console.services.progress import (
    NOBODY_SERVES,
    WORKING,
    DocumentCounts,
    Hindrance,
    Staffing,
    find_hindrances,
    measure_pace,
    name_activity,
    name_command,
    read_staffing,
)
from embedmill.console.services.reach import in_collection, in_job, reaches_of
from embedmill.console.services.serving import WHOLE_JOBS, Trace, serves
from embedmill.shared.access.labels import Reach
from embedmill.shared.access.principals import Right
from embedmill.shared.db import bulk_batches, bulk_items, jobs, scan_notes, tallies, waits
from embedmill.shared.db.clock import read_clock
from embedmill.shared.db.collections import get_collection, get_collection_by_id
from embedmill.shared.db.dead_before import DeadBefore, count_dead_before
from embedmill.shared.db.dead_letters import list_letters
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.jobs import RE_ENCRYPTION, Job
from embedmill.shared.db.redactions import sum_redactions
from embedmill.shared.db.seen_work import has_seen_work, measure_seen
from embedmill.shared.db.transitions import no_job
from embedmill.shared.durations import moment
from embedmill.shared.errors import EmbedmillError, FlowControl
from embedmill.shared.ledger import Lane
from embedmill.shared.letters import LetterFilter
from embedmill.shared.notes import Note, Reason
from embedmill.shared.runtime import Runtime
from embedmill.shared.states import JobState, WaitReason

REPORTED_NOTES = 1000
REPORTED_REASONS = 100
# By the option that such a job has: what it was made by, in the place of a source.
RE_ENCRYPTING_SOURCE = "keys re-encrypt"
WITHOUT_SOURCE = {"repair": "verify --repair", "revalidation": "review", RE_ENCRYPTION: RE_ENCRYPTING_SOURCE}


@dataclass(frozen=True, slots=True)
class ChunkCounts:
    """A job's chunks; `split` were too long for the model and were cut."""

    expected: int
    indexed: int
    rejected: int
    embedded: int
    split: int


@dataclass(frozen=True, slots=True)
class JobSpend:
    """What a job cost in dollars and tokens.

    `reserved_usd` is that part of `usd` which is not settled, `units` are those that a vector store billed, and
    `unpriced_calls` those whose price is not known and is missing in `usd`; None where there are none.
    """

    usd: float
    tokens_in: int
    tokens_out: int
    reserved_usd: float | None = field(default=None, metadata=LEFT_OUT)
    units: float | None = field(default=None, metadata=LEFT_OUT)
    unpriced_calls: int | None = field(default=None, metadata=LEFT_OUT)


@dataclass(frozen=True, slots=True)
class JobSummary:
    """A job; `activity` tells what it does, or waits for, while its state is `running`."""

    job: int
    id: int
    name: str | None
    collection: str
    source: str
    sources: list[str]
    state: JobState
    activity: str
    created: datetime
    priority: int
    weight: int
    lane: Lane
    documents: DocumentCounts
    chunks: ChunkCounts
    spend: JobSpend
    estimate: Mapping[str, Any] | None
    seconds: float
    active: Mapping[str, Mapping[str, int]]
    problems: int
    noted: int
    held_deletions: int
    error: str | None


@dataclass(frozen=True, slots=True)
class JobReport(JobSummary):
    """A job with what it passed over, and with documents of which it knew that they had died before."""

    notes: list[Note]
    reasons: list[Reason]
    dead_before: DeadBefore
    redactions: dict[str, int]
    """How many values of each type were hidden in its documents."""

    @property
    def took_nothing(self) -> bool:
        """Whether it met things and skipped every one of them; a document that had died before is known already."""
        before = self.dead_before.unreadable + self.dead_before.failed + self.dead_before.settled
        return 0 < self.documents.total == self.documents.skipped and not before


@dataclass(frozen=True, slots=True)
class Waiting:
    """Documents of one stage that wait for the same, and the seconds until the next of them is due."""

    stage: str
    reason: str
    documents: int
    next_in_seconds: float | None
    last_error: str | None


@dataclass(frozen=True, slots=True)
class WaitingDocument:
    """An unfinished document of a job."""

    work: int
    uri: str
    stage: str
    state: str
    due_in_seconds: float | None
    attempt: int
    crashes: int
    worker: str | None
    last_error: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class WaitingDocuments:
    """A page of a job's unfinished documents, in the order in which they were submitted."""

    job: int
    waiting: list[WaitingDocument]


@dataclass(frozen=True, slots=True)
class UnservedQueue:
    """A queue that no worker serves, and what starts one."""

    queue: str
    documents: int
    start: str


@dataclass(frozen=True, slots=True)
class BatchLane:
    """What a job has in the batch lane: stages that go live all the same, entries by state, and batches."""

    live: Mapping[str, str]
    entries: Mapping[str, int]
    batches: list[BatchReport]


@dataclass(frozen=True, slots=True)
class OpenCircuit:
    """A provider that fails for everybody and is left alone for a while."""

    name: str
    state: str
    seconds_left: float


@dataclass(frozen=True, slots=True)
class JobExplanation(JobReport):
    """A job with what its work waits for, how quickly it moves, and what would get it going where it does not."""

    waiting: list[Waiting]
    bulk: BatchLane | None
    rate: float
    seconds_left: float | None
    hindrances: list[Hindrance]
    queues_without_consumer: list[UnservedQueue]
    circuits: list[OpenCircuit]


@dataclass(frozen=True, slots=True)
class JobList:
    """Jobs, newest first."""

    jobs: list[JobSummary]


@dataclass(frozen=True, slots=True)
class DeadDocument:
    """A document of a job that died, and what to do about it."""

    id: int
    uri: str
    stage: str
    error: str
    hint: str


@serves("jobs.show", Right.READ, in_job(), filters=True, trace=Trace.NOTHING)
def describe_job(runtime: Runtime, job_id: int) -> JobReport:
    """A job as it stands, as far as the caller sees its documents; raises NotFound."""

    def look(connection: Connection) -> JobReport:
        job = jobs.get_job(connection, job_id)
        if (reaches := reaches_of(runtime.principal, connection)) is not None:
            return _report_seen(connection, job, reaches)
        # Who serves the queues does not matter to what has ended.
        staffing = NOBODY_SERVES if job.finished_at else read_staffing(runtime, connection, [job])
        return _report(connection, job, tallies.measure_progress(connection, job), staffing)

    return runtime.database.query(look)


@serves("jobs.list", Right.READ, in_collection(), filters=True, trace=Trace.NOTHING)
def list_jobs(
    runtime: Runtime,
    *,
    state: JobState | None = None,
    collection: str | None = None,
    since: float | None = None,
    limit: int = 100,
) -> JobList:
    """Jobs that were asked for, `since` in seconds since 1970; raises NotFound for a collection that there is not.

    Who reads some access levels only is told of those that worked on documents that they see, and counts these.
    """

    def find(connection: Connection) -> JobList:
        known = get_collection(connection, collection).id if collection else None
        wanted = jobs.JobFilter(state, known, since)
        if (reaches := reaches_of(runtime.principal, connection)) is not None:
            seen = jobs.list_jobs(connection, limit=limit, wanted=replace(wanted, seen=has_seen_work(reaches)))
            return JobList(_summarise_seen(connection, seen, reaches))
        found = jobs.list_jobs(connection, limit=limit, wanted=wanted)
        staffing, now = read_staffing(runtime, connection, found), read_clock(connection)
        progress = tallies.measure_each(connection, found)
        return JobList([_summarise(job, progress[job.id], staffing, now=now) for job in found])

    return runtime.database.query(find)


@serves("jobs.show", Right.READ, in_job(), filters=True, trace=Trace.NOTHING)
def explain_job(runtime: Runtime, job_id: int) -> JobExplanation:
    """A job with what its work waits for, and why, if the caller reads every level; raises NotFound."""

    def look(connection: Connection) -> JobExplanation:
        job = jobs.get_job(connection, job_id)
        if (reaches := reaches_of(runtime.principal, connection)) is not None:
            return JobExplanation(**_fields_of(_report_seen(connection, job, reaches)), **_UNTOLD)
        progress, staffing = tallies.measure_progress(connection, job), read_staffing(runtime, connection, [job])
        pace, waiting = measure_pace(connection, job, progress, staffing), waits.list_waiting(connection, job)
        return JobExplanation(
            **_fields_of(_report(connection, job, progress, staffing)),
            waiting=[Waiting(**row) for row in waiting],
            bulk=_describe_lane(runtime, connection, job),
            rate=pace.rate,
            seconds_left=pace.seconds_left,
            hindrances=find_hindrances(job, progress, staffing, waiting),
            queues_without_consumer=_find_unserved(progress, staffing),
            circuits=[],
        )

    found = runtime.database.query(look)
    if _waits_for_messages(runtime, found):
        found = replace(found, hindrances=[*_find_broker_trouble(runtime, found), *found.hindrances])
    is_refused = any(row.reason == WaitReason.CIRCUIT for row in found.waiting)
    return replace(found, circuits=_list_circuits(runtime)) if is_refused else found


@serves("jobs.waiting", Right.READ, in_job(), trace=Trace.NOTHING, whole=WHOLE_JOBS)
def list_waiting(runtime: Runtime, job_id: int, *, limit: int = 100, after: int = 0) -> WaitingDocuments:
    """A job's unfinished documents after a piece of work, one by one; raises NotFound."""
    rows = runtime.database.query(lambda c: waits.list_waiting_documents(c, job_id, limit=limit, after=after))
    return WaitingDocuments(job_id, [WaitingDocument(**row) for row in rows])


@serves("jobs.dead", Right.OPERATE, in_job(), trace=Trace.NOTHING)
def list_dead(runtime: Runtime, job_id: int, *, limit: int) -> list[DeadDocument]:
    """The first documents of a job that died."""
    letters = runtime.database.query(lambda connection: list_letters(connection, LetterFilter(job=job_id), limit=limit))
    names = [f.name for f in fields(DeadDocument)]
    return [DeadDocument(**{name: getattr(letter, name) for name in names}) for letter in letters]


def _report(connection: Connection, job: Job, progress: tallies.Progress, staffing: Staffing) -> JobReport:
    notes = scan_notes.list_notes(connection, job.id, limit=REPORTED_NOTES)
    return JobReport(
        **_fields_of(_summarise(job, progress, staffing, now=job.finished_at or read_clock(connection))),
        notes=notes,
        reasons=scan_notes.count_notes(connection, job.id, limit=REPORTED_REASONS) if notes else [],
        # What had died before was skipped.
        dead_before=count_dead_before(connection, job.id) if job.skipped else DeadBefore(),
        redactions=sum_redactions(connection, job.id),
    )


_UNTOLD: dict[str, Any] = {
    "waiting": [],
    "bulk": None,
    "rate": 0.0,
    "seconds_left": None,
    "hindrances": [],
    "queues_without_consumer": [],
    "circuits": [],
}
"""Of a job that is seen in part."""


def _summarise_seen(connection: Connection, found: Sequence[Job], reaches: Mapping[int, Reach]) -> list[JobSummary]:
    now = read_clock(connection)
    return [
        _summarise(job, progress, NOBODY_SERVES, now=now) for job, progress in measure_seen(connection, found, reaches)
    ]


def _report_seen(connection: Connection, job: Job, reaches: Mapping[int, Reach]) -> JobReport:
    """A job by the documents that somebody sees; raises NotFound where there are none."""
    seen = _summarise_seen(connection, [job], reaches)
    if not seen:
        raise no_job(job.id)
    return JobReport(**_fields_of(seen[0]), notes=[], reasons=[], dead_before=DeadBefore(), redactions={})


def _fields_of(found: JobSummary) -> dict[str, Any]:
    return {f.name: getattr(found, f.name) for f in fields(found)}


def _summarise(job: Job, progress: tallies.Progress, staffing: Staffing, *, now: float) -> JobSummary:
    sources = [str(spec["uri"]) for spec in job.sources]
    return JobSummary(
        job=job.id,
        id=job.id,
        name=job.name,
        collection=job.collection,
        source=", ".join(sources) or next((why for key, why in WITHOUT_SOURCE.items() if key in job.options), ""),
        sources=sources,
        state=job.state,
        activity=name_activity(job, progress, staffing),
        created=moment(job.created_at),
        priority=job.priority,
        weight=job.weight,
        lane=job.lane,
        documents=DocumentCounts(**progress.documents),
        chunks=ChunkCounts(**progress.chunks),
        spend=JobSpend(**progress.spend),  # type: ignore[arg-type]  # tokens are whole
        estimate=job.options.get("estimate"),
        seconds=round(max(0.0, (job.finished_at or now) - job.created_at), 3),
        active=progress.active,
        problems=job.problems,
        noted=progress.noted,
        held_deletions=job.held_deletions,
        error=job.error,
    )


def measure_cost(runtime: Runtime, numbers: Sequence[int]) -> tuple[int, JobSpend]:
    """How many chunks these jobs embedded anew, and what they spent."""
    found = [describe_job(runtime, number) for number in numbers]
    spend = JobSpend(
        usd=sum(job.spend.usd for job in found),
        tokens_in=sum(job.spend.tokens_in for job in found),
        tokens_out=sum(job.spend.tokens_out for job in found),
    )
    return sum(job.chunks.embedded for job in found), spend


def _find_unserved(progress: tallies.Progress, staffing: Staffing) -> list[UnservedQueue]:
    return [
        UnservedQueue(stage, sum(states.values()), name_command(stage, staffing))
        for stage, states in progress.active.items()
        if stage not in staffing.served
    ]


def _waits_for_messages(runtime: Runtime, found: JobExplanation) -> bool:
    """Whether all that is left lies in queues that are served, at a broker that may be away."""
    is_remote = not runtime.settings.broker_url.startswith("embedded:")
    is_queued = bool(found.waiting) and all(row.reason == "queue" for row in found.waiting)
    return is_remote and is_queued and found.activity == WORKING


def _find_broker_trouble(runtime: Runtime, found: JobExplanation) -> Iterator[Hindrance]:
    from embedmill.workers.brokers.table import open_broker

    try:
        with closing(open_broker(runtime.settings)) as broker:
            broker.depth()
    except EmbedmillError as error:
        left = sum(row.documents for row in found.waiting)
        yield Hindrance("broker", None, left, f"{error}; the work goes on when it is back", "embedmill doctor")


def _list_circuits(runtime: Runtime) -> list[OpenCircuit]:
    """The circuits that are not closed; none when those who know cannot be asked."""
    try:
        return [OpenCircuit(**circuit) for circuit in runtime.spender.list_circuits()]
    except FlowControl:
        return []


def _describe_lane(runtime: Runtime, connection: Connection, job: Job) -> BatchLane | None:
    """What a job has in the batch lane; None when it never was there."""
    batches = bulk_batches.list_batches(connection, job_id=job.id)
    if job.lane is Lane.LIVE and not batches:
        return None
    from embedmill.console.services.lanes import find_obstacles

    obstacles = find_obstacles(runtime, get_collection_by_id(connection, job.collection_id))
    return BatchLane(
        live={stage: why for stage, why in obstacles.items() if why is not None},
        entries=bulk_items.count_items(connection, job_id=job.id),
        batches=[describe_batch(batch) for batch in batches],
    )
