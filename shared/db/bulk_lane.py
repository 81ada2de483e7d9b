"""The batch lane as a whole: whether anything is to be done in it, and what leaves it because nobody waits any more."""

from typing import Any

from sqlalchemy import Select, and_, delete, exists, func, literal, or_, select, update

from embedmill.shared.db.bulk_waits import OPEN, is_waited_for, wake_answered
from embedmill.shared.db.clock import clock
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.schema import bulk_batch, bulk_entry, bulk_wait, job, work
from embedmill.shared.ledger import BatchState, BulkState, Lane

AT_VENDOR = (BatchState.SUBMITTING, BatchState.SUBMITTED)


def select_business() -> Select[int]:
    """Something that waits or is under way."""
    newest = select(func.max(bulk_entry.c.id)).scalar_subquery()
    return select(literal(1)).where(or_(exists().where(bulk_batch.c.ended_at.is_(None)), newest.is_not(None)))


def has_business(connection: Connection) -> bool:
    """Whether anything waits or is under way."""
    return connection.execute(select_business()).first() is not None


def has_due_business(connection: Connection) -> bool:
    """Whether anything is to be sent, or to be looked at by now."""
    due = and_(bulk_batch.c.ended_at.is_(None), bulk_batch.c.due_at <= clock())
    in_lane = select(job.c.id).where(job.c.lane == Lane.BULK, job.c.finished_at.is_(None))
    wanted = and_(bulk_entry.c.job_id.in_(in_lane), bulk_entry.c.state == BulkState.WANTED)
    return _is_any(connection, due) or _is_any(connection, wanted)


def _is_any(connection: Connection, condition: Any) -> bool:
    return connection.execute(select(literal(1)).where(condition).limit(1)).first() is not None


def list_lanes(connection: Connection) -> list[tuple[int, str, str]]:
    """(job, state, lane) of what the batch lane may concern: when it changes, something may have to leave the lane."""
    under_way = select(bulk_batch.c.job_id).where(bulk_batch.c.ended_at.is_(None), bulk_batch.c.job_id.is_not(None))
    query = select(job.c.id, job.c.state, job.c.lane).where(or_(job.c.finished_at.is_(None), job.c.id.in_(under_way)))
    return [(row.id, row.state, row.lane) for row in connection.execute(query.order_by(job.c.id))]


def leave(connection: Connection) -> list[int]:
    """Take out of the lane what nobody needed in it any more; returns the batches that the vendor may stop.

    Work that has ended waits for nothing, and neither does that of a job that left the lane: it asks at once. What was
    waiting on its behalf is paid by another that waits for it there.
    """
    finished = select(work.c.id).where(work.c.id == bulk_wait.c.work_id, work.c.finished_at.is_not(None))
    connection.execute(delete(bulk_wait).where(exists(finished)))
    not_sent = bulk_entry.c.state != BulkState.SENT
    connection.execute(delete(bulk_entry).where(not_sent, ~is_waited_for(bulk_entry.c.id)))
    in_lane = and_(job.c.lane == Lane.BULK, job.c.finished_at.is_(None))
    waits_in_lane = (
        select(func.min(job.c.id))
        .select_from(bulk_wait)
        .join(work, work.c.id == bulk_wait.c.work_id)
        .join(job, job.c.id == work.c.job_id)
        .where(bulk_wait.c.entry_id == bulk_entry.c.id, in_lane)
        .correlate(bulk_entry)
        .scalar_subquery()
    )
    left = bulk_entry.c.job_id.not_in(select(job.c.id).where(in_lane))
    wanted = (bulk_entry.c.state == BulkState.WANTED, left)
    connection.execute(update(bulk_entry).where(*wanted, waits_in_lane.is_(None)).values(state=BulkState.LIVE))
    connection.execute(update(bulk_entry).where(*wanted).values(job_id=waits_in_lane))
    _free_who_left(connection)
    wake_answered(connection)
    return _list_unwanted(connection)


def _free_who_left(connection: Connection) -> None:
    """Documents of a job that left the lane wait for no batch; its answers are kept all the same when they come."""
    out = select(bulk_entry.c.id).where(bulk_entry.c.id == bulk_wait.c.entry_id, bulk_entry.c.state.in_(OPEN))
    in_a_hurry = (
        select(work.c.id)
        .join(job, job.c.id == work.c.job_id)
        .where(work.c.id == bulk_wait.c.work_id, job.c.lane == Lane.LIVE)
    )
    connection.execute(delete(bulk_wait).where(exists(out), exists(in_a_hurry)))


def _list_unwanted(connection: Connection) -> list[int]:
    """Batches on their way or at the vendor for which no work of the batch lane waits."""
    waits = (
        select(bulk_entry.c.id)
        .join(bulk_wait, bulk_wait.c.entry_id == bulk_entry.c.id)
        .join(work, work.c.id == bulk_wait.c.work_id)
        .join(job, job.c.id == work.c.job_id)
        .where(bulk_entry.c.batch_id == bulk_batch.c.id, job.c.lane == Lane.BULK, work.c.finished_at.is_(None))
    )
    states = (BatchState.PREPARED, *AT_VENDOR)
    query = select(bulk_batch.c.id).where(
        bulk_batch.c.state.in_(states), bulk_batch.c.cancelled_at.is_(None), ~exists(waits)
    )
    return list(connection.execute(query).scalars())
