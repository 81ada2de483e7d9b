"""Reports of jobs: a list costs the same few statements a job, whatever was passed over in it."""

from collections.abc import Iterator

import pytest

from embedmill.console.cli.reports import WAITS_FOR
from embedmill.console.services.jobs import describe_job, explain_job, list_jobs
from embedmill.console.services.progress import TELLING
from embedmill.shared.db import presence, scan_notes
from embedmill.shared.db.waits import SCALED
from embedmill.shared.presence import Presence
from embedmill.shared.runtime import Runtime
from embedmill.shared.settings import Settings
from embedmill.shared.states import WaitReason
from tests.shared.db.tracker import Tracker


@pytest.fixture
def runtime(settings: Settings) -> Iterator[Runtime]:
    with Presence(settings.home_path / "run") as presence_:
        opened = Runtime(settings, process_id=presence_.id)
        yield opened
        opened.close()


def test_a_list_of_jobs_asks_nothing_about_what_each_passed_over(runtime: Runtime) -> None:
    tracker = Tracker(runtime.database)
    ids = [tracker.create_job(f"job {n}") for n in range(30)]
    note = {"kind": "skipped", "uri": "file:///fifo", "line": None, "reason": "a FIFO"}
    with runtime.database.write() as connection:
        scan_notes.note_scan(connection, ids[0], [note] * 500)
    before = runtime.database.statements
    rows = list_jobs(runtime, limit=1000).jobs
    assert runtime.database.statements - before <= 7, "however many there are"
    assert [row.job for row in rows] == [*reversed(ids), tracker.job]
    assert len(describe_job(runtime, ids[0]).notes) == 500


def test_a_queue_that_a_live_worker_serves_has_a_consumer(runtime: Runtime) -> None:
    tracker = Tracker(runtime.database)
    tracker.submit(["file:///a"])
    assert [row.queue for row in explain_job(runtime, tracker.job).queues_without_consumer] == ["chunk"]
    with runtime.database.write() as connection:
        presence.register_worker(connection, runtime.process_id, host="here", pid=1, queues=["chunk"])
    assert explain_job(runtime, tracker.job).queues_without_consumer == []


def test_a_worker_that_is_gone_serves_nothing(runtime: Runtime) -> None:
    tracker = Tracker(runtime.database)
    tracker.submit(["file:///a"])
    with Presence(runtime.run_folder) as dead, runtime.database.write() as connection:
        presence.register_worker(connection, dead.id, host="here", pid=1, queues=["chunk"])
    assert [row.queue for row in explain_job(runtime, tracker.job).queues_without_consumer] == ["chunk"]


def test_the_pace_of_a_job_gives_the_time_that_is_left(runtime: Runtime) -> None:
    tracker = Tracker(runtime.database)
    with runtime.database.write() as connection:
        presence.register_worker(connection, runtime.process_id, host="here", pid=1, queues=["chunk"])
    tracker.index(tracker.take([f"file:///done-{n}" for n in range(TELLING)]))
    tracker.submit([f"file:///{n}" for n in range(10)])
    report = explain_job(runtime, tracker.job)
    assert report.rate > 0
    assert report.seconds_left == pytest.approx(10 / report.rate, rel=0.05)


def test_every_reason_to_wait_is_explained_to_people() -> None:
    assert {*WaitReason, "queue", "lease", "scanning", SCALED} == set(WAITS_FOR)
