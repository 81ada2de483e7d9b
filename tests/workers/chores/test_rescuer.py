"""The rescuer: dead processes lose their work at once, silent ones after a second look, live ones never."""

import subprocess
import sys
from pathlib import Path

import pytest

from embedmill.shared import stages
from embedmill.shared.db import presence
from embedmill.shared.db.clock import clock
from embedmill.shared.db.schema import work, worker
from embedmill.shared.presence import Presence
from embedmill.shared.states import State
from embedmill.workers.chores.rescuer import FETCHED_SECONDS, Rescuer
from embedmill.workers.runtime import WorkerRuntime
from tests.shared.db.tracker import Tracker

URIS = [f"file:///{n}" for n in range(3)]
LIVE = "import sys; from pathlib import Path; from embedmill.shared.presence import Presence\n"
LIVE += "with Presence(Path(sys.argv[1])) as p: print(p.id, flush=True); sys.stdin.read()"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Clock:
    return Clock()


@pytest.fixture
def rescuer(runtime: WorkerRuntime, time: Clock) -> Rescuer:
    return Rescuer(runtime.database, runtime.settings, run_folder=runtime.run_folder, monotonic=time)


def hold(tracker: Tracker, worker: str, *, lease_seconds: float) -> None:
    tracker.submit(URIS)
    tracker.claim(tracker.queue(), worker=worker, lease_seconds=lease_seconds)


def test_a_killed_process_loses_its_work_at_once(runtime: WorkerRuntime, tracker: Tracker, rescuer: Rescuer) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", LIVE, runtime.run_folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin and process.stdout
    worker = process.stdout.readline().strip()
    hold(tracker, worker, lease_seconds=600)
    assert rescuer.rescue_lost() == 0
    process.kill()
    process.wait()
    assert rescuer.rescue_lost() == 3
    assert tracker.states() == [State.PENDING] * 3
    process.stdin.close()
    process.stdout.close()


def test_a_live_process_that_renews_keeps_its_work_though_the_clock_jumped(
    runtime: WorkerRuntime, tracker: Tracker, rescuer: Rescuer, time: Clock
) -> None:
    hold(tracker, runtime.process_id, lease_seconds=-3600.0)
    assert rescuer.rescue_lost() == 0
    for id_ in (row["id"] for row in tracker.rows()):
        tracker.write(id_, lease_until=clock() + 60)
    time.now += 600
    assert rescuer.rescue_lost() == 0
    assert tracker.states() == [State.RUNNING] * 3


def test_a_live_process_that_stays_silent_loses_its_work(
    runtime: WorkerRuntime, tracker: Tracker, rescuer: Rescuer, time: Clock
) -> None:
    hold(tracker, runtime.process_id, lease_seconds=-1.0)
    assert rescuer.rescue_lost() == 0
    time.now += runtime.settings.lease_seconds
    assert rescuer.rescue_lost() == 3


def test_a_process_on_another_host_is_judged_by_its_lease(
    runtime: WorkerRuntime, tracker: Tracker, rescuer: Rescuer
) -> None:
    hold(tracker, "elsewhere-1-abcdef", lease_seconds=600)
    assert rescuer.rescue_lost() == 0
    for id_ in (row["id"] for row in tracker.rows()):
        tracker.write(id_, lease_until=clock() - 1)
    assert rescuer.rescue_lost() == 3


def test_what_a_known_dead_worker_held_is_rescued_and_nothing_else(tracker: Tracker, rescuer: Rescuer) -> None:
    hold(tracker, "dead-worker", lease_seconds=600)
    tracker.submit(["file:///other"])
    tracker.claim(tracker.queue(), worker="live-worker")
    assert rescuer.rescue_worker("dead-worker") == 3
    assert tracker.states() == [State.PENDING] * 3 + [State.RUNNING]


def depths(chunk: int) -> dict[str, int]:
    return {stage: chunk if stage == "chunk" else 0 for stage in stages.names()}


def test_messages_are_sent_again_when_their_queue_is_empty(tracker: Tracker, rescuer: Rescuer) -> None:
    tracker.submit(URIS)
    for id_ in tracker.queue():
        tracker.write(id_, dispatched_at=clock() - 5)
    assert rescuer.requeue_lost_messages(depths(chunk=7), settled_seconds=1) == 0
    assert rescuer.requeue_lost_messages(depths(chunk=0), settled_seconds=60) == 0
    assert rescuer.requeue_lost_messages(depths(chunk=0), settled_seconds=1) == 3


def test_a_message_that_is_long_overdue_is_sent_again_though_others_are_out(tracker: Tracker, rescuer: Rescuer) -> None:
    tracker.submit(URIS)
    for id_ in tracker.queue():
        tracker.write(id_, dispatched_at=clock() - 3600)
    assert rescuer.requeue_lost_messages(depths(chunk=7), settled_seconds=1) == 3


def fetch(tracker: Tracker, run_folder: Path) -> Presence:
    """Six messages are out when a worker dies that had taken some of them."""
    tracker.submit([f"file:///{n}" for n in range(6)])
    tracker.queue()
    with Presence(run_folder) as dead, tracker.database.write() as connection:
        presence.register_worker(connection, dead.id, host="here", pid=1, queues=["chunk"])
    return dead


def move_back(tracker: Tracker, dead: Presence, seconds: float) -> None:
    with tracker.database.write() as connection:
        ended = worker.update().where(worker.c.id == dead.id)
        connection.execute(ended.values(stopped_at=worker.c.stopped_at - seconds))
        connection.execute(work.update().values(dispatched_at=work.c.dispatched_at - seconds))


def test_what_a_dead_process_had_fetched_is_sent_again_once_the_living_had_a_moment(
    runtime: WorkerRuntime, tracker: Tracker, rescuer: Rescuer
) -> None:
    dead = fetch(tracker, runtime.run_folder)
    assert rescuer.requeue_fetched(reach_seconds=0.0) == 0, "some of it may only wait in the queue"
    taken, *_ = (row["id"] for row in tracker.rows())
    tracker.claim([taken])
    move_back(tracker, dead, FETCHED_SECONDS)
    assert rescuer.requeue_fetched(reach_seconds=0.0) == 5
    assert tracker.states() == [State.RUNNING] + [State.PENDING] * 5
    tracker.queue()
    assert rescuer.requeue_fetched(reach_seconds=0.0) == 0, "it was sent after the death"


def test_what_a_poll_brought_after_the_death_is_sent_again_too(
    runtime: WorkerRuntime, tracker: Tracker, rescuer: Rescuer
) -> None:
    dead = fetch(tracker, runtime.run_folder)
    rescuer.requeue_fetched(reach_seconds=0.0)
    move_back(tracker, dead, 20.0)
    for id_, since_death in zip((row["id"] for row in tracker.rows()), (9, 11, 13, 15, 17, 19), strict=True):
        tracker.write(id_, dispatched_at=clock() - 20.0 + since_death)
    assert rescuer.requeue_fetched(reach_seconds=0.0) == 0
    assert rescuer.requeue_fetched(reach_seconds=14.0) == 3, "the fourth was sent when its poll had ended"


def test_what_others_fetched_stays_out(runtime: WorkerRuntime, tracker: Tracker, rescuer: Rescuer) -> None:
    dead = fetch(tracker, runtime.run_folder)
    with tracker.database.write() as connection:
        connection.execute(worker.update().where(worker.c.id == dead.id).values(queues=["embed"]))
    rescuer.requeue_fetched(reach_seconds=0.0)
    move_back(tracker, dead, FETCHED_SECONDS)
    assert rescuer.requeue_fetched(reach_seconds=0.0) == 0


def test_presence_survives_nothing_but_the_process(tmp_path: Path, runtime: WorkerRuntime) -> None:
    from embedmill.shared.presence import is_gone

    with Presence(runtime.run_folder) as presence:
        assert is_gone(runtime.run_folder, presence.id) is False
    assert is_gone(runtime.run_folder, presence.id) is True
