"""Who is at work: worker processes with their heartbeats, and the leases by which one process does a chore."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from shared.db.engine import clock
from shared.db.schema import chore, worker

# A worker that was silent for longer is taken for gone: it beats every ten seconds.
SILENT_SECONDS = 60.0


def register_worker(connection: Connection, worker_id: str, *, host: str, pid: int, queues: Sequence[str]) -> None:
    """Record a worker process, or its return."""
    build = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    query = build(worker).values(
        id=worker_id, host=host, pid=pid, queues=list(queues), started_at=clock(), heartbeat_at=clock()
    )
    connection.execute(query.on_conflict_do_nothing())


def beat(connection: Connection, worker_id: str) -> None:
    """Say that a worker is alive; nothing that keeps work safe depends on it."""
    connection.execute(update(worker).where(worker.c.id == worker_id).values(heartbeat_at=clock()))


def stop_worker(connection: Connection, worker_id: str) -> None:
    """Record that a worker went in good order."""
    connection.execute(update(worker).where(worker.c.id == worker_id).values(stopped_at=clock()))


def list_workers(connection: Connection, *, include_stopped: bool = False) -> list[dict[str, Any]]:
    """Worker processes, with `age` in seconds since their last heartbeat."""
    query = select(worker, (clock() - worker.c.heartbeat_at).label("age")).order_by(worker.c.started_at)
    if not include_stopped:
        query = query.where(worker.c.stopped_at.is_(None))
    return [dict(row._mapping) for row in connection.execute(query)]


def take_chore(connection: Connection, name: str, *, holder: str, seconds: float) -> bool:
    """Whether `holder` may do the chore for the next `seconds`; a lease that ran out is taken over."""
    build = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    query = build(chore).values(name=name, holder=holder, lease_until=clock() + seconds)
    query = query.on_conflict_do_update(
        index_elements=[chore.c.name],
        set_={"holder": query.excluded.holder, "lease_until": query.excluded.lease_until},
        where=or_(chore.c.holder == holder, chore.c.lease_until < clock(), chore.c.lease_until > clock() + 3600),
    )
    return connection.execute(query.returning(chore.c.name)).first() is not None


def free_chore(connection: Connection, name: str, *, holder: str | None = None) -> None:
    """Let the next process take a chore at once; without `holder`, whoever had it is known to be gone."""
    query = chore.delete().where(chore.c.name == name)
    connection.execute(query if holder is None else query.where(chore.c.holder == holder))


def find_chore_holder(connection: Connection, name: str) -> str | None:
    """Who does a chore now, or None."""
    query = select(chore.c.holder).where(chore.c.name == name, chore.c.lease_until >= clock())
    return connection.execute(query).scalar()
