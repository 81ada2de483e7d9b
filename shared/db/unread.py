"""The end of a job of whose sources nothing could be read: it has failed, and what was new of them is forgotten."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, delete, exists, select, update

from embedmill.shared.db import jobs, schedules
from embedmill.shared.db.bulk import among
from embedmill.shared.db.schema import claim, scan, schedule, source, work
from embedmill.shared.db.transitions import move_jobs
from embedmill.shared.states import JobState


def end_unread(connection: Connection, job_id: int, read: Mapping[int, str], *, reopened: Sequence[int]) -> None:
    """Fail a job that was read just now if none of its sources could be, and forget sources that it was first to name.

    `read` are the URIs of its sources by their numbers, as they were named. One that is read by a timetable, or was
    read before, stays; one that it `reopened` is closed as before.
    """
    if not jobs.get_job(connection, job_id).problems:
        return
    told = ((id_, schedules.find_fault(connection, job_id, uri)) for id_, uri in read.items())
    faults = {id_: fault for id_, fault in told if fault is not None}
    if len(faults) == len(read) and _is_empty(connection, job_id):
        error = "; ".join(
            [*dict.fromkeys(fault.rstrip(".") for fault in faults.values()), _describe_next(connection, list(faults))]
        )
        move_jobs(connection, [job_id], JobState.FAILED, error=error)
    _forget_new(connection, job_id, list(faults))
    _close_again(connection, [id_ for id_ in reopened if id_ in faults])


def _is_empty(connection: Connection, job_id: int) -> bool:
    found = jobs.get_job(connection, job_id)
    has_work = connection.execute(select(exists().where(work.c.job_id == job_id))).scalar()
    return not (found.unchanged or found.skipped or has_work)


def _describe_next(connection: Connection, ids: Sequence[int]) -> str:
    timetables = {str(each.timetable) for each in schedules.list_schedules(connection, ids)}
    if timetables:
        return f"it is tried again by itself, {' and '.join(sorted(timetables))}"
    return "when that is mended, run the same command again"


def _close_again(connection: Connection, ids: Sequence[int]) -> None:
    claims = exists().where(claim.c.source_id == source.c.id, ~claim.c.leaving)
    used = claims, exists().where(schedule.c.source_id == source.c.id)
    unused = among(connection, source.c.id, ids), *(~each for each in used)
    connection.execute(update(source).where(*unused).values(state="closed"))


def _forget_new(connection: Connection, job_id: int, ids: Sequence[int]) -> None:
    used = (
        exists().where(claim.c.source_id == source.c.id),
        exists().where(schedule.c.source_id == source.c.id),
        exists().where(scan.c.source_id == source.c.id, scan.c.job_id != job_id),
    )
    unused = [~each for each in used]
    connection.execute(
        delete(source).where(among(connection, source.c.id, ids), source.c.scanned_at.is_(None), *unused)
    )
