"""Who is at work: supervisors and worker processes with their heartbeats, and the leases by which one does a chore."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, func, or_, select, union_all, update

from embedmill.shared import VERSION
from embedmill.shared.db.bulk import insert_or
from embedmill.shared.db.clock import clock
from embedmill.shared.db.schema import chore, in_state, supervisor, worker
from embedmill.shared.db.schema import work as work_table
from embedmill.shared.errors import HomeInUse
from embedmill.shared.states import State, WorkerState

# The lease of whoever dispatches, rescues, completes jobs and tidies.
CHORES = "chores"
# The lease of whoever writes stored objects anew.
REWRITING = "rewriting"
# How long a worker that is gone stays in the list.
LOST_SHOWN_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Report:
    """What a worker process says about itself; ages in seconds, `rate` in documents a second over the last minute."""

    state: WorkerState
    slots: int
    busy: int
    batches: int
    documents: int
    rate: float
    rss_bytes: int
    message_age: float | None = None
    claim_age: float | None = None


@dataclass(frozen=True, slots=True)
class Orders:
    """What a worker process is told: slots, None as it was started with, and whether to finish and go."""

    slots: int | None
    drain: bool


def register_worker(
    connection: Connection,
    worker_id: str,
    *,
    host: str,
    pid: int,
    queues: Sequence[str],
    kind: str = "prefork",
    slots: int = 1,
    supervisor_id: str | None = None,
) -> None:
    """Record a worker process."""
    query = insert_or(connection, worker).values(
        id=worker_id,
        host=host,
        pid=pid,
        queues=list(queues),
        kind=kind,
        slots=slots,
        supervisor=supervisor_id,
        version=VERSION,
        started_at=clock(),
        heartbeat_at=clock(),
    )
    connection.execute(query.on_conflict_do_nothing())


def report_worker(connection: Connection, worker_id: str, report: Report) -> None:
    """Say that a worker is alive and what it does; nothing that keeps work safe depends on it."""
    connection.execute(
        update(worker)
        .where(worker.c.id == worker_id)
        .values(
            state=report.state,
            slots=report.slots,
            busy=report.busy,
            batches=report.batches,
            documents=report.documents,
            rate=report.rate,
            rss_bytes=report.rss_bytes,
            last_message_at=None if report.message_age is None else clock() - report.message_age,
            last_claim_at=None if report.claim_age is None else clock() - report.claim_age,
            heartbeat_at=clock(),
            # Whoever thought it lost was wrong.
            stopped_at=None,
        )
    )


def read_orders(connection: Connection, worker_id: str) -> Orders:
    """What a worker is to do now."""
    query = select(worker.c.wanted_slots, worker.c.drain).where(worker.c.id == worker_id)
    row = connection.execute(query).first()
    return Orders(None, drain=False) if row is None else Orders(row.wanted_slots, drain=row.drain)


def order_slots(connection: Connection, worker_id: str, slots: int) -> None:
    """Tell a worker process how many slots to have."""
    connection.execute(update(worker).where(worker.c.id == worker_id).values(wanted_slots=slots))


def order_drain(connection: Connection, worker_ids: Sequence[str]) -> list[str]:
    """Tell workers to finish what they hold and go; returns those that are there and were not told before."""
    query = (
        update(worker)
        .where(worker.c.id.in_(list(worker_ids)), worker.c.stopped_at.is_(None), worker.c.drain.is_(False))
        .values(drain=True)
        .returning(worker.c.id)
    )
    return sorted(connection.execute(query).scalars())


def is_drain_ordered(connection: Connection, worker_id: str) -> bool:
    """Whether a worker was told to go."""
    return bool(connection.execute(select(worker.c.drain).where(worker.c.id == worker_id)).scalar())


def note_refusals(connection: Connection, worker_id: str, *, count: int, last: str) -> None:
    """Record how often a worker's broker refused it in a way that will not mend itself."""
    query = update(worker).where(worker.c.id == worker_id).values(broker_refusals=count, broker_refusal=last)
    connection.execute(query)


def stop_worker(connection: Connection, worker_id: str) -> None:
    """Record that a worker went in good order."""
    query = update(worker).where(worker.c.id == worker_id)
    connection.execute(query.values(stopped_at=clock(), state=WorkerState.STOPPED, busy=0))


def lose_worker(connection: Connection, worker_id: str) -> None:
    """Record that a worker died."""
    query = update(worker).where(worker.c.id == worker_id, worker.c.stopped_at.is_(None))
    connection.execute(query.values(stopped_at=clock(), state=WorkerState.LOST, busy=0))


def find_losses(connection: Connection, *, ended_until: ColumnElement[float]) -> dict[str, float]:
    """When each queue's last worker was lost, of those that were lost by then and are still shown."""
    query = select(worker.c.queues, worker.c.stopped_at).where(
        worker.c.state == WorkerState.LOST,
        worker.c.stopped_at.between(ended_until - LOST_SHOWN_SECONDS, ended_until),
    )
    rows = connection.execute(query.order_by(worker.c.stopped_at)).all()
    return {queue: row.stopped_at for row in rows for queue in row.queues}


def lose_silent(connection: Connection, *, silent_seconds: float) -> int:
    """Record as lost every worker and supervisor that said nothing for so long; returns how many workers."""
    query = update(supervisor).where(supervisor.c.stopped_at.is_(None), _is_silent(supervisor, silent_seconds))
    connection.execute(query.values(stopped_at=clock()))
    query = update(worker).where(worker.c.stopped_at.is_(None), _is_silent(worker, silent_seconds))
    return connection.execute(query.values(stopped_at=clock(), state=WorkerState.LOST, busy=0)).rowcount


def _is_silent(table: Table, seconds: float) -> ColumnElement[bool]:
    return table.c.heartbeat_at < clock() - seconds


def forget_stopped(connection: Connection, *, older_than_seconds: float) -> int:
    """Delete what workers and supervisors left that ended so long ago; returns how many."""
    return sum(
        connection.execute(table.delete().where(table.c.stopped_at < clock() - older_than_seconds)).rowcount
        for table in (worker, supervisor)
    )


def list_workers(connection: Connection, *, include_stopped: bool = False) -> list[dict[str, Any]]:
    """Worker processes with `age` in seconds since their last heartbeat; by default, without what ended."""
    query = select(worker, (clock() - worker.c.heartbeat_at).label("age")).order_by(worker.c.started_at, worker.c.id)
    if not include_stopped:
        query = query.where(worker.c.stopped_at.is_(None))
    return [dict(row._mapping) for row in connection.execute(query)]


def list_children(connection: Connection, supervisor_id: str, pids: Sequence[int]) -> list[dict[str, Any]]:
    """What the worker processes of a supervisor said last, also of one that signed off and has not ended yet."""
    query = select(worker).where(worker.c.supervisor == supervisor_id, worker.c.pid.in_(pids))
    return [dict(row._mapping) for row in connection.execute(query.order_by(worker.c.started_at, worker.c.id))]


def list_shown_workers(connection: Connection, *, silent_seconds: float) -> list[dict[str, Any]]:
    """Worker processes as people see them: with `current` work from their leases, and those recently lost."""
    recently_lost = and_(worker.c.state == WorkerState.LOST, worker.c.stopped_at > clock() - LOST_SHOWN_SECONDS)
    query = (
        select(worker, (clock() - worker.c.heartbeat_at).label("age"))
        .where(or_(worker.c.stopped_at.is_(None), recently_lost))
        .order_by(worker.c.started_at, worker.c.id)
    )
    rows = [dict(row._mapping) for row in connection.execute(query)]
    current = _find_current(connection)
    for row in rows:
        if row["age"] > silent_seconds:
            row["state"] = str(WorkerState.LOST)
        row["current"] = current.get(row["id"], [])
        if row["state"] in (WorkerState.IDLE, WorkerState.BUSY):
            # What it said last may be older than its leases.
            row["state"] = str(WorkerState.BUSY if row["current"] else WorkerState.IDLE)
    return rows


def _find_current(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """What every worker holds: stage, documents and seconds since the claim, one entry a lease."""
    query = (
        select(
            work_table.c.worker,
            work_table.c.stage,
            func.count().label("documents"),
            (clock() - func.min(work_table.c.claimed_at)).label("seconds"),
        )
        .where(in_state(State.RUNNING))
        .group_by(work_table.c.lease, work_table.c.worker, work_table.c.stage)
    )
    found: dict[str, list[dict[str, Any]]] = {}
    for row in connection.execute(query):
        entry = {"stage": row.stage, "documents": row.documents, "seconds": round(row.seconds, 3)}
        found.setdefault(row.worker, []).append(entry)
    return found


def register_supervisor(
    connection: Connection, supervisor_id: str, *, host: str, pid: int, pools: Sequence[Mapping[str, Any]]
) -> None:
    """Record a supervisor with the pools that it was started with."""
    query = insert_or(connection, supervisor).values(
        id=supervisor_id,
        host=host,
        pid=pid,
        pools=[dict(entry) for entry in pools],
        slots={},
        version=VERSION,
        started_at=clock(),
        heartbeat_at=clock(),
    )
    connection.execute(query.on_conflict_do_nothing())


def beat_supervisor(connection: Connection, supervisor_id: str, *, slots: Mapping[str, int]) -> None:
    """Say that a supervisor is alive, and how many slots it means to have for each queue."""
    query = update(supervisor).where(supervisor.c.id == supervisor_id)
    connection.execute(query.values(heartbeat_at=clock(), slots=dict(slots), stopped_at=None))


def stop_supervisor(connection: Connection, supervisor_id: str) -> None:
    """Record that a supervisor goes, so that the others take its share."""
    connection.execute(update(supervisor).where(supervisor.c.id == supervisor_id).values(stopped_at=clock()))


def list_supervisors(connection: Connection, *, silent_seconds: float) -> list[dict[str, Any]]:
    """Live supervisors with `age` in seconds since their last heartbeat, by name."""
    query = (
        select(supervisor, (clock() - supervisor.c.heartbeat_at).label("age"))
        .where(is_live(supervisor, silent_seconds))
        .order_by(supervisor.c.id)
    )
    return [dict(row._mapping) for row in connection.execute(query)]


def require_one_host(connection: Connection, host: str, *, silent_seconds: float) -> None:
    """Raise HomeInUse when the database is SQLite and another host is at work on it.

    SQLite's locks and its log in shared memory hold on one host only; two would damage the file.
    """
    if connection.dialect.name != "sqlite":
        return
    live = [
        select(table.c.host).where(is_live(table, silent_seconds), table.c.host != host)
        for table in (supervisor, worker)
    ]
    other = connection.execute(union_all(*live).limit(1)).scalar()
    if other is not None:
        raise HomeInUse(
            f"the tracking database is a SQLite file, which is for one host, and {other} is at work on it",
            hint="Point EMBEDMILL_DATABASE_URL of both hosts at Postgres. If the other host is gone, "
            f"try again in {silent_seconds:g} s.",
        )


def is_live(table: Table, silent_seconds: float) -> ColumnElement[bool]:
    """A condition for the workers or supervisors that are at work."""
    return and_(table.c.stopped_at.is_(None), table.c.heartbeat_at >= clock() - silent_seconds)


def take_chore(connection: Connection, name: str, *, holder: str, seconds: float) -> bool:
    """Whether `holder` may do the chore for the next `seconds`; a lease that ran out is taken over."""
    query = insert_or(connection, chore).values(name=name, holder=holder, lease_until=clock() + seconds)
    query = query.on_conflict_do_update(
        index_elements=[chore.c.name],
        set_={"holder": query.excluded.holder, "lease_until": query.excluded.lease_until},
        where=or_(chore.c.holder == holder, chore.c.lease_until <= clock(), chore.c.lease_until > clock() + 3600),
    )
    return connection.execute(query.returning(chore.c.name)).first() is not None


def seize_chore(
    connection: Connection, name: str, *, holder: str, seconds: float, is_gone: Callable[[str], bool | None]
) -> bool:
    """The same; one who is known to be gone is not waited for."""
    if take_chore(connection, name, holder=holder, seconds=seconds):
        return True
    other = find_chore_holder(connection, name)
    if other is None or not is_gone(other):
        return False
    free_chore(connection, name, holder=other)
    return take_chore(connection, name, holder=holder, seconds=seconds)


def free_chore(connection: Connection, name: str, *, holder: str) -> None:
    """Let the next process take a chore at once, if `holder` has it still: it goes, or is known to be gone."""
    connection.execute(chore.delete().where(chore.c.name == name, chore.c.holder == holder))


def end_chore(connection: Connection, name: str, *, holder: str) -> None:
    """The same; when it was done last stays known."""
    query = update(chore).where(chore.c.name == name, chore.c.holder == holder, chore.c.lease_until > clock())
    connection.execute(query.values(lease_until=clock()))


def were_chores_done(connection: Connection, *, seconds: float) -> bool:
    """Whether somebody has done the chores within the last `seconds`."""
    query = select(chore.c.name).where(chore.c.name == CHORES, chore.c.lease_until >= clock() - seconds)
    return connection.execute(query).first() is not None


def name_reading(job_id: int) -> str:
    """The lease of whoever reads the sources of a job."""
    return f"enumerate-{job_id}"


def find_last_holders(connection: Connection, names: Sequence[str]) -> dict[str, tuple[str, bool]]:
    """Who had each of some leases last and did not end it, and whether it has not run out."""
    query = select(chore.c.name, chore.c.holder, (chore.c.lease_until > clock()).label("holds"))
    return {row.name: (row.holder, bool(row.holds)) for row in connection.execute(query.where(chore.c.name.in_(names)))}


def find_chore_holder(connection: Connection, name: str) -> str | None:
    """Who does a chore now, or None."""
    query = select(chore.c.holder).where(chore.c.name == name, chore.c.lease_until > clock())
    return connection.execute(query).scalar()
