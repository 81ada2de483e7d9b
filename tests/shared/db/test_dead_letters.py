"""Dead letters: found by filter, shown with their history, replayed or discarded once."""

import pytest

from embedmill.shared.db import dead_letters
from embedmill.shared.db.dead_letters import StoredLetter
from embedmill.shared.db.replays import replay_letters
from embedmill.shared.db.schema import dead_letter
from embedmill.shared.errors import EncryptedDocument, NotFound, UnreadableDocument
from embedmill.shared.letters import LetterFilter
from embedmill.shared.outcomes import Advance, Fail
from embedmill.shared.states import JobState, State
from tests.shared.db.tracker import Tracker

URIS = [f"file:///{n}" for n in range(3)]


def bury_three(tracker: Tracker) -> list[int]:
    """Two torn documents at the first stage and one that failed later."""
    claim = tracker.take(URIS)
    first, second, third = (item.id for item in claim.items)
    torn = {first: Fail(UnreadableDocument("page 1 torn")), second: Fail(UnreadableDocument("page 2 torn"))}
    tracker.settle(claim, torn | {third: Advance("embed")})
    tracker.settle(tracker.claim([third], "embed"), Fail(EncryptedDocument("locked")))
    tracker.end_scan()
    tracker.complete_jobs()
    return [first, second, third]


def find(tracker: Tracker, **wanted: object) -> list[str]:
    with tracker.database.read() as connection:
        letters = dead_letters.list_letters(connection, LetterFilter(**wanted))  # type: ignore[arg-type]
        assert len(letters) == dead_letters.count_letters(connection, LetterFilter(**wanted))  # type: ignore[arg-type]
    return sorted(letter.uri for letter in letters)


def replay(tracker: Tracker, **wanted: object) -> list[int]:
    return replay_letters(tracker.database, LetterFilter(**wanted), by="a test").letters  # type: ignore[arg-type]


def discard(tracker: Tracker, **wanted: object) -> list[int]:
    return dead_letters.discard_letters(tracker.database, LetterFilter(**wanted), reason="not ours")  # type: ignore[arg-type]


def test_letters_are_found_by_every_filter(tracker: Tracker) -> None:
    bury_three(tracker)
    fingerprints = {row.uri: row.fingerprint for row in listed(tracker)}
    assert find(tracker) == URIS
    assert find(tracker, stage="embed") == URIS[2:]
    assert find(tracker, error_class="UnreadableDocument") == URIS[:2]
    assert find(tracker, fingerprint=fingerprints[URIS[0]]) == URIS[:2]
    assert find(tracker, job=tracker.job) == URIS
    assert find(tracker, job=tracker.job + 1) == []
    assert find(tracker, collection="default") == URIS
    assert find(tracker, collection="other") == []
    assert find(tracker, older_than=600) == []
    assert find(tracker, newer_than=600) == URIS
    assert find(tracker, ids=[listed(tracker)[0].id]) == [listed(tracker)[0].uri]


def listed(tracker: Tracker) -> list[StoredLetter]:
    with tracker.database.read() as connection:
        return dead_letters.list_letters(connection, LetterFilter())


def test_a_letter_shows_every_attempt_at_its_document(tracker: Tracker) -> None:
    bury_three(tracker)
    (letter,) = [row for row in listed(tracker) if row.uri == URIS[2]]
    with tracker.database.read() as connection:
        shown = dead_letters.show_letter(connection, letter.id)
    assert [(row.stage, row.outcome) for row in shown.attempts] == [("chunk", "ok"), ("embed", "error")]


def test_an_unknown_letter_is_named(tracker: Tracker) -> None:
    with tracker.database.read() as connection, pytest.raises(NotFound, match="no dead letter 7"):
        dead_letters.show_letter(connection, 7)


def test_a_replay_goes_back_to_the_stage_that_failed_with_fresh_attempts(tracker: Tracker) -> None:
    *_, third = bury_three(tracker)
    assert tracker.get_job().state is JobState.COMPLETED
    assert len(replay(tracker, stage="embed")) == 1
    row = tracker.row(third)
    assert (row["state"], row["stage"], row["attempt"], row["crashes"]) == (State.PENDING, "embed", 0, 0)
    assert tracker.get_job().state is JobState.RUNNING
    assert find(tracker) == URIS[:2]


def test_history_outlives_a_replay(tracker: Tracker) -> None:
    *_, third = bury_three(tracker)
    replay(tracker, stage="embed")
    tracker.settle(tracker.claim(tracker.queue(), "embed"), Fail(EncryptedDocument("locked")))
    assert tracker.attempts(third) == [(1, "ok"), (2, "error"), (3, "error")]
    assert len(tracker.rows(dead_letter)) == 4
    assert find(tracker) == URIS


def test_a_letter_is_replayed_once(tracker: Tracker) -> None:
    bury_three(tracker)
    assert len(replay(tracker)) == 3
    assert replay(tracker) == []


def test_discarding_ends_the_work_and_keeps_the_reason(tracker: Tracker) -> None:
    bury_three(tracker)
    assert len(discard(tracker, error_class="UnreadableDocument")) == 2
    assert tracker.states() == [State.CANCELLED, State.CANCELLED, State.DEAD]
    assert {row["resolution_reason"] for row in tracker.rows(dead_letter)} == {"not ours", None}
    assert replay(tracker, error_class="UnreadableDocument") == []


def test_letters_of_a_cancelled_job_stay_where_they_are(tracker: Tracker) -> None:
    claim = tracker.take(URIS[:1])
    tracker.settle(claim, Fail(UnreadableDocument("torn")))
    tracker.control("cancel_job")
    assert replay(tracker) == []
    assert tracker.states() == [State.DEAD]
    assert find(tracker) == URIS[:1]


def test_letters_of_a_paused_job_wait_for_it(tracker: Tracker) -> None:
    claim = tracker.take(URIS[:1])
    tracker.settle(claim, Fail(UnreadableDocument("torn")))
    tracker.control("pause_job")
    replay(tracker)
    tracker.control("resume_job")
    assert len(tracker.claim(tracker.queue()).items) == 1


def test_a_superseded_letter_names_the_job_that_speaks_for_its_document_since(tracker: Tracker) -> None:
    bury_three(tracker)
    second = tracker.create_job("again")
    tracker.submit(URIS[:1], text="mended", job=second)
    assert URIS[0] not in find(tracker)
    with tracker.database.read() as connection:
        shown = dead_letters.show_letter(connection, 1).letter
        other = dead_letters.show_letter(connection, 2).letter
    assert (shown.resolution, shown.superseded_by, other.superseded_by) == ("superseded", second, None)
