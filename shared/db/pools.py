"""What operators want of the worker pools: slots by queue and pauses; supervisors and workers follow what is here."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, func, or_, select

from embedmill.shared import stages
from embedmill.shared.db.bulk import insert_or
from embedmill.shared.db.clock import clock
from embedmill.shared.db.presence import is_live
from embedmill.shared.db.schema import pool, supervisor, worker


@dataclass(frozen=True, slots=True)
class Pool:
    """The wanted state of a queue; `desired` slots are None when supervisors keep what they were started with."""

    queue: str
    desired: int | None = None
    paused: bool = False
    revision: int = 0
    updated_at: float | None = None


def read_pools(connection: Connection) -> dict[str, Pool]:
    """The wanted state of every queue."""
    rows = {row.queue: row for row in connection.execute(select(pool))}
    return {
        stage: Pool(stage, row.desired, bool(row.paused), row.revision, row.updated_at)
        if (row := rows.get(stage)) is not None
        else Pool(stage)
        for stage in stages.names()
    }


def scale_pool(connection: Connection, queue: str, desired: int | None) -> Pool:
    """Want so many slots for a queue over all supervisors, or, with None, what they were started with."""
    return _write(connection, queue, desired=desired)


def pause_pool(connection: Connection, queue: str) -> Pool:
    """From this commit on no worker claims work of the queue."""
    return _write(connection, queue, paused=True)


def resume_pool(connection: Connection, queue: str) -> Pool:
    """Let workers claim work of the queue again."""
    return _write(connection, queue, paused=False)


def is_paused(connection: Connection, queue: str) -> bool:
    """Whether a queue is paused now."""
    return connection.execute(_PAUSED, {"of_queue": queue}).first() is not None


_PAUSED = select(pool.c.queue).where(pool.c.queue == bindparam("of_queue"), pool.c.paused)


def find_paused(connection: Connection, queues: Collection[str]) -> list[str]:
    """Those of the queues that are paused."""
    query = select(pool.c.queue).where(pool.c.paused, pool.c.queue.in_(list(queues)))
    return sorted(connection.execute(query).scalars())


def is_running(stage: ColumnElement[str]) -> ColumnElement[bool]:
    """A condition for work whose queue is not paused."""
    return stage.not_in(select(pool.c.queue).where(pool.c.paused))


def is_served(stage: ColumnElement[str]) -> ColumnElement[bool]:
    """A condition for work whose queue is neither paused nor scaled to nothing."""
    return stage.not_in(select(pool.c.queue).where(or_(pool.c.paused, pool.c.desired == 0)))


@dataclass(frozen=True, slots=True)
class Slots:
    """How many slots the live workers have, and how many, by queue, the live supervisors mean to have."""

    there: int
    meant: Mapping[str, int]


def count_slots(connection: Connection, *, silent_seconds: float) -> Slots:
    """Places to work in, of all hosts."""
    there = select(func.coalesce(func.sum(worker.c.slots), 0)).where(is_live(worker, silent_seconds)).scalar_subquery()
    one = select(there.label("there")).subquery()
    query = select(one.c.there, supervisor.c.slots).select_from(
        one.outerjoin(supervisor, is_live(supervisor, silent_seconds))
    )
    rows = connection.execute(query).all()
    meant = {stage: sum(int((row.slots or {}).get(stage, 0)) for row in rows) for stage in stages.names()}
    return Slots(rows[0].there, meant)


def _write(connection: Connection, queue: str, **values: Any) -> Pool:
    query = insert_or(connection, pool).values(queue=queue, revision=1, updated_at=clock(), **values)
    changed = values | {"revision": pool.c.revision + 1, "updated_at": clock()}
    connection.execute(query.on_conflict_do_update(index_elements=[pool.c.queue], set_=changed))
    return read_pools(connection)[queue]
