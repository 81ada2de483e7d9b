"""Jobs: created and taken up, found, hurried, paused, resumed, cancelled and completed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    and_,
    delete,
    func,
    or_,
    select,
    update,
)

from embedmill.shared.db.clock import clock
from embedmill.shared.db.engine import glance
from embedmill.shared.db.schema import collection, job, scan_note, tally, work
from embedmill.shared.db.transitions import begin_job, lock_jobs, move_held_jobs, move_jobs, move_work, no_job
from embedmill.shared.encoding import is_storable
from embedmill.shared.errors import IllegalTransition, ScanStopped, UsageError, UserError
from embedmill.shared.ledger import Lane
from embedmill.shared.states import FINAL, JobState, State, WaitReason

RE_ENCRYPTION = "re-encryption"
"""Identity and option of a job that writes all of a collection anew, under another key."""
UNFINISHED = tuple(state for state in State if state not in FINAL)


@dataclass(frozen=True, slots=True)
class Job:
    """One submission."""

    id: int
    name: str | None
    collection_id: int
    collection: str
    state: JobState
    sources: Sequence[Mapping[str, Any]]
    options: Mapping[str, Any]
    weight: int
    priority: int
    lane: Lane
    unchanged: int
    skipped: int
    problems: int
    unmet: int
    held_deletions: int
    error: str | None
    created_at: float
    resumed_at: float | None
    enumerated_at: float | None
    finished_at: float | None

    @property
    def is_read(self) -> bool:
        """Whether its sources were read to their end."""
        return self.enumerated_at is not None

    @property
    def rewriting(self) -> "Rewriting | None":
        """How far a re-encryption is; None of any other job."""
        found = self.options.get(RE_ENCRYPTION)
        return None if found is None else Rewriting(**found)


@dataclass(frozen=True, slots=True)
class Rewriting:
    """How many of a collection's documents are written anew, whether open to read, and which process does it."""

    documents: int
    of: int
    decrypts: bool
    process: str


def _select() -> Any:
    fields = [f for f in Job.__dataclass_fields__ if f != "collection"]
    return select(*(job.c[f] for f in fields), collection.c.name.label("collection")).join_from(job, collection)


def _row(row: Any) -> Job:
    return Job(**{**row._mapping, "state": JobState(row.state), "lane": Lane(row.lane)})


def create_job(
    connection: Connection,
    *,
    collection_id: int,
    identity: str,
    sources: Sequence[Mapping[str, Any]],
    options: Mapping[str, Any],
    name: str | None = None,
) -> int:
    """Record a submission in state `running`; raises IllegalTransition while another of its identity is open."""
    found = open_job(
        connection, collection_id=collection_id, identity=identity, sources=sources, options=options, name=name
    )
    if not found.is_new:
        raise IllegalTransition(f"job {found.id} of the same identity is open")
    return found.id


@dataclass(frozen=True, slots=True)
class OpenJob:
    """The one open job of a submission."""

    id: int
    state: JobState
    is_new: bool


def open_job(
    connection: Connection,
    *,
    collection_id: int,
    identity: str,
    sources: Sequence[Mapping[str, Any]],
    options: Mapping[str, Any],
    name: str | None = None,
) -> OpenJob:
    """The unfinished job of the same sources into the same collection, or a new one; its row is held.

    The index on open identities decides, so that two hosts which submit the same at the same moment get one job.
    """
    is_open = and_(job.c.collection_id == collection_id, job.c.identity == identity, job.c.finished_at.is_(None))
    find = select(job.c.id, job.c.state).where(is_open).with_for_update(key_share=True)
    wanted = {
        "name": name,
        "collection_id": collection_id,
        "identity": identity,
        "sources": list(sources),
        "options": dict(options),
    }
    # The one that was there a moment ago may have ended meanwhile.
    while True:
        if (row := connection.execute(find).first()) is not None:
            return OpenJob(row.id, JobState(row.state), is_new=False)
        if (made := begin_job(connection, wanted)) is not None:
            return OpenJob(made, JobState.RUNNING, is_new=True)


def open_rewriting(connection: Connection, collection_id: int, rewriting: Rewriting) -> int:
    """The open job of a collection's re-encryption, begun or taken up; raises UserError for one that is paused."""
    options = {RE_ENCRYPTION: asdict(rewriting)}
    found = open_job(connection, collection_id=collection_id, identity=RE_ENCRYPTION, sources=[], options=options)
    if found.state is JobState.PAUSED:
        raise UserError(f"job {found.id} is paused", hint=f"embedmill jobs resume {found.id}")
    connection.execute(update(job).where(job.c.id == found.id).values(options=options, resumed_at=clock()))
    return found.id


def note_rewritten(connection: Connection, job_id: int, rewriting: Rewriting) -> None:
    """Say how far a re-encryption is; raises ScanStopped for one that was paused or cancelled."""
    require_running(connection, job_id)
    connection.execute(update(job).where(job.c.id == job_id).values(options={RE_ENCRYPTION: asdict(rewriting)}))


def end_rewriting(connection: Connection, job_id: int) -> None:
    """Nothing of it is left to do; raises ScanStopped for one that was paused or cancelled."""
    require_running(connection, job_id)
    end_enumeration(connection, job_id, held_deletions=0)
    move_jobs(connection, [job_id], JobState.COMPLETED)


def get_job(connection: Connection, job_id: int) -> Job:
    """The job by its number; raises NotFound."""
    row = connection.execute(_select().where(job.c.id == job_id)).first()
    if row is None:
        raise no_job(job_id)
    return _row(row)


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs are wanted; `since` is a time by the database's clock, in seconds."""

    state: JobState | None = None
    collection_id: int | None = None
    since: float | None = None
    only_open: bool = False
    seen: Any = None
    """What else a job has to meet: to be of documents that somebody sees."""

    def conditions(self) -> list[Any]:
        """What a job's row has to meet."""
        wanted = {job.c.state: self.state, job.c.collection_id: self.collection_id}
        found = [column == value for column, value in wanted.items() if value is not None]
        if self.since is not None:
            found.append(job.c.created_at >= self.since)
        if self.seen is not None:
            found.append(self.seen)
        return [*found, job.c.finished_at.is_(None)] if self.only_open else found


EVERY_JOB = JobFilter()


def list_jobs(connection: Connection, *, limit: int = 100, wanted: JobFilter = EVERY_JOB) -> list[Job]:
    """Jobs, newest first."""
    query = _select().where(*wanted.conditions()).order_by(job.c.id.desc()).limit(limit)
    return [_row(row) for row in connection.execute(query)]


# Least and most, for a job.
PRIORITIES, WEIGHTS = (-100, 100), (1, 100)


def check_service(
    *, priority: int | None = None, weight: int | None = None, lane: Lane | None = None, name: str | None = None
) -> None:
    """Raise UsageError for what no job can have, before there is one."""
    for told, value, (least, most) in (("priority", priority, PRIORITIES), ("weight", weight, WEIGHTS)):
        if value is not None and not least <= value <= most:
            raise UsageError(f"a {told} of {value}: choose from {least} to {most}")
    if lane is not None and lane not in tuple(Lane):
        raise UsageError(f"there is no lane {lane!r}: choose from {', '.join(Lane)}")
    if name is not None and not is_storable(name):
        raise UsageError(f"{name!a} is no name for a job: it holds a NUL character, or is no valid Unicode")


def update_job(
    connection: Connection,
    job_id: int,
    *,
    priority: int | None = None,
    weight: int | None = None,
    lane: Lane | None = None,
    name: str | None = None,
) -> None:
    """Change how urgent an unfinished job is, its name, and the lane of its calls; raises NotFound, UserError.

    What is out already is not called back; what a job left in the batch lane is, by the batcher.
    """
    check_service(priority=priority, weight=weight, lane=lane, name=name)
    found = get_job(connection, job_id)
    if found.finished_at is not None:
        raise UserError(f"job {job_id} is {found.state}: there is nothing to hurry", hint="embedmill jobs list")
    chosen = {"priority": priority, "weight": weight, "lane": lane, "name": name}
    values = {column: value for column, value in chosen.items() if value is not None}
    if values:
        connection.execute(update(job).where(job.c.id == job_id).values(values))


def require_running(connection: Connection, job_id: int) -> None:
    """Hold a job that runs until the transaction ends; raises ScanStopped for one that was paused or has ended."""
    held = select(job.c.state).where(job.c.id == job_id).with_for_update(key_share=True)
    state = connection.execute(held).scalar()
    if state != JobState.RUNNING:
        raise ScanStopped(f"job {job_id} is {state or 'deleted'}: it takes on nothing more")


def begin_enumeration(connection: Connection, job_id: int, *, goes_on: bool = False) -> None:
    """Start counting a scan from nothing, also when an earlier one was cut short; `goes_on` from one that ended."""
    if not (goes_on and _is_enumerated(connection, job_id)):
        connection.execute(delete(scan_note).where(scan_note.c.job_id == job_id))
        nothing = {"unchanged": 0, "skipped": 0, "problems": 0, "unmet": 0, "held_deletions": 0}
        connection.execute(update(job).where(job.c.id == job_id).values(nothing))
    connection.execute(update(job).where(job.c.id == job_id).values(enumerated_at=None))


def _is_enumerated(connection: Connection, job_id: int) -> bool:
    return connection.execute(select(job.c.enumerated_at).where(job.c.id == job_id)).scalar() is not None


def end_enumeration(connection: Connection, job_id: int, *, held_deletions: int) -> None:
    """The scan is through; from now on the job ends when its work does."""
    connection.execute(
        update(job).where(job.c.id == job_id).values(enumerated_at=clock(), held_deletions=held_deletions)
    )


def pause_job(connection: Connection, job_id: int) -> None:
    """Stop sending a job's work; what runs is finished."""
    move_jobs(connection, [job_id], JobState.PAUSED)
    held = move_work(State.WAITING, of=[State.PENDING, State.QUEUED], wait_reason=WaitReason.PAUSED)
    connection.execute(held.where(work.c.job_id == job_id))


def resume_job(connection: Connection, job_id: int) -> None:
    """Let a paused job go on; what waits for a rate, a budget or a circuit waits on."""
    held = lock_jobs(connection, [job_id])
    if job_id not in held:
        raise no_job(job_id)
    if held[job_id] is not JobState.PAUSED:
        raise IllegalTransition(f"a job cannot go from {held[job_id]} to running again: it is not paused")
    move_held_jobs(connection, held, JobState.RUNNING)
    connection.execute(update(job).where(job.c.id == job_id).values(resumed_at=clock()))
    released = move_work(State.PENDING, of=[State.QUEUED, State.WAITING])
    kept = work.c.wait_reason.in_((WaitReason.PAUSED, WaitReason.RETRY))
    connection.execute(released.where(work.c.job_id == job_id, or_(work.c.wait_reason.is_(None), kept)))


def cancel_job(connection: Connection, job_id: int) -> None:
    """End a job: what waits is cancelled now, what runs is cancelled when its stage ends."""
    move_jobs(connection, [job_id], JobState.CANCELLED)
    ended = move_work(State.CANCELLED, of=[State.PENDING, State.QUEUED, State.WAITING], reason="the job was cancelled")
    connection.execute(ended.where(work.c.job_id == job_id))


def select_completable() -> Select[int]:
    """Running jobs whose scan and work have ended."""
    running = and_(job.c.state == JobState.RUNNING, job.c.finished_at.is_(None))
    return select(job.c.id).where(running, job.c.enumerated_at.is_not(None), _count_unfinished(job.c.id) == 0)


def _count_unfinished(job_id: Any) -> Any:
    counted = func.coalesce(func.sum(tally.c.documents), 0)
    return select(counted).where(tally.c.job_id == job_id, tally.c.state.in_(UNFINISHED)).scalar_subquery()


def find_completable(connection: Connection, *, among: Iterable[int] | None = None) -> list[int]:
    """Running jobs, all or some, whose scan and work have ended."""
    query = select_completable()
    if among is not None:
        query = query.where(job.c.id.in_(list(among)))
    return list(connection.execute(query).scalars())


@cache
def _completable_in_file() -> str:
    from sqlalchemy.dialects import sqlite

    return str(select_completable().limit(1).compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))


def may_complete(connection: Connection) -> bool:
    """Whether there is one to complete in a file, for the price of a glance."""
    return bool(glance(connection, _completable_in_file()))


def complete_jobs(connection: Connection) -> list[int]:
    """Complete every running job whose scan and work have ended; returns them."""
    held = lock_jobs(connection, select_completable())
    if not held:
        return []
    # Looked at again once they are held: until then a replay may have opened work in them, where several write at once.
    ended = find_completable(connection, among=held) if connection.dialect.name == "postgresql" else list(held)
    move_held_jobs(connection, {id_: held[id_] for id_ in ended}, JobState.COMPLETED)
    return ended
