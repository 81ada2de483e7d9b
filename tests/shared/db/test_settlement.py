"""Settlement: one transition per outcome, fenced by the lease that the work was claimed under."""

import contextlib
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from embedmill.shared.db.schema import attempt, dead_letter
from embedmill.shared.errors import BlobMissing, IllegalTransition, StorageFailed, UnreadableDocument
from embedmill.shared.outcomes import Advance, Complete, Fail, Outcome, Park, Return
from embedmill.shared.states import TRANSITIONS, Result, State, require_transition
from tests.shared.db.tracker import Tracker
from tests.waiting import wait_until

URIS = [f"file:///{n}" for n in range(3)]
OUTCOMES: list[Outcome] = [
    Advance("embed"),
    Complete(Result.INDEXED),
    Fail(UnreadableDocument("torn")),
    Fail(RuntimeError("odd")),
    Park("rate", 1.0),
    Return(),
]


def test_advancing_returns_the_next_stage_and_what_to_send(tracker: Tracker) -> None:
    claim = tracker.take(URIS)
    ids = [item.id for item in claim.items]
    assert tracker.settle(claim, Advance("embed", {"chunks_expected": 7})) == {"embed": ids}
    row = tracker.row(ids[0])
    assert (row["state"], row["stage"], row["chunks_expected"]) == (State.QUEUED, "embed", 7)
    assert (row["attempt"], row["crashes"], row["lease"]) == (0, 0, None)


def test_completing_says_how(tracker: Tracker) -> None:
    claim = tracker.take(URIS[:1])
    tracker.settle(claim, Complete(Result.SKIPPED, "it is empty"))
    row = tracker.row(claim.items[0].id)
    assert (row["state"], row["result"], row["reason"]) == (State.COMPLETED, Result.SKIPPED, "it is empty")
    assert row["finished_at"] is not None


@pytest.mark.parametrize("late", OUTCOMES, ids=lambda outcome: type(outcome).__name__)
def test_a_zombie_changes_nothing_after_its_lease_was_taken_away(tracker: Tracker, late: Outcome) -> None:
    zombie = tracker.take(URIS)
    tracker.rescue(zombie)
    successors = tracker.claim_each(tracker.queue())
    before = tracker.rows(), tracker.rows(attempt), tracker.rows(dead_letter)
    assert tracker.settle(zombie, late) == {}
    assert (tracker.rows(), tracker.rows(attempt), tracker.rows(dead_letter)) == before
    assert all(tracker.settle(successor, Advance("embed")) for successor in successors)


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: type(outcome).__name__)
def test_settling_twice_has_one_effect(tracker: Tracker, outcome: Outcome) -> None:
    claim = tracker.take(URIS)
    tracker.settle(claim, outcome)
    before = tracker.rows(), tracker.rows(attempt), tracker.rows(dead_letter)
    assert tracker.settle(claim, outcome) == {}
    assert (tracker.rows(), tracker.rows(attempt), tracker.rows(dead_letter)) == before


def test_every_outcome_is_recorded_as_an_attempt(tracker: Tracker) -> None:
    claim = tracker.take([f"file:///{n}" for n in range(len(OUTCOMES))])
    tracker.settle(claim, {item.id: outcome for item, outcome in zip(claim.items, OUTCOMES, strict=True)})
    found = [tracker.attempts(item.id) for item in claim.items]
    expected = ("ok", "ok", "error", "error", "parked", "returned")
    assert found == [[(1, outcome)] for outcome in expected]


def test_outcomes_within_a_batch_are_independent(tracker: Tracker) -> None:
    claim = tracker.take(URIS)
    first, second, third = (item.id for item in claim.items)
    tracker.settle(claim, {first: Advance("embed"), second: Fail(UnreadableDocument("torn")), third: Return()})
    assert tracker.states() == [State.QUEUED, State.DEAD, State.PENDING]


def test_work_without_an_outcome_is_handed_back(tracker: Tracker) -> None:
    claim = tracker.take(URIS)
    tracker.settle(claim, {})
    assert tracker.states() == [State.PENDING] * 3


def test_a_permanent_error_dies_at_once(tracker: Tracker) -> None:
    claim = tracker.take(URIS[:1])
    tracker.settle(claim, Fail(UnreadableDocument("torn at byte 7")))
    (letter,) = tracker.rows(dead_letter)
    assert tracker.states() == [State.DEAD]
    assert (letter["error_class"], letter["attempts"]) == ("UnreadableDocument", 1)
    assert letter["hint"].startswith("Open the file")


def test_an_unknown_error_is_retried_until_no_attempt_is_left(tracker: Tracker) -> None:
    claim = tracker.take(URIS[:1])
    id_ = claim.items[0].id
    for number in (1, 2):
        tracker.settle(claim, Fail(RuntimeError("odd")))
        row = tracker.row(id_)
        assert (row["state"], row["wait_reason"], row["attempt"]) == (State.WAITING, "retry", number)
        wait_until(lambda: tracker.queue() == [id_], "the retry is due")
        claim = tracker.claim([id_])
    tracker.settle(claim, Fail(RuntimeError("odd")))
    assert tracker.states() == [State.DEAD]
    assert tracker.attempts(id_) == [(1, "error"), (2, "error"), (3, "error")]


@pytest.mark.parametrize("outcome", [Park("rate", 0.0), Return()], ids=["parked", "returned"])
def test_flow_control_and_returning_use_up_no_attempt(tracker: Tracker, outcome: Outcome) -> None:
    claim = tracker.take(URIS[:1])
    id_ = claim.items[0].id
    for _ in range(5):
        tracker.settle(claim, outcome)
        assert tracker.row(id_)["attempt"] == 0
        claim = tracker.claim(tracker.queue())
    assert tracker.row(id_)["epoch"] == 6


def test_what_a_parked_document_was_told_is_seen_while_it_waits_and_in_its_attempts(tracker: Tracker) -> None:
    claim = tracker.take(URIS[:1])
    id_ = claim.items[0].id
    tracker.settle(claim, Park("key", 60.0, told="openai answered 401"))
    assert (tracker.row(id_)["wait_reason"], tracker.row(id_)["reason"]) == ("key", "openai answered 401")
    assert [row["error"] for row in tracker.rows(attempt)] == ["openai answered 401"]


def test_why_a_document_is_skipped_is_not_forgotten_while_it_is_parked(tracker: Tracker) -> None:
    claim = tracker.take(URIS[:1])
    ids = tracker.settle(claim, Advance("index", {"chunks_expected": 0, "reason": "it holds no text"}))["index"]
    tracker.settle(tracker.claim(ids, "index"), Park("key", 60.0, told="Pinecone answered 401"))
    assert tracker.row(ids[0])["reason"] == "it holds no text"


def test_a_missing_object_sends_its_document_back_to_the_first_stage(tracker: Tracker) -> None:
    claim = tracker.take(URIS[:1])
    ids = tracker.settle(claim, Advance("embed"))["embed"]
    tracker.settle(tracker.claim(ids, "embed"), Fail(BlobMissing("gone")))
    assert tracker.row(ids[0])["stage"] == "chunk"


def test_an_error_of_a_library_is_recorded_without_its_text(tracker: Tracker) -> None:
    claim = tracker.take(URIS[:1], max_attempts=1)
    tracker.settle(claim, Fail(ValueError("the patient's name is Smith")))
    (letter,) = tracker.rows(dead_letter)
    assert "Smith" not in str(letter) and "Smith" not in str(tracker.rows(attempt))


@pytest.mark.parametrize("start", list(State))
@pytest.mark.parametrize("target", list(State))
def test_only_moves_of_the_table_are_legal(start: State, target: State) -> None:
    legal = target in TRANSITIONS[start]
    with contextlib.nullcontext() if legal else pytest.raises(IllegalTransition, match=f"{start}.*{target}"):
        require_transition(start, target)


@pytest.mark.parametrize(
    "values",
    [
        {"state": "sleeping"},
        {"state": State.RUNNING},
        {"lease": "token"},
        {"lease_until": 1.0},
        {"state": State.WAITING},
        {"wait_reason": "retry"},
        {"state": State.WAITING, "wait_reason": "boredom"},
        {"state": State.COMPLETED, "result": "indexed"},
        {"state": State.COMPLETED, "finished_at": 1.0},
        {"state": State.DEAD},
        {"state": State.CANCELLED},
        {"finished_at": 1.0},
        {"result": "indexed"},
    ],
    ids=str,
)
def test_the_database_refuses_a_state_without_what_belongs_to_it(tracker: Tracker, values: dict[str, Any]) -> None:
    tracker.submit(URIS[:1])
    with pytest.raises(StorageFailed) as raised:
        tracker.write(tracker.rows()[0]["id"], **values)
    assert isinstance(raised.value.__cause__, IntegrityError)


@pytest.mark.parametrize("values", [{"state": "completed"}, {"state": "idle"}, {"finished_at": 1.0}], ids=str)
def test_the_database_refuses_a_job_that_ended_without_an_end(tracker: Tracker, values: dict[str, object]) -> None:
    with pytest.raises(StorageFailed):
        tracker.write_job(**values)


def test_one_claim_has_one_attempt_row(tracker: Tracker) -> None:
    claim = tracker.take(URIS[:1])
    tracker.settle(claim, Return())
    (row,) = tracker.rows(attempt)
    with pytest.raises(StorageFailed), tracker.database.write() as connection:
        connection.execute(attempt.insert().values({**row, "id": row["id"] + 1}))


@pytest.mark.parametrize("failed", [0, 1], ids=["all ended alike", "one failed"])
def test_each_of_a_batch_has_an_attempt_of_its_own(tracker: Tracker, failed: int) -> None:
    claim = tracker.take([f"file:///{n}" for n in range(6)])
    torn = claim.items[:failed]
    told = {item.id: Advance("embed") for item in claim.items}
    tracker.settle(claim, told | {item.id: Fail(UnreadableDocument("it's torn")) for item in torn})
    made = sorted(tracker.rows(attempt), key=lambda row: row["work_id"])
    for row, item in zip(made, claim.items, strict=True):
        assert (row["outcome"], row["error"]) == (("error", "it's torn") if item in torn else ("ok", None))
        said = row["work_id"], row["epoch"], row["attempt"], row["started_at"], row["stage"], row["worker"]
        assert said == (item.id, item.epoch, item.attempt, item.claimed_at, claim.stage, claim.worker)
        assert row["ended_at"] >= row["started_at"]
