"""Repairs: lost vectors are made again from what is stored, as a job of their own."""

from shared.db import repairs
from shared.db.schema import document
from shared.outcomes import Advance
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
    assert [(row["state"], row["stage"], row["generation"]) for row in rows] == [(State.PENDING, Stage.EMBED, 1)] * 2
    assert {row["version"] for row in rows} == {submission(URIS[0]).version}
    assert len(tracker.claim(tracker.queue(job=job), Stage.EMBED).items) == 2


def test_a_repair_supersedes_nothing_that_waits(tracker: Tracker) -> None:
    tracker.index(tracker.take(URIS[:1]))
    job = tracker.create_job("second")
    tracker.submit(URIS[:1], text="changed", job=job)
    with tracker.database.write() as connection:
        repair = repairs.submit_repair(
            connection, tracker.collection.id, [submission(URIS[0]).document_id], max_attempts=3
        )
    mended = tracker.claim(tracker.queue(job=repair), Stage.EMBED)
    tracker.settle(mended, Advance(Stage.INDEX))
    mended = tracker.claim([item.id for item in mended.items], Stage.INDEX)
    assert set(tracker.switch(mended).values()) == {1}
    tracker.index(tracker.claim(tracker.queue(job=job)))
    assert {row["active_version"] for row in tracker.rows(document)} == {submission(URIS[0], "changed").version}


def test_a_repair_with_nothing_to_do_completes(tracker: Tracker) -> None:
    with tracker.database.write() as connection:
        job = repairs.submit_repair(connection, tracker.collection.id, [], max_attempts=3)
    assert tracker.complete_jobs() == [job]
