"""The executor: whatever a stage does, the batch ends in a recorded outcome and the worker lives."""

from collections.abc import Mapping, Sequence

import pytest

from embedmill.shared.db import pools
from embedmill.shared.db.leases import Lease, WorkItem
from embedmill.shared.db.schema import attempt
from embedmill.shared.errors import FlowControl, StorageFailed, UnreadableDocument
from embedmill.shared.outcomes import Advance, Complete, Fail, Outcome, Park
from embedmill.shared.states import Result, State
from embedmill.workers.executor import bisect, execute, hand_back
from embedmill.workers.messages import BatchMessage
from embedmill.workers.runtime import WorkerRuntime
from tests.shared.db.tracker import Tracker
from tests.waiting import wait_until

URIS = [f"file:///{n}" for n in range(3)]


class Odd(BaseException):
    """Not even an Exception."""


def send(runtime: WorkerRuntime, tracker: Tracker, stage: object) -> list[BatchMessage]:
    """Run a stage over three queued documents; returns what was published."""
    tracker.submit(URIS)
    published: list[BatchMessage] = []
    execute(runtime, BatchMessage("chunk", tuple(tracker.queue())), stage, published.append)  # type: ignore[arg-type]
    return published


def test_the_next_message_leaves_after_the_commit(runtime: WorkerRuntime, tracker: Tracker) -> None:
    states: list[list[State]] = []

    def publish(message: BatchMessage) -> None:
        states.append(tracker.states())

    tracker.submit(URIS)
    message = BatchMessage("chunk", tuple(tracker.queue()))
    execute(runtime, message, lambda _, claim: {i.id: Advance("embed") for i in claim.items}, publish)
    assert states == [[State.QUEUED] * 3]


@pytest.mark.parametrize(
    "error", [MemoryError(), SystemExit(3), KeyboardInterrupt(), RecursionError(), Odd()], ids=repr
)
def test_whatever_a_stage_raises_becomes_a_recorded_attempt(
    runtime: WorkerRuntime, tracker: Tracker, error: BaseException
) -> None:
    def stage(_: WorkerRuntime, claim: Lease) -> Mapping[int, Outcome]:
        raise error

    assert send(runtime, tracker, stage) == []
    assert tracker.states() == [State.WAITING] * 3
    assert {row["error_class"] for row in tracker.rows(attempt)} == {type(error).__name__}


def test_flow_control_parks_and_uses_up_no_attempt(runtime: WorkerRuntime, tracker: Tracker) -> None:
    def stage(_: WorkerRuntime, claim: Lease) -> Mapping[int, Outcome]:
        raise FlowControl("slow down", reason="rate", retry_after_seconds=9.0)

    send(runtime, tracker, stage)
    assert [(row["state"], row["wait_reason"], row["attempt"]) for row in tracker.rows()] == [
        ("waiting", "rate", 0)
    ] * 3


def test_a_full_disk_hands_the_batch_back_and_ends_the_worker(runtime: WorkerRuntime, tracker: Tracker) -> None:
    def stage(_: WorkerRuntime, claim: Lease) -> Mapping[int, Outcome]:
        raise StorageFailed("no room")

    with pytest.raises(StorageFailed):
        send(runtime, tracker, stage)
    assert [(row["state"], row["attempt"]) for row in tracker.rows()] == [(State.PENDING, 0)] * 3


def test_a_message_whose_work_is_gone_runs_no_stage(runtime: WorkerRuntime, tracker: Tracker) -> None:
    def stage(_: WorkerRuntime, claim: Lease) -> Mapping[int, Outcome]:
        raise AssertionError("nothing was claimed")

    execute(runtime, BatchMessage("chunk", (1, 2, 3)), stage, lambda _: None)
    assert tracker.rows(attempt) == []


def test_work_of_a_queue_that_was_paused_meanwhile_goes_back(runtime: WorkerRuntime, tracker: Tracker) -> None:
    def stage(_: WorkerRuntime, claim: Lease) -> Mapping[int, Outcome]:
        raise AssertionError("nothing was claimed")

    with runtime.database.write() as connection:
        pools.pause_pool(connection, "embed")
    send(runtime, tracker, lambda _, claim: {i.id: Advance("embed") for i in claim.items})
    ids = tuple(row["id"] for row in tracker.rows())
    assert execute(runtime, BatchMessage("embed", ids), stage, lambda _: None) == 0
    assert [(row["state"], row["stage"], row["attempt"]) for row in tracker.rows()] == [("pending", "embed", 0)] * 3


def test_what_is_handed_back_is_free_at_once_and_its_stage_has_no_effect(
    runtime: WorkerRuntime, tracker: Tracker
) -> None:
    def stage(_: WorkerRuntime, claim: Lease) -> Mapping[int, Outcome]:
        (held,) = runtime.held.claims()
        hand_back(runtime, held)
        assert tracker.states() == [State.PENDING] * 3
        return {item.id: Complete(Result.INDEXED) for item in claim.items}

    assert send(runtime, tracker, stage) == []
    assert [(row["state"], row["attempt"], row["crashes"]) for row in tracker.rows()] == [("pending", 0, 0)] * 3
    assert runtime.held.claims() == []


def test_a_long_stage_keeps_its_lease(runtime: WorkerRuntime, tracker: Tracker) -> None:
    def stage(_: WorkerRuntime, claim: Lease) -> Mapping[int, Outcome]:
        first = tracker.rows()[0]["lease_until"]
        wait_until(lambda: tracker.rows()[0]["lease_until"] > first, "the lease was extended")
        return {item.id: Complete(Result.INDEXED) for item in claim.items}

    send(runtime, tracker, stage)
    assert tracker.states() == [State.COMPLETED] * 3


def test_a_stage_that_lost_its_lease_has_no_effect(runtime: WorkerRuntime, tracker: Tracker) -> None:
    def stage(_: WorkerRuntime, claim: Lease) -> Mapping[int, Outcome]:
        tracker.rescue(claim)
        return {item.id: Complete(Result.INDEXED) for item in claim.items}

    assert send(runtime, tracker, stage) == []
    assert tracker.states() == [State.PENDING] * 3
    assert {row["outcome"] for row in tracker.rows(attempt)} == {"lost"}


def items(tracker: Tracker, count: int) -> Sequence[WorkItem]:
    return tracker.take([f"file:///{n}" for n in range(count)]).items


@pytest.mark.parametrize("culprit", range(5))
def test_bisection_finds_the_bad_member_and_spares_the_others(tracker: Tracker, culprit: int) -> None:
    batch = items(tracker, 5)

    def call(part: Sequence[WorkItem]) -> Mapping[int, Outcome]:
        if batch[culprit] in part:
            raise UnreadableDocument("bad")
        return {item.id: Complete(Result.INDEXED) for item in part}

    outcomes = bisect(batch, call)
    assert [isinstance(outcomes[item.id], Fail) for item in batch] == [n == culprit for n in range(5)]


def test_bisection_of_a_batch_without_a_fault_is_one_call(tracker: Tracker) -> None:
    calls: list[int] = []

    def call(part: Sequence[WorkItem]) -> Mapping[int, Outcome]:
        calls.append(len(part))
        return {item.id: Complete(Result.INDEXED) for item in part}

    bisect(items(tracker, 8), call)
    assert calls == [8]


def test_flow_control_breaks_no_batch(tracker: Tracker) -> None:
    calls: list[int] = []

    def call(part: Sequence[WorkItem]) -> Mapping[int, Outcome]:
        calls.append(len(part))
        raise FlowControl("slow down", reason="rate", retry_after_seconds=1.0)

    outcomes = bisect(items(tracker, 8), call)
    assert calls == [8]
    assert all(isinstance(outcome, Park) for outcome in outcomes.values())


def test_a_full_disk_is_nobody_s_fault(tracker: Tracker) -> None:
    def call(part: Sequence[WorkItem]) -> Mapping[int, Outcome]:
        raise StorageFailed("no room")

    with pytest.raises(StorageFailed):
        bisect(items(tracker, 2), call)
