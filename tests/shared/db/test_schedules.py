"""Schedules in the database, on both engines."""

import pytest

from embedmill.shared.db import scans, schedules
from embedmill.shared.db.clock import read_clock
from embedmill.shared.db.schedules import Claimant
from embedmill.shared.db.schema import job
from embedmill.shared.errors import NotFound
from embedmill.shared.timetable import Timetable
from tests.shared.db.tracker import Tracker

HOURLY = Timetable(every_seconds=3600.0)
ONE, TWO = (Claimant(name, 60.0, lambda _: None) for name in ("one", "two"))


def test_a_schedule_is_due_taken_by_one_ended_and_dropped_with_its_source(tracker: Tracker) -> None:
    with tracker.database.write() as connection:
        schedules.put_schedule(connection, tracker.source, spec={"uri": "x:"}, options={"limit": 3}, timetable=HOURLY)
        (due,) = schedules.list_due(connection, limit=5)
        assert (due.source_id, due.collection, due.spec, due.options) == (
            tracker.source,
            "default",
            {"uri": "x:"},
            {"limit": 3},
        )
        assert schedules.list_due(connection, limit=5, but=[tracker.source]) == []
        assert schedules.begin_run(connection, tracker.source, ONE)
        assert schedules.begin_run(connection, tracker.source, TWO) is None
        assert schedules.list_running(connection, [tracker.source]) == {tracker.source}
        later = read_clock(connection) + 3600
        for count in (1, 2):
            schedules.end_run(connection, tracker.source, ONE, due_at=later, job_id=tracker.job, error="away")
            (failing,) = schedules.list_failing(connection, least=count)
            assert (failing.failures, failing.job_id, failing.error) == (count, tracker.job, "away")
            assert failing.failing_since is not None
        schedules.end_run(connection, tracker.source, ONE, due_at=later, job_id=None, error=None)
        assert schedules.list_failing(connection, least=1) == []
        assert schedules.list_due(connection, limit=5) == []
        # Another timetable leaves what is known of earlier runs.
        schedules.put_schedule(connection, tracker.source, spec={}, options={}, timetable=Timetable(cron="0 2 * * *"))
        (kept,) = schedules.list_schedules(connection)
        assert (kept.timetable.cron, kept.due_at, kept.ended_at is None) == ("0 2 * * *", later, False)
        scans.close_source(connection, tracker.source)
        assert schedules.list_schedules(connection) == []


def test_a_job_that_found_nothing_is_dropped_and_one_with_work_or_a_problem_is_not(tracker: Tracker) -> None:
    busy, quiet, troubled = tracker.create_job("busy"), tracker.create_job("quiet"), tracker.create_job("troubled")
    tracker.submit(["a.txt"], job=busy)
    with tracker.database.write() as connection:
        ended = job.update().values(state="completed", finished_at=1.0)
        connection.execute(ended.where(job.c.id.in_([busy, quiet, troubled])))
        connection.execute(job.update().where(job.c.id == troubled).values(problems=1))
        dropped = [schedules.drop_quiet_job(connection, each) for each in (tracker.job, busy, quiet, troubled)]
    assert dropped == [False, False, True, False]
    with pytest.raises(NotFound):
        tracker.get_job(quiet)
