"""The one writer of the states of work and of jobs: each of its UPDATEs names the legal states in which it starts.

Whoever takes several locks takes those of jobs first, by number, then those of letters, then those of work. A job is
held alone (`lock_jobs`) to change its state, or to open ended work of it again, and so are its end and its cancelling:
neither overlooks what the other is about to commit. Whoever ends claimed work shares its job (`hold_with_jobs`), so
that nothing is left open in a job that is cancelled meanwhile. Counters of a job are nobody's lock.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Select, Update, literal_column, null, or_, select, text, update

from embedmill.shared.db.bulk import insert_or, upsert_each
from embedmill.shared.db.clock import clock
from embedmill.shared.db.schema import in_state, job, work
from embedmill.shared.errors import NotFound
from embedmill.shared.states import (
    FINAL,
    JOB_TRANSITIONS,
    JobState,
    State,
    WaitReason,
    require_job_transition,
    require_transition,
)

ENDED = frozenset({JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED})


def move_work(target: State, *, of: Iterable[State], **values: Any) -> Update:
    """An UPDATE of all work that is in one of the states `of`; the caller says which of it. Raises IllegalTransition.

    What the new state says of leases, waits, messages and the end is written with it; `values` are beside that.
    """
    starts = sorted(of)
    for start in starts:
        require_transition(start, target)
    is_there = or_(*(in_state(start) for start in starts))
    return update(work).where(is_there).values(_accompany(starts, target) | values)


def move_chosen(target: State, *, of: State, chosen: Select[int], **values: Any) -> Update:
    """The same of the ids that a query chooses from one state; what another transaction is at is passed over."""
    require_transition(of, target)
    # As a CTE the choice is made once, and who is at it already is passed over instead of waited for.
    held = chosen.where(in_state(of)).with_for_update(skip_locked=True, of=work).cte("chosen")
    return update(work).where(work.c.id.in_(select(held.c.id))).values(_accompany([of], target) | values)


def _accompany(starts: Sequence[State], target: State) -> dict[str, Any]:
    """The columns that a state is tied to."""
    values: dict[str, Any] = {"state": target}
    if State.RUNNING in starts:
        values |= {"lease": None, "lease_until": None}
    if State.QUEUED in starts:
        values["dispatched_at"] = None
    if State.WAITING in starts:
        values |= {"wait_reason": None, "available_at": None}
    if target is State.QUEUED:
        values["dispatched_at"] = clock()
    if target in FINAL:
        values["finished_at"] = clock()
    elif State.DEAD in starts:
        values["finished_at"] = None
    return values


# What a piece of work is when it begins, and begins anew: a job has one for a document, whatever happens to that.
_BEGINNING: Mapping[str, Any] = {
    "attempt": 0,
    "crashes": 0,
    **dict.fromkeys(("lease", "lease_until", "claimed_at", "claimed_with", "worker", "dispatched_at")),
    **dict.fromkeys(("available_at", "paced_seconds", "wait_reason", "chunks_ref", "rejections_ref")),
    **dict.fromkeys(("chunks_expected", "chunks_rejected", "chunks_embedded", "chunks_split"), 0),
    **dict.fromkeys(("result", "reason", "notes", "finished_at")),
}
_ANEW = {name: null() if value is None else literal_column(str(value)) for name, value in _BEGINNING.items()}
for _start in set(State) - {State.PENDING}:
    require_transition(_start, State.PENDING)


def begin_work(connection: Connection, rows: Sequence[Mapping[str, Any]], **constants: Any) -> None:
    """Pending work for documents; what its job had for them before, in whatever state, begins anew as this."""
    upsert_each(
        connection,
        work,
        rows,
        keys=("job_id", "document_id"),
        anew={name: value for name, value in _ANEW.items() if name not in rows[0]},
        created_at=clock(),
        state=State.PENDING,
        **constants,
    )


def begin_job(connection: Connection, values: Mapping[str, Any]) -> int | None:
    """A running job; None when there is an open one of the same identity in its collection."""
    make = insert_or(connection, job).values(state=JobState.RUNNING, created_at=clock(), **values)
    open_ones = {"index_elements": [job.c.collection_id, job.c.identity], "index_where": text("finished_at IS NULL")}
    return connection.execute(make.on_conflict_do_nothing(**open_ones).returning(job.c.id)).scalar()


def wake_work(connection: Connection, reason: WaitReason) -> int:
    """All work that waits for a reason, now that it is gone; what another cause holds up comes back to it."""
    return connection.execute(move_work(State.PENDING, of=[State.WAITING]).where(work.c.wait_reason == reason)).rowcount


def hold_with_jobs(query: Select[Any]) -> Select[Any]:
    """Claimed work joined with its jobs, locked: the work for a change, the jobs against a change of their states.

    In one order, so that nobody waits in a circle. A job that is changed at this moment is waited for and read anew.
    """
    shared = query.order_by(work.c.job_id, work.c.id).with_for_update(read=True, key_share=True, of=job)
    return shared.suffix_with("FOR UPDATE OF work", dialect="postgresql")


def lock_jobs(connection: Connection, ids: Iterable[int] | Select[int]) -> dict[int, JobState]:
    """The states of jobs, which nobody else changes until this transaction ends, by number or as a query finds them.

    Those that there are not are left out. A plain UPDATE would let those who share a job go on with what they read
    before.
    """
    wanted = ids if isinstance(ids, Select) else sorted(set(ids))
    query = select(job.c.id, job.c.state).where(job.c.id.in_(wanted)).order_by(job.c.id).with_for_update()
    return {row.id: JobState(row.state) for row in connection.execute(query)}


def move_jobs(connection: Connection, ids: Iterable[int], target: JobState, *, error: str | None = None) -> None:
    """Bring jobs into a state; raises NotFound, and IllegalTransition, naming both states."""
    wanted = sorted(set(ids))
    if not wanted:
        return
    states = lock_jobs(connection, wanted)
    for job_id in wanted:
        if job_id not in states:
            raise no_job(job_id)
    move_held_jobs(connection, states, target, error=error)


def move_held_jobs(
    connection: Connection, states: Mapping[int, JobState], target: JobState, *, error: str | None = None
) -> None:
    """The same of jobs that the caller holds, by the state of each; raises IllegalTransition."""
    if not states:
        return
    for state in states.values():
        require_job_transition(state, target)
    starts = [start for start, targets in JOB_TRANSITIONS.items() if target in targets]
    values = {"state": target, "finished_at": clock() if target in ENDED else None, "error": error}
    connection.execute(update(job).where(job.c.id.in_(states), job.c.state.in_(starts)).values(values))


def no_job(job_id: int) -> NotFound:
    """There is no job by that number."""
    return NotFound(f"no job {job_id}", hint="embedmill jobs list")
