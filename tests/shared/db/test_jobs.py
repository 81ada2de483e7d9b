"""Jobs: pause, resume, cancel, and the one condition under which a job is complete."""

import pytest

from shared.db import jobs
from shared.errors import IllegalTransition, NotFound, UnreadableDocument
from shared.outcomes import Advance, Complete, Fail, Outcome
from shared.states import JobState, Result, Stage, State
from tests.shared.db.tracker import Tracker

URIS = [f"file:///{n}" for n in range(3)]


def test_a_job_completes_only_when_its_scan_and_its_work_have_ended(tracker: Tracker) -> None:
    claim = tracker.take(URIS)
    assert tracker.complete_jobs() == []
    tracker.end_scan()
    assert tracker.complete_jobs() == []
    tracker.index(claim)
    assert tracker.complete_jobs() == [tracker.job]
    assert tracker.get_job().state is JobState.COMPLETED


def test_a_job_whose_work_ended_before_its_scan_stays_open(tracker: Tracker) -> None:
    tracker.index(tracker.take(URIS))
    assert tracker.complete_jobs() == []


def test_an_empty_scan_completes(tracker: Tracker) -> None:
    tracker.end_scan()
    assert tracker.complete_jobs() == [tracker.job]


def test_a_job_with_dead_letters_completes(tracker: Tracker) -> None:
    tracker.end_scan()
    tracker.settle(tracker.take(URIS), Fail(UnreadableDocument("torn")))
    assert tracker.complete_jobs() == [tracker.job]
    assert tracker.progress().documents["dead"] == 3


def test_pausing_stops_dispatch_and_resuming_lets_everything_go_on(tracker: Tracker) -> None:
    tracker.submit(URIS)
    tracker.queue(limit=1)
    tracker.control("pause_job")
    assert tracker.states() == [State.WAITING] * 3
    assert tracker.queue() == []
    tracker.end_scan()
    assert tracker.complete_jobs() == []
    tracker.control("resume_job")
    assert len(tracker.claim(tracker.queue()).items) == 3


@pytest.mark.parametrize("outcome", [Advance(Stage.EMBED), Fail(RuntimeError("odd"))], ids=["advance", "retry"])
def test_what_ran_while_its_job_was_paused_is_not_lost(tracker: Tracker, outcome: Outcome) -> None:
    claim = tracker.take(URIS)
    tracker.control("pause_job")
    tracker.settle(claim, outcome)
    tracker.control("resume_job")
    assert len(tracker.queue()) == 3


def test_cancelling_ends_what_waits_now_and_what_runs_later(tracker: Tracker) -> None:
    tracker.submit(URIS)
    claim = tracker.claim(tracker.queue(limit=1))
    tracker.control("cancel_job")
    assert tracker.states() == [State.RUNNING, State.CANCELLED, State.CANCELLED]
    assert tracker.settle(claim, Advance(Stage.EMBED)) == {}
    assert tracker.states() == [State.CANCELLED] * 3
    assert tracker.progress().documents["cancelled"] == 3


def test_what_was_indexed_when_its_job_was_cancelled_counts(tracker: Tracker) -> None:
    claim = tracker.take(URIS)
    tracker.control("cancel_job")
    tracker.settle(claim, Complete(Result.INDEXED))
    assert tracker.states() == [State.COMPLETED] * 3


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("cancel_job", "resume_job"),
        ("cancel_job", "pause_job"),
        ("cancel_job", "cancel_job"),
        ("pause_job", "pause_job"),
    ],
)
def test_a_job_refuses_what_its_state_does_not_allow(tracker: Tracker, first: str, then: str) -> None:
    tracker.control(first)
    before = tracker.get_job()
    with pytest.raises(IllegalTransition, match="a job cannot go from"):
        tracker.control(then)
    assert tracker.get_job() == before


def test_an_unknown_job_is_named(tracker: Tracker) -> None:
    with pytest.raises(NotFound, match="no job 999"):
        tracker.control("pause_job", 999)


def test_the_open_job_of_the_same_sources_is_found_and_a_finished_one_is_not(tracker: Tracker) -> None:
    def find() -> jobs.Job | None:
        with tracker.database.read() as connection:
            return jobs.find_open_job(connection, collection_id=tracker.collection.id, identity="job")

    found = find()
    assert found is not None and found.id == tracker.job
    tracker.end_scan()
    tracker.complete_jobs()
    assert find() is None


def test_the_documents_of_a_finished_job_add_up(tracker: Tracker) -> None:
    claim = tracker.take([f"file:///{n}" for n in range(4)])
    first, second, third, fourth = (item.id for item in claim.items)
    tracker.settle(
        claim,
        {
            first: Complete(Result.INDEXED),
            second: Complete(Result.SKIPPED, "empty"),
            third: Fail(UnreadableDocument("torn")),
            fourth: Complete(Result.INDEXED),
        },
    )
    with tracker.database.write() as connection:
        jobs.note_scan(
            connection,
            tracker.job,
            [
                {"kind": "skipped", "uri": "file:///fifo", "line": None, "reason": "a FIFO"},
                {"kind": "problem", "uri": "file:///rows", "line": 3, "reason": "no JSON"},
            ],
        )
    counts = tracker.progress().documents
    parts = ("completed", "unchanged", "skipped", "dead", "cancelled")
    assert counts["total"] == sum(counts[part] for part in parts) == 6
    assert (counts["completed"], counts["skipped"], counts["dead"]) == (2, 3, 1)
