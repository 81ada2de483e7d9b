"""Submission: what is new or changed gets work, once; what is as it was gets none."""

from sqlalchemy import update

from embedmill.shared.db import manifest
from embedmill.shared.db.leases import Lease
from embedmill.shared.db.schema import document, work
from embedmill.shared.states import State
from tests.shared.db.tracker import Tracker

URIS = ["file:///a", "file:///b", "file:///c"]


def index_all(tracker: Tracker, *, job: int | None = None) -> Lease:
    claim = tracker.claim(tracker.queue(job=job))
    tracker.index(claim)
    return claim


def test_new_documents_get_pending_work_at_the_first_stage(tracker: Tracker) -> None:
    assert tracker.submit(URIS).queued == 3
    assert [(row["state"], row["stage"]) for row in tracker.rows()] == [(State.PENDING, "chunk")] * 3


def test_a_batch_that_is_submitted_again_changes_nothing(tracker: Tracker) -> None:
    tracker.submit(URIS)
    before = tracker.rows(), tracker.rows(document)
    again = tracker.submit(URIS)
    assert (again.queued, again.unchanged) == (0, 0)
    assert (tracker.rows(), tracker.rows(document)) == before


def test_a_document_twice_in_one_batch_gets_one_piece_of_work(tracker: Tracker) -> None:
    assert tracker.submit([URIS[0], URIS[0]]).queued == 1
    assert len(tracker.rows()) == 1


def test_an_indexed_document_that_did_not_change_gets_no_work(tracker: Tracker) -> None:
    tracker.submit(URIS)
    index_all(tracker)
    job = tracker.create_job("second")
    done = tracker.submit(URIS, job=job)
    assert (done.queued, done.unchanged) == (0, 3)
    assert tracker.get_job(job).unchanged == 3


def test_a_changed_document_gets_work_of_the_next_generation(tracker: Tracker) -> None:
    tracker.submit(URIS)
    index_all(tracker)
    job = tracker.create_job("second")
    done = tracker.submit(URIS[:1], text="another text", job=job)
    assert (done.queued, done.unchanged) == (1, 0)
    assert [row["generation"] for row in tracker.rows() if row["job_id"] == job] == [2]


def test_a_document_that_was_submitted_but_never_indexed_is_not_unchanged(tracker: Tracker) -> None:
    tracker.submit(URIS)
    job = tracker.create_job("second")
    assert tracker.submit(URIS, job=job).queued == 3


def test_the_same_batch_after_its_documents_were_indexed_is_still_idempotent(tracker: Tracker) -> None:
    tracker.submit(URIS)
    index_all(tracker)
    again = tracker.submit(URIS)
    assert (again.queued, again.unchanged) == (0, 0)
    assert tracker.progress().documents["total"] == 3


def test_tracked_documents_are_listed_in_pages_without_gaps(tracker: Tracker) -> None:
    tracker.submit([f"file:///{n}" for n in range(7)])
    index_all(tracker)
    with tracker.database.read() as connection:
        pages = list(manifest.list_tracked(connection, tracker.collection.id, page=3))
    assert [len(page) for page in pages] == [3, 3, 1]
    assert len({tracked.id for page in pages for tracked in page}) == 7


def test_a_walk_over_tracked_documents_holds_no_transaction_between_its_pages(tracker: Tracker) -> None:
    tracker.submit([f"file:///{n}" for n in range(7)])
    index_all(tracker)
    walk = manifest.walk_tracked(tracker.database, tracker.collection.id, page=3)
    first = next(walk)
    with tracker.database.write() as connection:
        connection.execute(update(document).where(document.c.id > first[-1].id).values(title="newer"))
    rest = [tracked for page in walk for tracked in page]
    assert (len(first), len(rest), {tracked.title for tracked in rest}) == (3, 4, {"newer"})
    assert len({tracked.id for tracked in (*first, *rest)}) == 7


def test_objects_of_active_versions_and_of_replayable_work_are_referenced(tracker: Tracker) -> None:
    claim = tracker.take(URIS)
    refs = [f"{number:064x}:0:10" for number in range(3)]
    for item, ref in zip(claim.items, refs, strict=True):
        tracker.write(item.id, work, chunks_ref=ref)
    tracker.write(claim.items[0].id, state=State.DEAD, finished_at=1.0, lease=None, lease_until=None)
    tracker.write(claim.items[1].id, state=State.CANCELLED, finished_at=1.0, lease=None, lease_until=None)
    with tracker.database.read() as connection:
        assert manifest.list_referenced_objects(connection) == {refs[0][:64], refs[2][:64]}
