"""Notes of what was left out or guessed: with the work, then with the version that readers see, and counted."""

from typing import Any

from sqlalchemy import update

from embedmill.shared.db import scan_notes, tallies
from embedmill.shared.db.documents import switch_versions
from embedmill.shared.db.schema import document
from embedmill.shared.notes import join_notes, split_notes
from embedmill.shared.outcomes import Advance, Complete
from embedmill.shared.states import Result
from tests.shared.db.tracker import Tracker

NOTES = ("3 of 5 pages hold no text: 2-4", "attachment left out: ä.bin: it is binary data of no known kind")


def index(tracker: Tracker, text: str, notes: tuple[str, ...], *, job: int | None = None) -> None:
    tracker.submit(["file:///a"], text=text, job=job)
    claim = tracker.claim(tracker.queue(job=job))
    tracker.settle(claim, Advance("index", {"chunks_expected": 2, "notes": join_notes(notes)}))
    last = tracker.claim([item.id for item in claim.items], "index")
    tracker.switch(last)
    tracker.settle(last, Complete(Result.INDEXED))


def test_notes_go_with_the_version_that_they_are_about(tracker: Tracker) -> None:
    index(tracker, "one", NOTES)
    assert split_notes(tracker.rows(document)[0]["notes"]) == list(NOTES)
    index(tracker, "two", (), job=tracker.create_job("second"))
    assert tracker.rows(document)[0]["notes"] is None


def test_a_document_that_is_removed_has_no_notes_left(tracker: Tracker) -> None:
    index(tracker, "one", NOTES)
    running: dict[str, Any] = {"state": "running", "stage": "index", "lease": "held", "lease_until": 4e9}
    tracker.write(1, **running, deletes=True, generation=2, result=None, finished_at=None)
    with tracker.database.write() as connection:
        connection.execute(update(document).values(generation=2))
        switch_versions(connection, "held", [1])
    assert tracker.rows(document)[0]["notes"] is None


def test_a_job_counts_documents_and_not_notes(tracker: Tracker) -> None:
    tracker.submit(["file:///a", "file:///b", "file:///c"])
    claim = tracker.claim(tracker.queue())
    noted = {"chunks_expected": 1, "notes": join_notes(NOTES)}
    outcomes = [Advance("index", noted), Advance("index", noted), Advance("index", noted | {"notes": None})]
    tracker.settle(claim, dict(zip([item.id for item in claim.items], outcomes, strict=True)))
    assert tracker.progress().noted == 2
    with tracker.database.write() as connection:
        tallies.add_up_tallies(connection)
    assert tracker.progress().noted == 2


def test_the_notes_of_a_job_name_their_documents_and_are_bounded(tracker: Tracker) -> None:
    index(tracker, "one", NOTES)
    with tracker.database.read() as connection:
        noted = scan_notes.list_notes(connection, tracker.job, limit=10)
        assert [(note.kind, note.uri, note.reason) for note in noted] == [
            ("noted", "file:///a", note) for note in NOTES
        ]
        assert len(scan_notes.list_notes(connection, tracker.job, limit=1)) == 1


def test_an_unchanged_document_is_not_read_and_not_counted_again(tracker: Tracker) -> None:
    index(tracker, "one", NOTES)
    second = tracker.create_job("second")
    tracker.submit(["file:///a"], text="one", job=second)
    assert (tracker.progress(second).documents["unchanged"], tracker.progress(second).noted) == (1, 0)
