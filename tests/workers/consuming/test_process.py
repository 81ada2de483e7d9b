"""A process as its tasks see it: company, suspects, what is given back, and when it has done its share."""

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from embedmill.shared import stages
from embedmill.shared.db import settlement
from embedmill.shared.db.leases import Lease
from embedmill.shared.outcomes import Advance, Complete, Outcome
from embedmill.shared.states import Result, State
from embedmill.workers import tasks
from embedmill.workers.consuming.process import Process
from embedmill.workers.messages import BatchMessage
from embedmill.workers.runtime import WorkerRuntime
from tests.logs import captured_logs
from tests.shared.db.tracker import Tracker
from tests.waiting import wait_until


class Ended(Process):
    """Notes that it would end instead of ending the tests."""

    ended = 0

    def end(self) -> None:  # type: ignore[override]
        self.ended += 1


@pytest.fixture
def process(runtime: WorkerRuntime) -> Iterator[Ended]:
    made = Ended()
    made.begin(runtime)
    yield made
    for thread_runtime in made._made:
        thread_runtime.close()


def complete(_: WorkerRuntime, claim: Lease) -> Mapping[int, Outcome]:
    return {item.id: Complete(Result.INDEXED) for item in claim.items}


def share(process: Process, slots: int) -> None:
    """Make it a process with threads."""
    process.begin(process.require_runtime(), slots=slots, is_shared=True)


def queue(tracker: Tracker, count: int) -> list[int]:
    tracker.submit([f"file:///{n}" for n in range(count)])
    return tracker.queue()


def test_nobody_waits_for_texts_of_others_while_a_message_is_alone(process: Ended, tracker: Tracker) -> None:
    share(process, 4)
    full: list[bool] = []

    def look(runtime: WorkerRuntime, claim: Lease) -> Mapping[int, Outcome]:
        full.append(runtime.streams.is_full())
        return complete(runtime, claim)

    company, suspect = queue(tracker, 2)
    process.work(BatchMessage("chunk", (company,)), look)
    process.work(BatchMessage("chunk", (suspect,), alone=True), look)
    assert full == [False, True]


def test_a_claim_is_alone_only_if_nothing_else_can_run_beside_it(process: Ended, tracker: Tracker) -> None:
    ids = queue(tracker, 3)
    process.work(BatchMessage("chunk", (ids[0],)), complete)
    share(process, 4)
    process.work(BatchMessage("chunk", (ids[1],)), complete)
    process.work(BatchMessage("chunk", (ids[2],), alone=True), complete)
    assert [row["claimed_with"] for row in tracker.rows()] == [1, 2, 1]


def test_a_suspect_runs_with_nothing_else_in_the_process(process: Ended, tracker: Tracker) -> None:
    share(process, 4)
    ids = queue(tracker, 12)
    running: list[int] = []
    together: dict[int, int] = {}
    lock = threading.Lock()

    def stage(runtime: WorkerRuntime, claim: Lease) -> Mapping[int, Outcome]:
        id_ = claim.items[0].id
        with lock:
            running.append(id_)
        threading.Event().wait(0.01)
        with lock:
            together[id_] = len(running)
            running.remove(id_)
        return complete(runtime, claim)

    suspects = ids[3::4]
    with ThreadPoolExecutor(12) as threads:
        messages = [BatchMessage("chunk", (id_,), alone=id_ in suspects) for id_ in ids]
        list(threads.map(lambda message: process.work(message, stage), messages))
    assert [together[id_] for id_ in suspects] == [1] * 3
    assert set(tracker.states()) == {State.COMPLETED}


def test_every_thread_has_a_runtime_of_its_own_over_one_database(process: Ended, tracker: Tracker) -> None:
    share(process, 3)
    seen: dict[str, WorkerRuntime] = {}
    barrier = threading.Barrier(3, timeout=30)

    def stage(runtime: WorkerRuntime, claim: Lease) -> Mapping[int, Outcome]:
        barrier.wait()
        seen[runtime.owner] = runtime
        return complete(runtime, claim)

    messages = [BatchMessage("chunk", (id_,)) for id_ in queue(tracker, 3)]
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda message: process.work(message, stage), messages))
    assert len(seen) == 3
    assert {id(r.database) for r in seen.values()} == {id(process.require_runtime().database)}
    assert len({id(r.cache) for r in seen.values()}) == len({id(r.blobs) for r in seen.values()}) == 3
    assert len({id(r.embedder("hash")) for r in seen.values()}) == 1
    assert {r.process_id for r in seen.values()} == {process.require_runtime().process_id}


def test_what_waits_at_the_gate_when_it_closes_is_given_back(process: Ended, tracker: Tracker) -> None:
    share(process, 1)
    first, second = queue(tracker, 2)
    begun, finish = threading.Event(), threading.Event()

    def stage(runtime: WorkerRuntime, claim: Lease) -> Mapping[int, Outcome]:
        begun.set()
        finish.wait(30)
        return complete(runtime, claim)

    with ThreadPoolExecutor(2) as threads:
        running = threads.submit(process.work, BatchMessage("chunk", (first,)), stage)
        begun.wait(30)
        waiting = threads.submit(process.work, BatchMessage("chunk", (second,)), stage)
        wait_until(lambda: len(process._made) == 2, "the second message is in hand")
        process.gate.close()
        waiting.result(timeout=30)
        assert [row["state"] for row in tracker.rows()] == ["running", "pending"]
        finish.set()
        running.result(timeout=30)
    assert tracker.states() == [State.COMPLETED, State.PENDING]


def test_a_process_ends_after_its_share_of_batches(process: Ended, tracker: Tracker) -> None:
    process.begin(process.require_runtime(), max_batches=2)
    ended: list[Any] = []
    for id_ in queue(tracker, 2):
        process.work(BatchMessage("chunk", (id_,)), complete)
        ended.append((process.ended, process.is_spent))
    assert ended == [(0, False), (1, True)]


def test_what_goes_wrong_outside_of_a_stage_is_said_and_its_work_comes_back(
    process: Ended, tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise KeyError("odd")

    monkeypatch.setattr(tasks, "process", process)
    monkeypatch.setattr(settlement, "settle", fail)
    (id_,) = queue(tracker, 1)
    with captured_logs() as logs, pytest.raises(KeyError):
        tasks.run("chunk", (BatchMessage("chunk", (id_,)).encode(),))
    assert [(e["stage"], e["work"], e["error_class"]) for e in logs if e["event"] == "batch.failed"] == [
        ("chunk", (id_,), "KeyError")
    ]
    assert not process.is_busy
    assert tracker.states() == [State.RUNNING], "until its lease runs out"


def test_a_batch_goes_on_in_the_process_that_has_it_while_nobody_elses_waits(
    process: Ended, tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[BatchMessage] = []
    monkeypatch.setattr(process, "publish", sent.append)
    waiting = {"embed"}
    process.begin(process.require_runtime(), may_go_on=lambda stage: stage not in waiting)
    ran: list[str] = []

    def find(stage: str) -> Any:
        def run(_: WorkerRuntime, claim: Lease) -> Mapping[int, Outcome]:
            ran.append(stage)
            following = stages.names()[stages.names().index(stage) + 1]
            # The last of them has no text, and skips what asks for one.
            last = claim.items[-1].id if stage == "chunk" else 0
            return {item.id: Advance("index" if item.id == last else following) for item in claim.items}

        return run

    ids = queue(tracker, 3)
    process.work_through(BatchMessage("chunk", tuple(ids)), find)
    assert ran == ["chunk", "validate"]
    assert sent == [BatchMessage("index", (ids[2],)), BatchMessage("embed", tuple(ids[:2]))]
    assert [row["state"] for row in tracker.rows()] == [State.QUEUED] * 3
    assert [(row["attempt"], row["epoch"]) for row in tracker.rows()] == [(0, 2), (0, 2), (0, 1)]
    process.gate.close()
    waiting.clear()
    process.work_through(sent[-1], find)
    assert [row["state"] for row in tracker.rows()] == [State.PENDING, State.PENDING, State.QUEUED]
