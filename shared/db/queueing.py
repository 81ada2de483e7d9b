"""Work that is to be sent: what is ready, what has a message out, what goes back to the dispatcher."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    func,
    or_,
    select,
)

from embedmill.shared.db.clock import clock
from embedmill.shared.db.pools import is_served
from embedmill.shared.db.presence import find_losses
from embedmill.shared.db.schema import in_state, job, work
from embedmill.shared.db.transitions import move_chosen, move_work
from embedmill.shared.errors import LONGEST_WAIT_SECONDS
from embedmill.shared.states import JobState, State, WaitReason

# What others may ask us to wait for, as by Retry-After; our own pauses are shorter.
TOLD_TO_WAIT = (WaitReason.RATE, WaitReason.BUDGET, WaitReason.CIRCUIT)
LONGEST_PAUSE_SECONDS = 3600.0
# A message cannot have been sent later than this from now, by the same clock.
SKEW_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Ready:
    """A piece of work that was just marked as queued and whose message may leave after the commit.

    `company` is said of a suspect: how many may be in its message, itself included (decision 0083).
    """

    id: int
    stage: str
    size: int
    company: int | None = None


def count_queued(connection: Connection) -> int:
    """Work with a message out or in the hands of a worker."""
    counts = [
        select(func.count()).select_from(work).where(in_state(state)).scalar_subquery()
        for state in (State.QUEUED, State.RUNNING)
    ]
    return int(connection.execute(select(counts[0] + counts[1])).scalar_one())


def find_queued_stages(connection: Connection) -> set[str]:
    """Stages that have work with a message out."""
    query = select(work.c.stage).where(in_state(State.QUEUED)).distinct()
    return set(connection.execute(query).scalars())


def queue_ready(connection: Connection, job_id: int, *, limit: int) -> list[Ready]:
    """Mark up to `limit` pieces of a job as queued: those whose wait is over, then pending ones, oldest first."""
    ready = _queue(connection, State.WAITING, _select_due(job_id).limit(limit))
    if len(ready) < limit:
        ready += _queue(connection, State.PENDING, _select_pending(job_id).limit(limit - len(ready)))
    return sorted(ready, key=lambda r: r.id)


# Work that was never claimed has been in no company.
_COMPANY = case((work.c.crashes > 0, func.coalesce(work.c.claimed_with, 1)))


def _queue(connection: Connection, start: State, chosen: Select[int]) -> list[Ready]:
    query = move_chosen(State.QUEUED, of=start, chosen=chosen)
    rows = connection.execute(query.returning(work.c.id, work.c.stage, work.c.size, _COMPANY))
    return [Ready(*row) for row in rows]


def count_ready(connection: Connection, job_id: int, *, limit: int) -> int:
    """Pending and due work of a job, counted up to `limit`."""
    counts = [
        select(func.count()).select_from(chosen.limit(limit).subquery()).scalar_subquery()
        for chosen in (_select_pending(job_id), _select_due(job_id))
    ]
    return min(limit, int(connection.execute(select(counts[0] + counts[1])).scalar_one()))


def select_jobs_with_ready() -> Select[int]:
    """Jobs that may run and have pending or due work."""
    may_run = and_(job.c.finished_at.is_(None), job.c.state == JobState.RUNNING)
    # The first of each, in the order of its index: of an EXISTS Postgres forgets both, and may read the whole table.
    firsts = [chosen.limit(1).scalar_subquery() for chosen in (_select_pending(job.c.id), _select_due(job.c.id))]
    return select(job.c.id).where(may_run, or_(*(first.is_not(None) for first in firsts)))


def _select_pending(job_id: int | ColumnElement[int]) -> Select[int]:
    pending = and_(work.c.job_id == job_id, in_state(State.PENDING))
    return select(work.c.id).where(pending, is_served(work.c.stage)).order_by(work.c.id)


def _select_due(job_id: int | ColumnElement[int]) -> Select[int]:
    now = clock()
    # A due time further away than this was set by a clock that has since been put back.
    most = case((work.c.wait_reason.in_(TOLD_TO_WAIT), LONGEST_WAIT_SECONDS), else_=LONGEST_PAUSE_SECONDS)
    longest = most + func.coalesce(work.c.paced_seconds, 0.0)
    due = or_(work.c.available_at <= now, work.c.available_at > now + longest)
    waits = and_(work.c.job_id == job_id, in_state(State.WAITING), work.c.wait_reason != WaitReason.PAUSED)
    return select(work.c.id).where(waits, due, is_served(work.c.stage)).order_by(work.c.available_at)


def is_retrial_due(connection: Connection, job_id: int, stage: str, *, within_seconds: float) -> bool:
    """Whether work of a job for which its provider failed before comes back to a stage so soon."""
    comes = and_(work.c.failing_since.is_not(None), work.c.available_at <= clock() + within_seconds)
    waits = and_(work.c.job_id == job_id, in_state(State.WAITING), work.c.stage == stage)
    return connection.execute(select(work.c.id).where(waits, comes).limit(1)).first() is not None


_TAKE_BACK = move_work(State.PENDING, of=[State.QUEUED])


def requeue_lost(connection: Connection, *, after_seconds: Mapping[str, float]) -> int:
    """Give queued work whose message must be lost back to the dispatcher, by stage; returns how many."""
    ages = case(after_seconds, value=work.c.stage)
    is_old = or_(work.c.dispatched_at <= clock() - ages, work.c.dispatched_at > clock() + SKEW_SECONDS)
    return connection.execute(_TAKE_BACK.where(work.c.stage.in_(list(after_seconds)), is_old)).rowcount


def requeue_fetched(connection: Connection, *, older_than_seconds: float, reach_seconds: float = 0.0) -> int:
    """Give back queued work whose message a worker may have had that was lost so long ago; returns how many.

    `reach_seconds` is how long after its end a worker may still be handed messages. What only waits in a queue is sent
    a second time with the others, which the claim does not mind. What was sent later is let be, so this has an end.
    """
    long_ago = clock() - older_than_seconds
    lost = find_losses(connection, ended_until=long_ago)
    if not lost:
        return 0
    were_there = (and_(work.c.stage == stage, work.c.dispatched_at <= at + reach_seconds) for stage, at in lost.items())
    return connection.execute(_TAKE_BACK.where(or_(*were_there), work.c.dispatched_at <= long_ago)).rowcount


def requeue_all(connection: Connection) -> int:
    """Give all queued work back to the dispatcher, when every message is known to be gone; returns how many."""
    return connection.execute(_TAKE_BACK).rowcount


def put_back(connection: Connection, stage: str, ids: Sequence[int]) -> int:
    """Give work whose message is in hand, and was not claimed, back to the dispatcher; returns how many."""
    query = _TAKE_BACK.where(work.c.id.in_(list(ids)), work.c.stage == stage)
    return connection.execute(query).rowcount


@dataclass(frozen=True, slots=True)
class Dispatchable:
    """A job that may run: `out` is in the hands of a worker, or has a message out to a queue that is to be served."""

    id: int
    priority: int
    weight: int
    enumerated: bool
    out: int


def list_dispatchable(connection: Connection) -> list[Dispatchable]:
    """Every job that may run, the most urgent first.

    What lies in a paused queue, or in one that was scaled to nothing, takes no room from the stages before it.
    """
    is_sent = work.c.state.in_((State.QUEUED, State.RUNNING))
    is_out = or_(work.c.state == State.RUNNING, is_served(work.c.stage))
    out = select(func.count()).select_from(work).where(work.c.job_id == job.c.id, is_sent, is_out).scalar_subquery()
    query = select(job.c.id, job.c.priority, job.c.weight, job.c.enumerated_at, out.label("out")).where(
        job.c.finished_at.is_(None), job.c.state == JobState.RUNNING
    )
    rows = connection.execute(query.order_by(job.c.priority.desc(), job.c.id))
    return [Dispatchable(r.id, r.priority, r.weight, r.enumerated_at is not None, r.out) for r in rows]
