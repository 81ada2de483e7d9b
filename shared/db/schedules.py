"""Sources that are read again by themselves: when each is due, who reads it now, and what came of the last time."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, and_, delete, exists, func, select, update

from embedmill.shared.db import presence
from embedmill.shared.db.bulk import insert_or
from embedmill.shared.db.clock import clock
from embedmill.shared.db.schema import collection, job, scan_note, schedule, source, work
from embedmill.shared.states import JobState
from embedmill.shared.timetable import Timetable


@dataclass(frozen=True, slots=True)
class Schedule:
    """How and when a source is read; `error` is what the last run failed of, `failures` how often it did in a row.

    `events` is the address of a queue whose messages name objects of it, "" for none.
    """

    source_id: int
    collection: str
    spec: Mapping[str, Any]
    options: Mapping[str, Any]
    timetable: Timetable
    due_at: float
    began_at: float | None
    ended_at: float | None
    job_id: int | None
    error: str | None
    failures: int
    failing_since: float | None
    events: str


def put_schedule(
    connection: Connection,
    source_id: int,
    *,
    spec: Mapping[str, Any],
    options: Mapping[str, Any],
    timetable: Timetable,
    events: str | None = None,
) -> None:
    """Have a source read by a timetable, in the place of what it had; what came of earlier runs is kept.

    So is the queue, unless another or none is said.
    """
    values = {
        "spec": dict(spec),
        "options": dict(options),
        "every_seconds": timetable.every_seconds,
        "cron": timetable.cron,
        "zone": timetable.zone,
        **({} if events is None else {"events": events}),
    }
    query = insert_or(connection, schedule).values(source_id=source_id, due_at=clock(), **values)
    connection.execute(query.on_conflict_do_update(index_elements=["source_id"], set_=values))


def set_due(connection: Connection, source_id: int, due_at: float) -> None:
    """When a source is read next."""
    connection.execute(update(schedule).where(schedule.c.source_id == source_id).values(due_at=due_at))


def drop_schedule(connection: Connection, source_id: int) -> bool:
    """Have a source read by itself no more; whether it was."""
    return bool(connection.execute(delete(schedule).where(schedule.c.source_id == source_id)).rowcount)


def list_schedules(connection: Connection, source_ids: Collection[int] | None = None) -> list[Schedule]:
    """All schedules of open sources, or those of some, by the source's number."""
    query = _select().order_by(schedule.c.source_id)
    if source_ids is not None:
        query = query.where(schedule.c.source_id.in_(source_ids))
    return _read(connection, query)


def list_due(connection: Connection, *, limit: int, but: Collection[int] = ()) -> list[Schedule]:
    """Those whose time has come, the longest due first, but for some sources."""
    query = _select().where(schedule.c.due_at <= clock(), schedule.c.source_id.not_in(but))
    return _read(connection, query.order_by(schedule.c.due_at).limit(limit))


def list_heard(connection: Connection) -> list[Schedule]:
    """Those with a queue."""
    return _read(connection, _select().where(schedule.c.events != ""))


def list_failing(connection: Connection, *, least: int) -> list[Schedule]:
    """Those that failed at least so often in a row."""
    return _read(connection, _select().where(schedule.c.failures >= least).order_by(schedule.c.source_id))


def find_next_due(connection: Connection, source_ids: Collection[int]) -> float | None:
    """When the next of some sources is due."""
    return connection.execute(select(func.min(schedule.c.due_at)).where(schedule.c.source_id.in_(source_ids))).scalar()


@dataclass(frozen=True, slots=True)
class Claimant:
    """Who wants to read: a process, for so many seconds at a time; one that `is_gone` is not waited for."""

    holder: str
    seconds: float
    is_gone: Callable[[str], bool | None]


def begin_run(connection: Connection, source_id: int, claimant: Claimant) -> Schedule | None:
    """Take a source to be read, if it is still due and nobody reads it."""
    if not renew_run(connection, source_id, claimant):
        return None
    begun = update(schedule).where(schedule.c.source_id == source_id, schedule.c.due_at <= clock())
    if not connection.execute(begun.values(began_at=clock())).rowcount:
        _free(connection, source_id, claimant)
        return None
    return list_schedules(connection, [source_id])[0]


def renew_run(connection: Connection, source_id: int, claimant: Claimant) -> bool:
    """Keep a source while it is read; False when another process has it."""
    return presence.seize_chore(
        connection, _lease(source_id), holder=claimant.holder, seconds=claimant.seconds, is_gone=claimant.is_gone
    )


def hold_queue(connection: Connection, *, source_id: int, claimant: Claimant) -> bool:
    """Read the queue of a source for a while; False when another process does."""
    return presence.seize_chore(
        connection,
        f"events-{source_id}",
        holder=claimant.holder,
        seconds=claimant.seconds,
        is_gone=claimant.is_gone,
    )


def end_run(
    connection: Connection, source_id: int, claimant: Claimant, *, due_at: float, job_id: int | None, error: str | None
) -> None:
    """What came of a run, and when the next is due; one that another process has taken over says nothing."""
    if not renew_run(connection, source_id, claimant):
        return
    failed = error is not None
    connection.execute(
        update(schedule)
        .where(schedule.c.source_id == source_id)
        .values(
            due_at=due_at,
            ended_at=clock(),
            job_id=job_id,
            error=error,
            failures=schedule.c.failures + 1 if failed else 0,
            failing_since=func.coalesce(schedule.c.failing_since, clock()) if failed else None,
        )
    )
    _free(connection, source_id, claimant)


def give_up_run(connection: Connection, source_id: int, claimant: Claimant) -> None:
    """Let the next process begin anew at once: this one ends."""
    _free(connection, source_id, claimant)


def drop_quiet_job(connection: Connection, job_id: int) -> bool:
    """Forget a reading that found nothing to do and no problem, once there is a newer one; whether it was such.

    A source that is read every few minutes would fill the list of jobs with them.
    """
    counts = (job.c.problems, job.c.unmet, job.c.held_deletions)
    nothing = and_(job.c.state == JobState.COMPLETED, *(count == 0 for count in counts))
    at_work = exists().where(work.c.job_id == job.c.id)
    return bool(connection.execute(delete(job).where(job.c.id == job_id, nothing, ~at_work)).rowcount)


def list_running(connection: Connection, source_ids: Sequence[int]) -> set[int]:
    """Those of some sources that are being read by their schedules now."""
    return {id_ for id_ in source_ids if presence.find_chore_holder(connection, _lease(id_)) is not None}


def _free(connection: Connection, source_id: int, claimant: Claimant) -> None:
    presence.free_chore(connection, _lease(source_id), holder=claimant.holder)


def _lease(source_id: int) -> str:
    return f"watch-{source_id}"


def _select() -> Select[Any]:
    return (
        select(schedule, collection.c.name.label("collection"))
        .join_from(schedule, source, source.c.id == schedule.c.source_id)
        .join(collection, collection.c.id == source.c.collection_id)
        .where(source.c.state == "open")
    )


def _read(connection: Connection, query: Select[Any]) -> list[Schedule]:
    found = []
    for row in connection.execute(query).mappings():
        told = {name: value for name, value in row.items() if name not in ("every_seconds", "cron", "zone")}
        found.append(Schedule(**told, timetable=Timetable.of(dict(row))))
    return found


def find_fault(connection: Connection, job_id: int, uri: str) -> str | None:
    """Why a job's source could not be read at all: a problem with the source itself, and not with a thing in it."""
    of_itself = and_(scan_note.c.job_id == job_id, scan_note.c.uri == uri, scan_note.c.line.is_(None))
    query = select(scan_note.c.reason).where(of_itself, scan_note.c.kind == "problem").order_by(scan_note.c.id)
    failed = select(job.c.error).where(job.c.id == job_id, job.c.state == JobState.FAILED)
    return connection.execute(query.limit(1)).scalar() or connection.execute(failed).scalar()
