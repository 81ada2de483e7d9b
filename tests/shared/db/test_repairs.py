"""Repairs: lost vectors are made again from what is stored, as a job of their own."""

from shared.db import repairs
from shared.states import Stage, State
from tests.shared.db.tracker import Tracker, submission

URIS = [f"file:///{n}" for n in range(3)]


def test_a_repair_is_a_job_that_starts_where_the_vectors_are_made(tracker: Tracker) -> None:
    tracker.index(tracker.take(URIS))
    with tracker.database.write() as connection:
        job = repairs.submit_repair(
            connection, tracker.collection.id, [submission(uri).document_id for uri in URIS[:2]], max_attempts=3
        )
    rows = [row for row in tracker.rows() if row["job_id"] == job]
    assert [(row["state"], row["stage"], row["generation"]) for row in rows] == [(State.PENDING, Stage.EMBED, 2)] * 2
    assert {row["version"] for row in rows} == {submission(URIS[0]).version}
    assert len(tracker.claim(tracker.queue(job=job), Stage.EMBED).items) == 2


def test_a_repair_with_nothing_to_do_completes(tracker: Tracker) -> None:
    with tracker.database.write() as connection:
        job = repairs.submit_repair(connection, tracker.collection.id, [], max_attempts=3)
    assert tracker.complete_jobs() == [job]
