"""The end of a job of whose sources nothing could be read: it has failed, and what was new of them is forgotten."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, delete, exists, select

from embedmill.shared.db import jobs, schedules
from embedmill.shared.db.bulk import among
from embedmill.shared.db.scans import Scan
from embedmill.shared.db.schema import claim, scan, schedule, source, work
from embedmill.shared.db.transitions import move_jobs
from embedmill.shared.states import JobState


def end_unread(connection: Connection, job_id: int, begun: Sequence[Scan]) -> None:
    """Fail a job that was read just now if none of its sources could be, and forget sources that it was first to name.

    One that is read by a timetable, or that was read before, stays.
    """
    if not jobs.get_job(connection, job_id).problems:
        return
    faults = _find_faults(connection, job_id, [each.source_id for each in begun])
    if len(faults) == len(begun) and _is_empty(connection, job_id):
        error = "; ".join([*dict.fromkeys(faults.values()), _describe_next(connection, list(faults))])
        move_jobs(connection, [job_id], JobState.FAILED, error=error)
    _forget_new(connection, job_id, list(faults))


def _find_faults(connection: Connection, job_id: int, ids: Sequence[int]) -> Mapping[int, str]:
    rows = connection.execute(select(source.c.id, source.c.spec).where(among(connection, source.c.id, ids)))
    found = ((row.id, schedules.find_fault(connection, job_id, row.spec)) for row in rows.all())
    return {id_: fault for id_, fault in found if fault is not None}


def _is_empty(connection: Connection, job_id: int) -> bool:
    found = jobs.get_job(connection, job_id)
    has_work = connection.execute(select(exists().where(work.c.job_id == job_id))).scalar()
    return not (found.unchanged or found.skipped or has_work)


def _describe_next(connection: Connection, ids: Sequence[int]) -> str:
    timetables = {str(each.timetable) for each in schedules.list_schedules(connection, ids)}
    if timetables:
        return f"it is tried again by itself, {' and '.join(sorted(timetables))}"
    return "when that is mended, run the same command again"


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
