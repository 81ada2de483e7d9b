"""Repairs: lost vectors are made again from what is stored, as a job of their own."""

from embedmill.shared.db import dead_letters, documents, repairs
from embedmill.shared.db.schema import dead_letter, document
from embedmill.shared.errors import BlobMissing, ProviderRefused
from embedmill.shared.letters import LetterFilter
from embedmill.shared.outcomes import Advance, Fail
from embedmill.shared.states import State
from tests.shared.db.tracker import Tracker, submission

URIS = [f"file:///{n}" for n in range(3)]


def test_a_repair_is_a_job_that_starts_where_the_vectors_are_made(tracker: Tracker) -> None:
    tracker.index(tracker.take(URIS))
    with tracker.database.write() as connection:
        job = repairs.submit_repair(
            connection, tracker.collection.id, [submission(uri).document_id for uri in URIS[:2]], max_attempts=3
        )
    rows = [row for row in tracker.rows() if row["job_id"] == job]
    assert [(row["state"], row["stage"], row["generation"]) for row in rows] == [(State.PENDING, "embed", 1)] * 2
    assert {row["version"] for row in rows} == {submission(URIS[0]).version}
    assert len(tracker.claim(tracker.queue(job=job), "embed").items) == 2


def test_a_repair_supersedes_nothing_that_waits(tracker: Tracker) -> None:
    tracker.index(tracker.take(URIS[:1]))
    job = tracker.create_job("second")
    tracker.submit(URIS[:1], text="changed", job=job)
    with tracker.database.write() as connection:
        repair = repairs.submit_repair(
            connection, tracker.collection.id, [submission(URIS[0]).document_id], max_attempts=3
        )
    mended = tracker.claim(tracker.queue(job=repair), "embed")
    tracker.settle(mended, Advance("index"))
    mended = tracker.claim([item.id for item in mended.items], "index")
    assert set(tracker.switch(mended).values()) == {1}
    tracker.index(tracker.claim(tracker.queue(job=job)))
    assert {row["active_version"] for row in tracker.rows(document)} == {submission(URIS[0], "changed").version}


def test_a_repair_has_the_labels_of_what_readers_see(tracker: Tracker) -> None:
    tracker.index(tracker.take(URIS[:1]))
    id_ = submission(URIS[0]).document_id
    with tracker.database.write() as connection:
        connection.execute(document.update().values(access="secret"))
    tracker.submit(URIS[:1], text="changed", job=tracker.create_job("second"))
    with tracker.database.write() as connection:
        repair = repairs.submit_repair(connection, tracker.collection.id, [id_], max_attempts=3)
    (row,) = (row for row in tracker.rows() if row["job_id"] == repair)
    assert row["origin"]["labels"] == {"access": "secret"}


def test_a_repair_with_nothing_to_do_completes(tracker: Tracker) -> None:
    with tracker.database.write() as connection:
        job = repairs.submit_repair(connection, tracker.collection.id, [], max_attempts=3)
    assert tracker.complete_jobs() == [job]


def kill_repair(tracker: Tracker, uri: str) -> None:
    with tracker.database.write() as connection:
        id_ = submission(uri).document_id
        job = repairs.submit_repair(connection, tracker.collection.id, [id_], max_attempts=1)
    tracker.settle(tracker.claim(tracker.queue(job=job), "embed"), Fail(BlobMissing("it is gone")))


def is_settled(tracker: Tracker, uri: str) -> bool:
    with tracker.database.read() as connection:
        return bool(documents.find_settled_versions(connection, [submission(uri).document_id]))


def test_what_cannot_be_repaired_is_wanted_anew_from_its_source(tracker: Tracker) -> None:
    tracker.index(tracker.take(URIS))
    kill_repair(tracker, URIS[0])
    assert [is_settled(tracker, uri) for uri in URIS] == [False, True, True]
    assert "Ingest its source again" in str(tracker.row(1, dead_letter)["hint"])
    second = tracker.create_job("second")
    done = tracker.submit(URIS, job=second)
    assert (done.queued, done.unchanged, list(done.dead_before)) == (1, 2, [])
    assert tracker.row(1, dead_letter)["resolution"] == "superseded"
    tracker.index(tracker.claim(tracker.queue(job=second)))
    assert is_settled(tracker, URIS[0])
    assert tracker.submit(URIS, job=tracker.create_job("third")).unchanged == 3


def test_it_is_wanted_until_it_is_there_and_once_by_a_job(tracker: Tracker) -> None:
    tracker.index(tracker.take(URIS[:1]))
    kill_repair(tracker, URIS[0])
    second = tracker.create_job("second")
    assert tracker.submit(URIS[:1], job=second, max_attempts=1).queued == 1
    assert tracker.submit(URIS[:1], job=second).queued == 0
    tracker.settle(tracker.claim(tracker.queue(job=second)), Fail(ProviderRefused("not today")))
    assert tracker.submit(URIS[:1], job=second).queued == 0
    assert tracker.submit(URIS[:1], job=tracker.create_job("third")).queued == 1


def test_a_repair_that_was_given_up_is_not_wanted_from_the_source(tracker: Tracker) -> None:
    tracker.index(tracker.take(URIS[:1]))
    kill_repair(tracker, URIS[0])
    dead_letters.discard_letters(tracker.database, LetterFilter(), reason="known")
    assert tracker.submit(URIS[:1], job=tracker.create_job("second")).unchanged == 1
