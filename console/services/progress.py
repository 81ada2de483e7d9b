"""What a job is doing at this moment, how quickly, and what would get it going again: the same for every command."""

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from embedmill.console.listening import Listener, Notice
from embedmill.shared import stages
from embedmill.shared.db import jobs, pools, presence, tallies, waits
from embedmill.shared.db.engine import Connection
from embedmill.shared.durations import format_duration
from embedmill.shared.presence import is_gone
from embedmill.shared.runtime import Runtime
from embedmill.shared.states import JobState, State, WaitReason, WorkerState

FINAL = (JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED)
RE_ENCRYPTING, CUT_SHORT = "re-encrypting", "cut short"
WORKING, SCANNING, FOR_WORKERS, FOR_CHORES = "working", "scanning", "waiting for workers", "waiting for chores"
# Workers that will take no more work.
_NOT_SERVING = (WorkerState.DRAINING, WorkerState.LOST)
_READY = (State.PENDING, State.QUEUED)
WAITING: Mapping[str, str] = {
    WaitReason.BUDGET: "waiting for money",
    WaitReason.KEY: "waiting for a key",
    WaitReason.CIRCUIT: "waiting for a provider",
    WaitReason.BULK: "waiting for a batch",
    WaitReason.PAUSED: "paused",
    WaitReason.RATE: "waiting for its turn",
    WaitReason.RETRY: "waiting to try again",
}
# What ends by itself within a while, so that a rate still tells something.
_PASSING = frozenset({WORKING, SCANNING, RE_ENCRYPTING, WAITING[WaitReason.RATE], WAITING[WaitReason.RETRY]})
QUIET = 0.4
"""Of the time after which a worker counts as lost; it says that it is there three times as often at least."""
TELLING = 10
"""So many documents have to be done before a rate says when the rest will be."""


NO_CHORES = "nobody runs the chores, so that no work is handed out and no job ends"
START_CHORES = "embedmill workers start --only-chores"
START_WORKERS = "embedmill workers start"
LIST = "embedmill workers list"
STARTS = "; a supervisor is there, which starts others"


@dataclass(frozen=True, slots=True)
class Staffing:
    """Queues that a live worker serves, those that operators paused or scaled to 0, and whether work is handed out."""

    served: frozenset[str]
    paused: frozenset[str]
    scaled: frozenset[str]
    has_chores: bool = True
    """Whether somebody does the chores, or nobody for a short time only."""
    rewriter: str | None = None
    """The process that writes stored objects anew, if one does."""
    left: frozenset[int] = frozenset()
    """Jobs whose sources somebody began to read, and nobody reads any more."""
    last_sign: float | None = None
    """Seconds since any worker was heard of, also of those that are lost and not forgotten yet; None for never."""
    counts_as_lost: float = 0.0
    """Seconds of silence after which a worker counts as lost."""
    find_supervised: Callable[[], frozenset[str]] = frozenset
    """The queues for which somebody is there who starts workers; asked where there are none."""

    @property
    def is_quiet(self) -> bool:
        """Whether workers count as alive that have all missed more than one of their signs of life."""
        return bool(self.served) and self.last_sign is not None and self.last_sign > QUIET * self.counts_as_lost

    def moves(self, queue: str) -> bool:
        """Whether work of a queue is taken up by somebody."""
        return queue in self.served and queue not in self.paused | self.scaled


NOBODY_SERVES = Staffing(frozenset(), frozenset(), frozenset())


def read_staffing(runtime: Runtime, connection: Connection, of: Iterable[jobs.Job] = ()) -> Staffing:
    """Who serves the queues now, and who does what some jobs ask of no queue."""
    silent = runtime.settings.silent_seconds
    known = presence.list_workers(connection, include_stopped=True)
    alive = [
        row
        for row in known
        if row["stopped_at"] is None
        and row["age"] < silent
        and row["state"] not in _NOT_SERVING
        and not is_gone(runtime.run_folder, row["id"])
    ]
    waited = max((row["age"] + row["heartbeat_at"] - row["started_at"] for row in alive), default=0.0)
    wanted = pools.read_pools(connection).values()
    return Staffing(
        served=frozenset(queue for row in alive for queue in row["queues"]),
        paused=frozenset(pool.queue for pool in wanted if pool.paused),
        scaled=frozenset(pool.queue for pool in wanted if pool.desired == 0),
        # Workers come before chores do when a fleet is started.
        has_chores=waited < silent or presence.were_chores_done(connection, seconds=silent),
        rewriter=find_rewriter(runtime, connection)
        if any(job.rewriting is not None and job.finished_at is None for job in of)
        else None,
        left=_find_left(runtime, connection, of),
        last_sign=min((row["age"] for row in known), default=None),
        counts_as_lost=silent,
        find_supervised=partial(_find_supervised, runtime, connection),
    )


def _find_left(runtime: Runtime, connection: Connection, of: Iterable[jobs.Job]) -> frozenset[int]:
    unread = {presence.name_reading(job.id): job.id for job in of if job.enumerated_at is None and not job.finished_at}
    holders = presence.find_last_holders(connection, list(unread)) if unread else {}
    return frozenset(
        unread[name] for name, (holder, holds) in holders.items() if not holds or is_gone(runtime.run_folder, holder)
    )


def _find_supervised(runtime: Runtime, connection: Connection) -> frozenset[str]:
    rows = presence.list_supervisors(connection, silent_seconds=runtime.settings.silent_seconds)
    live = [row for row in rows if not is_gone(runtime.run_folder, row["id"])]
    return frozenset(queue for row in live for pool in row["pools"] for queue in pool["queues"])


def find_rewriter(runtime: Runtime, connection: Connection) -> str | None:
    """The process that writes stored objects anew now."""
    holder = presence.find_chore_holder(connection, presence.REWRITING)
    return None if holder is None or is_gone(runtime.run_folder, holder) else holder


def name_activity(job: jobs.Job, progress: tallies.Progress, staffing: Staffing) -> str:
    """What a job does: a final state, `paused`, `scanning`, `working`, or what all of its work waits for."""
    if job.state in FINAL or job.state is JobState.PAUSED:
        return str(job.state)
    if job.rewriting is not None:
        return RE_ENCRYPTING if job.rewriting.process == staffing.rewriter else CUT_SHORT
    active = progress.active
    if any(State.RUNNING in states for states in active.values()):
        return WORKING
    ready = [stage for stage, states in active.items() if any(state in states for state in _READY)]
    if served := [stage for stage in ready if staffing.moves(stage)]:
        is_taken = staffing.has_chores or any(State.QUEUED in active[stage] for stage in served)
        return WORKING if is_taken else FOR_CHORES
    if ready:
        return FOR_WORKERS
    if progress.waiting:
        return _name_wait(progress, staffing)
    if job.enumerated_at is None:
        return CUT_SHORT if job.id in staffing.left else SCANNING
    return WORKING if staffing.has_chores else FOR_CHORES


def _name_wait(progress: tallies.Progress, staffing: Staffing) -> str:
    """By the reason that most of it waits for; nobody's turn comes where there are no workers."""
    most = max(progress.waiting, key=lambda reason: progress.waiting[reason])
    passes = WAITING[most] in _PASSING
    if not passes:
        return WAITING[most]
    if not any(map(staffing.moves, progress.active)):
        return FOR_WORKERS
    return WAITING[most] if staffing.has_chores else FOR_CHORES


@dataclass(frozen=True, slots=True)
class Pace:
    """What a job does, documents a second over the last minute, and the seconds left.

    None where that cannot be told: too little is done, some waits nobody knows how long, or nothing moves.
    """

    activity: str
    rate: float
    seconds_left: float | None


def measure_pace(connection: Connection, job: jobs.Job, progress: tallies.Progress, staffing: Staffing) -> Pace:
    """A job's pace now."""
    activity = name_activity(job, progress, staffing)
    rate = tallies.measure_rate(connection, job) if activity in _PASSING else 0.0
    left = sum(sum(states.values()) for states in progress.active.values())
    moves = staffing.has_chores and all(WAITING[reason] in _PASSING for reason in progress.waiting)
    if job.rewriting is not None:
        left, moves = job.rewriting.of - job.rewriting.documents, activity is RE_ENCRYPTING
    is_telling = rate > 0 and moves and progress.documents["completed"] >= TELLING
    return Pace(activity, round(rate, 3), round(left / rate, 1) if is_telling else None)


@dataclass(frozen=True, slots=True)
class DocumentCounts:
    """A job's documents by what became of them; what left is no part of the total."""

    total: int
    completed: int
    unchanged: int
    skipped: int
    deleted: int
    dead: int
    cancelled: int

    @property
    def ended(self) -> int:
        """Those about which nothing is left to do."""
        return self.completed + self.unchanged + self.skipped + self.dead + self.cancelled


@dataclass(frozen=True, slots=True)
class JobProgress:
    """Where a job stands: its documents, those that are not ended by stage, and how quickly it moves.

    While this process reads the job's sources, `scanned` says how many documents it has seen, and `expected` how many
    the sources had when they were read before, if they were.
    """

    job: int
    documents: DocumentCounts
    active: Mapping[str, int]
    pace: Pace
    scanned: int | None = None
    expected: int = 0


def scanning(job_id: int, seen: int, expected: int = 0) -> JobProgress:
    """The progress of a job whose sources are being read here."""
    counts, pace = DocumentCounts(seen, 0, 0, 0, 0, 0, 0), Pace(SCANNING, 0.0, None)
    return JobProgress(job_id, counts, {}, pace, scanned=seen, expected=expected)


def measure_job_progress(runtime: Runtime, job: jobs.Job, *, served: frozenset[str] = frozenset()) -> JobProgress:
    """Where a job stands; `served` are queues whose workers this process brings."""

    def look(connection: Connection) -> tuple[tallies.Progress, Pace]:
        progress, staffing = tallies.measure_progress(connection, job), read_staffing(runtime, connection, [job])
        staffing = replace(staffing, served=staffing.served | served)
        return progress, measure_pace(connection, job, progress, staffing)

    progress, pace = runtime.database.query(look)
    active = {stage: sum(states.values()) for stage, states in progress.active.items()}
    return JobProgress(job.id, DocumentCounts(**progress.documents), active, pace)


@dataclass(frozen=True, slots=True)
class Hindrance:
    """Why work of a stage does not move, in words, and the command that mends it."""

    reason: str
    stage: str | None
    documents: int
    says: str
    command: str


def find_hindrances(
    job: jobs.Job, progress: tallies.Progress, staffing: Staffing, waiting: Sequence[Mapping[str, Any]]
) -> list[Hindrance]:
    """Everything that keeps a job's work where it is; `waiting` are the rows of `list_waiting`."""
    if job.state in FINAL:
        return []
    if job.state is JobState.PAUSED:
        left = sum(sum(states.values()) for states in progress.active.values())
        return [Hindrance("paused", None, left, f"job {job.id} is paused", f"embedmill jobs resume {job.id}")]
    if job.rewriting is not None:
        return [] if job.rewriting.process == staffing.rewriter else [_tell_cut_short(job, job.rewriting)]
    unstaffed = [
        *_find_left_unread(job, staffing),
        *_find_chores(progress, staffing),
        *_find_quiet(progress, staffing),
        *_find_unserved(progress, staffing),
        *_find_crowded(progress, staffing),
    ]
    waits_for = list(_find_waits(job, waiting))
    # Workers alone would not get a job going of which nothing is ready.
    return [*unstaffed, *waits_for] if _is_any_ready(progress) else [*waits_for, *unstaffed]


def name_re_encryption(collection: str, *, decrypts: bool) -> str:
    """The command that writes what is left of a collection."""
    return f"embedmill keys re-encrypt {shlex.quote(collection)}" + (" --decrypt" if decrypts else "")


def _tell_cut_short(job: jobs.Job, rewriting: jobs.Rewriting) -> Hindrance:
    command = name_re_encryption(job.collection, decrypts=rewriting.decrypts)
    left = rewriting.of - rewriting.documents
    return Hindrance("cut_short", None, left, "the re-encryption was cut short, and this takes it up", command)


def _find_left_unread(job: jobs.Job, staffing: Staffing) -> Iterator[Hindrance]:
    if job.id in staffing.left and job.state is JobState.RUNNING:
        says = "its sources were read in part by a process that is gone; the same ingest or submit again takes it up"
        yield Hindrance("cut_short", None, 0, says, f"or end it: embedmill jobs cancel {job.id}")


def _is_any_ready(progress: tallies.Progress) -> bool:
    return any(state in states for states in progress.active.values() for state in (*_READY, State.RUNNING))


def tell_unstaffed(runtime: Runtime, job_ids: Iterable[int], listener: Listener) -> None:
    """Say what keeps these jobs from being taken up: no workers, no chores, or what operators stopped."""

    def find(connection: Connection) -> list[Hindrance]:
        found = [jobs.get_job(connection, id_) for id_ in job_ids]
        staffing = read_staffing(runtime, connection, found)
        return [
            hindrance
            for job in found
            for hindrance in find_hindrances(job, tallies.measure_progress(connection, job), staffing, [])
        ]

    for text in dict.fromkeys(f"{found.says}: {found.command}" for found in runtime.database.query(find)):
        listener.on_notice(Notice(text))


def _find_chores(progress: tallies.Progress, staffing: Staffing) -> Iterator[Hindrance]:
    if not staffing.has_chores:
        left = sum(sum(states.values()) for states in progress.active.values())
        yield Hindrance("chores", None, left, NO_CHORES, START_CHORES)


def name_command(queue: str, staffing: Staffing) -> str:
    """What gets a queue served that is not."""
    commands = _commands(queue, paused=queue in staffing.paused, scaled=queue in staffing.scaled)
    # Where there are no workers, those of one queue would leave the work waiting at the next.
    start = f"{START_WORKERS} --queue {queue}" if staffing.served else START_WORKERS
    return "; ".join(commands) or start


def _commands(queue: str, *, paused: bool, scaled: bool) -> list[str]:
    """What takes back what operators did to a queue."""
    resume = [f"embedmill workers resume {queue}"] if paused else []
    scale = f"embedmill workers scale {queue}"
    return resume + ([f"{scale} N, or {scale} --reset"] if scaled else [])


class WantedPool(Protocol):
    """What operators want of a queue."""

    @property
    def queue(self) -> str:
        """Its name."""

    @property
    def desired(self) -> int | None:
        """The slots that somebody wants for it, if anybody said so."""

    @property
    def paused(self) -> bool:
        """Whether it is paused."""


def say_standstill(wanted: Iterable[WantedPool]) -> Iterator[str]:
    """Of every queue that nobody works on because an operator wanted it so, maybe long ago: that, and what to do."""
    for pool in wanted:
        scaled = pool.desired == 0
        if commands := _commands(pool.queue, paused=pool.paused, scaled=scaled):
            yield f"the queue {pool.queue} is {_say_stopped(paused=pool.paused, scaled=scaled)}: {'; '.join(commands)}"


def _say_stopped(*, paused: bool, scaled: bool) -> str:
    return " and ".join(["paused"] * paused + ["scaled to 0"] * scaled)


def _find_unserved(progress: tallies.Progress, staffing: Staffing) -> Iterator[Hindrance]:
    without_workers = 0
    for stage, states in progress.active.items():
        # What waits for something else needs somebody to take it afterwards.
        left = sum(states.get(state, 0) for state in (*_READY, State.WAITING))
        if not left or staffing.moves(stage):
            continue
        paused, scaled = stage in staffing.paused, stage in staffing.scaled
        if paused or scaled:
            says = f"the queue {stage} is {_say_stopped(paused=paused, scaled=scaled)}"
            reason = "paused" if paused else waits.SCALED
        elif not staffing.served:
            without_workers += left
            continue
        else:
            is_supervised = stage in staffing.find_supervised()
            says = f"nobody serves the queue {stage}, where work waits{STARTS * is_supervised}"
            yield Hindrance("unserved", stage, left, says, LIST if is_supervised else name_command(stage, staffing))
            continue
        yield Hindrance(reason, stage, left, says, name_command(stage, staffing))
    if without_workers:
        is_supervised = bool(staffing.find_supervised())
        says = f"nobody serves any queue{_say_last_sign(staffing)}{STARTS * is_supervised}"
        yield Hindrance("unserved", None, without_workers, says, LIST if is_supervised else START_WORKERS)


def _say_last_sign(staffing: Staffing) -> str:
    ago = None if staffing.last_sign is None else format_duration(staffing.last_sign)
    return "" if ago is None else f"; a worker was last heard of {ago} ago"


def _find_quiet(progress: tallies.Progress, staffing: Staffing) -> Iterator[Hindrance]:
    if staffing.is_quiet and staffing.last_sign is not None:
        left = sum(sum(states.values()) for states in progress.active.values())
        ago, limit = map(format_duration, (staffing.last_sign, staffing.counts_as_lost))
        says = f"no worker was heard of for {ago}; after {limit} they count as lost, and others take their work"
        yield Hindrance("silent", None, left, says, LIST)


def _find_crowded(progress: tallies.Progress, staffing: Staffing) -> Iterator[Hindrance]:
    """A queue that nobody serves fills its job's share of what may be out, and the stages before it get none."""
    lost = [
        stage
        for stage, states in progress.active.items()
        if State.QUEUED in states and stage not in staffing.served | staffing.paused | staffing.scaled
    ]
    for stage, states in progress.active.items():
        later = [queue for queue in lost if stages.is_past(queue, stage)]
        if later and set(states) == {State.PENDING} and staffing.moves(stage):
            says = f"{stage} is held back: what lies in the queue {later[0]} takes all that the job may have out"
            yield Hindrance("crowded", stage, states[State.PENDING], says, name_command(later[0], staffing))


def _find_waits(job: jobs.Job, waiting: Sequence[Mapping[str, Any]]) -> Iterator[Hindrance]:
    for row in waiting:
        stage, documents, told = row["stage"], row["documents"], row["last_error"]
        because = f": {told}" if told else ""
        match row["reason"]:
            case WaitReason.BUDGET:
                says = f"{stage} waits for money{because or ': a budget is used up'}"
                command = "embedmill budget show; then raise it with embedmill budget set"
            case WaitReason.KEY:
                says = f"{stage} waits for a key{because}"
                command = "correct it, try it with embedmill doctor, and restart the workers that have the old one"
            case WaitReason.CIRCUIT:
                says = f"{stage} waits for a provider that fails for everybody{because}"
                command = "embedmill doctor shows whether it answers; the work goes on by itself"
            case WaitReason.BULK:
                says = f"{stage} waits for a vendor's batch, which may take a day{because}"
                command = f"embedmill bulk list; or embedmill jobs update {job.id} --lane live"
            case _:
                continue
        yield Hindrance(row["reason"], stage, documents, says, command)
