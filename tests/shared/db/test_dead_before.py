"""What died, and is submitted again as it was: passed over with a word, until it changes or somebody asks."""

from collections.abc import Callable

import pytest
from sqlalchemy import Connection, insert, update

from embedmill.shared.addresses import digest, version_id
from embedmill.shared.db import dead_before, dead_letters, scan_notes
from embedmill.shared.db.dead_before import DeadBefore
from embedmill.shared.db.schema import dead_letter, document, scan_note
from embedmill.shared.db.submitting import SubmittedBatch
from embedmill.shared.errors import SourceGone, UnreadableDocument, is_document_fault
from embedmill.shared.letters import LetterFilter
from embedmill.shared.outcomes import Advance, Complete, Fail
from embedmill.shared.states import Result, State
from tests.shared.db.tracker import Tracker

TORN, ODD = "file:///torn.pdf", "file:///odd.txt"


@pytest.fixture
def second(tracker: Tracker) -> int:
    """A job that meets again what another one found torn, or could not do for another's fault."""
    claim = tracker.take([TORN, ODD], max_attempts=1)
    torn, odd = (item.id for item in claim.items)
    tracker.settle(claim, {torn: Fail(UnreadableDocument("torn")), odd: Fail(RuntimeError("odd"))})
    tracker.end_scan()
    assert tracker.complete_jobs() == [tracker.job]
    return tracker.create_job("second")


def discard(tracker: Tracker) -> None:
    dead_letters.discard_letters(tracker.database, LetterFilter(), reason="known")


def note(tracker: Tracker, job: int, done: SubmittedBatch) -> DeadBefore:
    def record(connection: Connection) -> DeadBefore:
        scan_notes.note_scan(connection, job, dead_before.describe_dead_before(connection, done.dead_before))
        return dead_before.count_dead_before(connection, job)

    return tracker.database.transact(record)


def test_an_open_letter_speaks_for_an_unchanged_document(tracker: Tracker, second: int) -> None:
    done = tracker.submit([TORN, ODD], job=second)
    assert (done.queued, done.unchanged, sorted(done.dead_before)) == (0, 0, [1, 2])
    assert len(tracker.rows(dead_letter)) == len(tracker.rows()) == 2
    assert {row["resolved_at"] for row in tracker.rows(dead_letter)} == {None}


def test_it_is_counted_among_what_was_skipped_by_whose_fault_it_was(tracker: Tracker, second: int) -> None:
    done = tracker.submit([TORN, ODD], job=second)
    assert note(tracker, second, done) == DeadBefore(unreadable=1, failed=1)
    counts = tracker.progress(second).documents
    assert (counts["total"], counts["skipped"], counts["dead"]) == (2, 2, 0)
    reasons = sorted(str(row["reason"]) for row in tracker.rows(scan_note))
    assert reasons[0].startswith("failed as before (RuntimeError)")
    assert reasons[1].startswith("unreadable as before (UnreadableDocument)")
    discard(tracker)
    with tracker.database.read() as connection:
        assert dead_before.count_dead_before(connection, second) == DeadBefore(settled=2)


def test_what_was_discarded_stays_so(tracker: Tracker, second: int) -> None:
    discard(tracker)
    first = tracker.progress().documents
    assert first["total"] == first["cancelled"] == 2
    done = tracker.submit([TORN, ODD], job=second)
    assert note(tracker, second, done) == DeadBefore(settled=2)
    assert "its dead letter was discarded: known" in str(tracker.rows(scan_note)[0]["reason"])
    assert len(tracker.rows(dead_letter)) == 2


@pytest.mark.parametrize("settle", [lambda _: None, discard], ids=["open", "discarded"])
def test_what_was_gone_and_is_submitted_again_is_there_again(
    tracker: Tracker, settle: Callable[[Tracker], None]
) -> None:
    claim = tracker.take([TORN], max_attempts=1)
    tracker.settle(claim, Fail(SourceGone("it is gone")))
    settle(tracker)
    done = tracker.submit([TORN], job=tracker.create_job("second"))
    assert (done.queued, done.dead_before) == (1, [])


def test_a_job_that_is_read_again_says_it_once(tracker: Tracker, second: int) -> None:
    for _ in range(2):
        tracker.control("begin_enumeration", second)
        note(tracker, second, tracker.submit([TORN], job=second))
    assert tracker.progress(second).documents["skipped"] == 1


@pytest.mark.parametrize("first", [lambda _: None, discard], ids=["open", "discarded"])
def test_what_changed_is_tried_again(tracker: Tracker, second: int, first: Callable[[Tracker], None]) -> None:
    first(tracker)
    done = tracker.submit([TORN, ODD], text="mended", job=second)
    assert (done.queued, list(done.dead_before)) == (2, [])
    assert tracker.states(second) == [State.PENDING] * 2


@pytest.mark.parametrize("settle", ["died", "indexed", "left"])
def test_what_was_discarded_stays_so_whatever_its_document_was_meanwhile(tracker: Tracker, settle: str) -> None:
    tracker.settle(tracker.take([TORN], text="torn", max_attempts=1), Fail(UnreadableDocument("torn")))
    discard(tracker)
    if settle == "left":
        tracker.settle(tracker.remove_all(), Complete(Result.DELETED))
    else:
        second = tracker.create_job("second")
        tracker.submit([TORN], text="another", job=second)
        claim = tracker.claim(tracker.queue(job=second))
        tracker.settle(claim, Fail(UnreadableDocument("torn, too"))) if settle == "died" else tracker.index(claim)
    done = tracker.submit([TORN], text="torn", job=tracker.create_job("third"))
    assert (done.queued, list(done.dead_before)) == (0, [1])


def test_what_was_discarded_and_tried_again_since_is_tried_again(tracker: Tracker) -> None:
    tracker.settle(tracker.take([TORN], text="torn", max_attempts=1), Fail(UnreadableDocument("torn")))
    discard(tracker)
    for text in ("torn", "another"):
        job = tracker.create_job(text)
        tracker.submit([TORN], text=text, job=job, passes_over_dead=False)
        tracker.index(tracker.claim(tracker.queue(job=job)))
    done = tracker.submit([TORN], text="torn", job=tracker.create_job("last"))
    assert (done.queued, list(done.dead_before)) == (1, [])


def test_what_is_asked_for_is_tried_again_and_its_letter_closes(tracker: Tracker, second: int) -> None:
    done = tracker.submit([TORN], job=second, passes_over_dead=False)
    assert (done.queued, list(done.dead_before)) == (1, [])
    assert tracker.row(1, dead_letter)["resolution"] == "superseded"


@pytest.mark.parametrize("settle", [lambda _: None, discard], ids=["open", "discarded"])
def test_what_is_asked_for_is_tried_again_in_the_very_job_in_which_it_died(
    tracker: Tracker, settle: Callable[[Tracker], None]
) -> None:
    tracker.settle(tracker.take([TORN, ODD], max_attempts=1), Fail(UnreadableDocument("torn")))
    settle(tracker)
    tracker.control("begin_enumeration")
    assert tracker.submit([TORN, ODD]).queued == 0
    assert tracker.submit([TORN, ODD], passes_over_dead=False).queued == 2
    assert tracker.states() == [State.PENDING] * 2
    assert all(row["resolution"] for row in tracker.rows(dead_letter))


def test_another_release_tries_again_unless_it_was_discarded(tracker: Tracker, second: int) -> None:
    dead_letters.discard_letters(tracker.database, LetterFilter(ids=[2]), reason="known")
    for letter in (1, 2):
        tracker.write(letter, dead_letter, code_version="0.0.1")
    done = tracker.submit([TORN, ODD], job=second)
    assert (done.queued, list(done.dead_before)) == (1, [2])


def test_settings_of_another_release_revive_nothing_that_was_discarded(tracker: Tracker, second: int) -> None:
    dead_letters.discard_letters(tracker.database, LetterFilter(ids=[2]), reason="known")
    old = digest("settings of the release before")
    for row in tracker.rows():
        version = version_id(row["content_hash"], old)
        tracker.write(row["id"], settings_hash=old, version=version)
        with tracker.database.write() as connection:
            mine = document.c.id == row["document_id"]
            connection.execute(update(document).where(mine).values(wanted_version=version))
    done = tracker.submit([TORN, ODD], job=second)
    assert (done.queued, list(done.dead_before)) == (1, [2])


def test_a_document_of_which_readers_see_an_older_version_is_passed_over_too(tracker: Tracker) -> None:
    tracker.index(tracker.take([TORN], text="whole"))
    second, third = tracker.create_job("second"), tracker.create_job("third")
    tracker.submit([TORN], text="torn", job=second)
    tracker.settle(tracker.claim(tracker.queue(job=second)), Fail(UnreadableDocument("torn")))
    assert list(tracker.submit([TORN], text="torn", job=third).dead_before) == [1]


def test_a_replayed_letter_speaks_for_nothing(tracker: Tracker, second: int) -> None:
    from embedmill.shared.db.replays import replay_letters

    replay_letters(tracker.database, LetterFilter(ids=[1]), by="a test")
    assert tracker.submit([TORN], job=second).queued == 1
    tracker.settle(tracker.claim(tracker.queue(job=second)), Advance("embed"))


def test_faults_of_documents_are_told_from_others() -> None:
    assert is_document_fault("EncryptedDocument") and is_document_fault("ParserLimitExceeded")
    assert not is_document_fault("WorkerLost") and not is_document_fault("KeyError")


def test_two_kinds_of_notes_go_in_together(tracker: Tracker) -> None:
    plain = {"kind": "skipped", "uri": "fifo", "line": None, "reason": "no document"}
    with tracker.database.write() as connection:
        scan_notes.note_scan(connection, tracker.job, [plain, {**plain, "letter_id": 7}])
        connection.execute(insert(scan_note).values(job_id=tracker.job, **plain))
    assert [row["letter_id"] for row in tracker.rows(scan_note)] == [None, 7, None]
