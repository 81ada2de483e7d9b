"""The fault of a provider: documents wait for it without using up attempts, for as long as the setting says."""

import dataclasses
from collections.abc import Sequence

import pytest

from embedmill.shared.db import flow, settlement
from embedmill.shared.db.clock import read_clock
from embedmill.shared.db.leases import Lease
from embedmill.shared.db.replays import replay_letters
from embedmill.shared.db.schema import attempt, dead_letter
from embedmill.shared.db.settlement import RetryPolicy
from embedmill.shared.errors import FlowControl, ProviderUnavailable
from embedmill.shared.letters import LetterFilter
from embedmill.shared.outcomes import Advance, Fail, Outcome, Park
from embedmill.shared.states import State
from embedmill.workers.executor import outcome_of
from tests.shared.db.tracker import Tracker

RETRY = RetryPolicy(base=2.0, longest=300.0, outage=1800.0, draw=lambda: 0.5)
DOWN = ProviderUnavailable("openai answered 500", may_be_billed=False)


def settle(tracker: Tracker, claim: Lease, outcome: Outcome) -> None:
    with tracker.database.write() as connection:
        settlement.settle(connection, claim, {item.id: outcome for item in claim.items}, retry=RETRY)


def now(tracker: Tracker) -> float:
    with tracker.database.read() as connection:
        return read_clock(connection)


def let_pass(tracker: Tracker, seconds: float) -> None:
    """As if so much time had gone by for the one document."""
    (row,) = tracker.rows()
    moved = {name: row[name] - seconds for name in ("available_at", "failing_since") if row[name] is not None}
    tracker.write(row["id"], **moved)


def fail_again(tracker: Tracker, seconds: float, outcome: Outcome) -> float:
    """Let time pass, or what is left to wait, fail once more, and return for how long the document waits then."""
    (row,) = tracker.rows()
    let_pass(tracker, max(seconds, (row["available_at"] or 0) - now(tracker)))
    queued = tracker.queue()
    assert queued, "its wait was over"
    settle(tracker, tracker.claim(queued), outcome)
    (row,) = tracker.rows()
    return float(row["available_at"] or 0) - now(tracker)


def test_pauses_grow_and_are_bounded_and_the_last_ends_with_the_patience() -> None:
    assert [RETRY.outage_delay(seconds) for seconds in (0, 1, 8, 60, 400, 1790)] == [2, 2, 8, 60, 300, 10]
    assert RETRY.outage_delay(1800) == 2
    drawn = iter([0.0, 1.0])
    jittered = dataclasses.replace(RETRY, draw=lambda: next(drawn))
    assert [jittered.outage_delay(100) for _ in range(2)] == [75, 125]


def test_what_failed_together_comes_back_together(tracker: Tracker) -> None:
    claim, drawn = tracker.take(["file:///a", "file:///b"]), iter([0.0, 1.0])
    uneven = dataclasses.replace(RETRY, draw=lambda: next(drawn))
    with tracker.database.write() as connection:
        settlement.settle(connection, claim, {item.id: Fail(DOWN) for item in claim.items}, retry=uneven)
    first, second = (row["available_at"] for row in tracker.rows())
    assert abs(first - second) < 0.5, "drawn apart, it is a second"


def test_a_document_waits_for_its_provider_and_uses_up_no_attempt(tracker: Tracker) -> None:
    settle(tracker, tracker.take(["file:///a"], max_attempts=1), Fail(DOWN))
    waits = [fail_again(tracker, seconds, Fail(DOWN)) for seconds in (3, 5, 9, 18, 36, 72, 145, 290, 301)]
    (row,) = tracker.rows()
    assert (row["state"], row["wait_reason"], row["attempt"]) == (State.WAITING, "circuit", 0)
    assert row["reason"] == "ProviderUnavailable: openai answered 500"
    assert [round(wait) for wait in waits] == sorted(round(wait) for wait in waits)
    assert 3 <= round(waits[0], 2) < 60 and 250 < waits[-1] <= 300
    assert {row["outcome"] for row in tracker.rows(attempt)} == {"error"}


def test_it_is_buried_when_the_patience_is_over_with_a_hint_that_says_so_and_a_replay_begins_anew(
    tracker: Tracker,
) -> None:
    settle(tracker, tracker.take(["file:///a"]), Fail(DOWN))
    for seconds in (600, 1190):
        fail_again(tracker, seconds, Fail(DOWN))
    assert tracker.states() == [State.WAITING]
    fail_again(tracker, 11, Fail(DOWN))
    assert tracker.states() == [State.DEAD]
    (letter,) = tracker.rows(dead_letter)
    assert (letter["error_class"], letter["error"]) == ("ProviderUnavailable", "openai answered 500")
    assert "30 minutes (EMBEDMILL_OUTAGE_MINUTES)" in letter["hint"] and "dlq replay" in letter["hint"]
    replay_letters(tracker.database, LetterFilter(ids=[letter["id"]]), by="test")
    settle(tracker, tracker.claim(tracker.queue()), Fail(DOWN))
    assert tracker.states() == [State.WAITING]


def test_what_is_tried_once_a_day_has_its_tries_before_it_is_buried(tracker: Tracker) -> None:
    settle(tracker, tracker.take(["file:///a"], max_attempts=3), Fail(DOWN))
    fail_again(tracker, 86_400, Fail(DOWN))
    assert tracker.states() == [State.WAITING]
    fail_again(tracker, 86_400, Fail(DOWN))
    assert tracker.states() == [State.DEAD]


@pytest.mark.parametrize("between", [Advance("embed"), Fail(RuntimeError("odd"))], ids=["success", "another error"])
def test_an_answer_ends_the_run_of_failures(tracker: Tracker, between: Outcome) -> None:
    settle(tracker, tracker.take(["file:///a"]), Fail(DOWN))
    fail_again(tracker, 1700, between)
    assert tracker.rows()[0]["failing_since"] is None


def test_a_wait_for_a_rate_does_not(tracker: Tracker) -> None:
    settle(tracker, tracker.take(["file:///a"]), Fail(DOWN))
    fail_again(tracker, 1700, Park("rate", 1.0))
    assert tracker.rows()[0]["failing_since"] < now(tracker) - 1600


def test_what_a_circuit_holds_back_waits_without_an_end_and_what_was_its_probe_does_not(tracker: Tracker) -> None:
    held_back = outcome_of(FlowControl("left alone", reason="circuit", retry_after_seconds=5.0))
    probed = outcome_of(FlowControl("left alone", reason="circuit", retry_after_seconds=300.0, failure=DOWN))
    settle(tracker, tracker.take(["file:///a"]), held_back)
    fail_again(tracker, 7200, held_back)
    assert (tracker.states(), tracker.rows()[0]["failing_since"]) == ([State.WAITING], None)
    assert 290 < fail_again(tracker, 10, probed) <= 300
    fail_again(tracker, 700, probed)
    fail_again(tracker, 1900, probed)
    assert tracker.states() == [State.DEAD]


def test_work_that_waits_for_its_provider_goes_on_when_a_circuit_closes(tracker: Tracker) -> None:
    settle(tracker, tracker.take(["file:///a"]), Fail(DOWN))
    with tracker.database.write() as connection:
        assert flow.wake_circuit(connection) == 1
    assert tracker.states() == [State.PENDING] and tracker.rows()[0]["failing_since"] is not None


FLOW: Sequence[FlowControl] = [
    FlowControl("429", reason="rate", retry_after_seconds=0.0),
    FlowControl("529", reason="circuit", retry_after_seconds=0.0),
    FlowControl("503 with Retry-After", reason="circuit", retry_after_seconds=0.0),
    FlowControl("402", reason="budget", retry_after_seconds=0.0, is_woken=True),
    FlowControl("left alone", reason="circuit", retry_after_seconds=0.0, failure=DOWN),
]


@pytest.mark.parametrize("error", FLOW, ids=str)
def test_flow_control_uses_up_no_attempt_however_often_it_comes(tracker: Tracker, error: FlowControl) -> None:
    claim = tracker.take(["file:///a"], max_attempts=1)
    for _ in range(5):
        settle(tracker, claim, outcome_of(error))
        assert (tracker.states(), tracker.rows()[0]["attempt"]) == ([State.WAITING], 0)
        let_pass(tracker, 1.0)
        claim = tracker.claim(tracker.queue())
