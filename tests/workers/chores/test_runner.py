"""The chores of a process: one that fails keeps no other from its turn."""

from collections.abc import Callable
from typing import Any, Never

import pytest

from embedmill.shared.errors import FlowControl, StorageFailed, TransactionLost
from embedmill.shared.states import JobState
from embedmill.workers.brokers.table import open_broker
from embedmill.workers.chores import runner
from embedmill.workers.chores.runner import ChoreRunner
from embedmill.workers.runtime import WorkerRuntime
from tests.logs import captured_logs
from tests.shared.db.tracker import Tracker
from tests.waiting import wait_until


def failing(error: Exception) -> Callable[..., Never]:
    def fail(*_: Any, **__: Any) -> Never:
        raise error

    return fail


def chores_of(made: ChoreRunner) -> dict[str, runner.Chore]:
    return {chore.name: chore for chore in made._chores}


def test_a_chore_that_fails_keeps_no_other_from_its_turn_and_waits_for_its_next(
    runtime: WorkerRuntime, tracker: Tracker
) -> None:
    made = ChoreRunner(runtime, open_broker(runtime.settings))
    chores = chores_of(made)
    first, last = chores["reconcile"], chores["clean"]
    done: list[str] = []
    first.run, first.seconds, first.due = failing(RuntimeError("odd")), 60.0, 0.0
    last.run, last.due = (lambda: done.append("clean")), 0.0
    with captured_logs() as logs, made:
        wait_until(lambda: done, "the last chore has its turn")
        ended = tracker.create_job("ended")
        tracker.end_scan(ended)
        wait_until(lambda: tracker.get_job(ended).state == JobState.COMPLETED, "the others go on")
    failures = [entry for entry in logs if entry["event"] == "chores.failed"]
    assert [(entry["chore"], entry["error_class"]) for entry in failures] == [("reconcile", "RuntimeError")]
    assert made.failure is None


def test_lost_messages_are_looked_for_while_there_are_any(runtime: WorkerRuntime, tracker: Tracker) -> None:
    looked: list[str] = []
    for place in ("nothing is queued", "work is queued"):
        made = ChoreRunner(runtime, open_broker(runtime.settings))
        requeue = chores_of(made)["requeue"]
        requeue.run, requeue.due = (lambda place=place: looked.append(place)), 0.0  # type: ignore[misc]
        made._tick()
        tracker.submit(["file:///a"])
        tracker.queue()
    assert looked == ["work is queued"]


def test_a_job_that_ends_between_two_turns_is_completed_at_once(runtime: WorkerRuntime, tracker: Tracker) -> None:
    made = ChoreRunner(runtime, open_broker(runtime.settings))
    made._hold()
    made._tick()
    job_id = tracker.create_job("ends")
    assert not made._sees_end(), "its sources are still read"
    tracker.end_scan(job_id)
    assert made._sees_end()
    made._tick()
    assert tracker.get_job(job_id).state == JobState.COMPLETED
    assert not made._sees_end(), "it has ended"


def test_a_statement_that_the_database_refuses_is_known_and_keeps_no_other_chore_from_its_turn(
    runtime: WorkerRuntime,
) -> None:
    made = ChoreRunner(runtime, open_broker(runtime.settings))
    refused = StorageFailed("the tracking database refused: no space left")
    done: list[str] = []
    chores_of(made)["tidy"].run, chores_of(made)["tidy"].due = failing(refused), 0.0
    chores_of(made)["clean"].run, chores_of(made)["clean"].due = (lambda: done.append("clean")), 0.0
    with captured_logs() as logs:
        made._tick()
    assert done == ["clean"]
    assert made.failure is refused
    assert [entry["chore"] for entry in logs if entry["event"] == "chores.storage_failed"] == ["tidy"]


def test_a_blob_store_that_cannot_be_cleaned_ends_no_process(
    runtime: WorkerRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = ChoreRunner(runtime, open_broker(runtime.settings))
    away = FlowControl("S3 is away", reason="circuit", retry_after_seconds=15.0)
    for refused in (away, StorageFailed("the bucket refused to list")):
        monkeypatch.setattr(runner, "clean", failing(refused))
        with captured_logs() as logs:
            chores_of(made)["clean"].run()
        assert [(entry["event"], entry["error"]) for entry in logs] == [("cleaner.failed", str(refused))]
    monkeypatch.setattr(runner, "clean", failing(TransactionLost("gone")))
    with pytest.raises(TransactionLost):
        chores_of(made)["clean"].run()
