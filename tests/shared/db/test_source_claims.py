"""Claims: a document leaves when the last source that names it does, and only then, whatever runs at the same time."""

import pytest
from sqlalchemy import select

from embedmill.shared.db import claims, documents, jobs, scans
from embedmill.shared.db.leases import Lease
from embedmill.shared.db.schema import claim as claim_table
from embedmill.shared.db.schema import document
from embedmill.shared.errors import ScanStopped, ScanTakenOver, SourceClosed, UnreadableDocument
from embedmill.shared.outcomes import Advance, Complete, Fail
from embedmill.shared.states import JobState, Result, State
from tests.shared.db.tracker import Tracker, submission

URIS = ["file:///a", "file:///b", "file:///c"]


def ingest(tracker: Tracker, uris: list[str], *, text: str = "text") -> int:
    """A job of one source that is read to its end and indexed; returns how many documents left."""
    job = tracker.create_job(f"job {len(tracker.rows())} {uris} {text}")
    scan = tracker.scan(job)
    tracker.meet(scan, uris, text=text)
    gone = tracker.depart(scan)
    work_off(tracker, job)
    end(tracker, job)
    return gone


def work_off(tracker: Tracker, job: int) -> None:
    """Bring all work of a job to its end."""
    while ids := tracker.queue(job=job):
        stages = {row["id"]: row["stage"] for row in tracker.rows()}
        chunk = tracker.claim([id_ for id_ in ids if stages[id_] == "chunk"])
        if chunk.items:
            tracker.index(chunk)
        removal = tracker.claim([id_ for id_ in ids if stages[id_] == "index"], "index")
        if removal.items:
            finish_removal(tracker, removal)


def finish_removal(tracker: Tracker, removal: Lease) -> None:
    found = tracker.switch(removal)
    done = {i.id: Result.DELETED if found[i.document_id] == i.generation else Result.SUPERSEDED for i in removal.items}
    tracker.settle(removal, {id_: Complete(result) for id_, result in done.items()})


def end(tracker: Tracker, job: int) -> None:
    with tracker.database.write() as connection:
        scans.complete_scans(connection, job)
    tracker.end_scan(job)
    tracker.complete_jobs()


def visible(tracker: Tracker) -> list[str]:
    with tracker.database.read() as connection:
        query = select(document.c.uri).where(document.c.active_version.is_not(None)).order_by(document.c.uri)
        return list(connection.execute(query).scalars())


def other_source(tracker: Tracker, kind: str = "folder") -> int:
    with tracker.database.write() as connection:
        spec = {"kind": kind, "uri": "file:///other"}
        return scans.open_source(connection, collection_id=tracker.collection.id, identity="other", spec=spec).id


def test_what_a_scan_does_not_meet_leaves(tracker: Tracker) -> None:
    ingest(tracker, URIS)
    assert visible(tracker) == URIS
    assert ingest(tracker, URIS[:1]) == 2
    assert visible(tracker) == URIS[:1]
    assert [row["document_id"] for row in tracker.rows(claim_table)] == [submission(URIS[0]).document_id]


def test_removal_is_queued_once_and_nothing_is_left_to_let_go(tracker: Tracker) -> None:
    ingest(tracker, URIS)
    scan = tracker.scan(tracker.create_job("second"))
    tracker.meet(scan, URIS[:1])
    assert tracker.depart(scan) == 2
    assert tracker.depart(scan) == 0


@pytest.mark.parametrize("ends", [None, Fail(UnreadableDocument("torn"))], ids=["queued", "dead"])
def test_what_never_came_to_readers_is_counted_where_it_leaves(tracker: Tracker, ends: Fail | None) -> None:
    ingest(tracker, URIS)
    lost = ["file:///d"]
    first = tracker.scan(tracker.create_job("lost"))
    tracker.meet(first, [*URIS, *lost])
    if ends is not None:
        tracker.settle(tracker.claim(tracker.queue(job=first.job_id)), ends)
    scan = tracker.scan(tracker.create_job("second"))
    tracker.meet(scan, URIS[:2])
    with tracker.database.read() as connection:
        counted = claims.count_departures(connection, claims.not_met_by(scan), of=scan.source_id)
        leaving = [one.uri for one in claims.list_unmet(connection, scan) if one.leaves]
    assert (counted.total, counted.gone, sorted(leaving)) == (4, 2, [URIS[2], *lost])
    assert tracker.depart(scan) == counted.gone


def test_departures_are_counted_among_what_is_there_of_the_source(tracker: Tracker) -> None:
    ingest(tracker, URIS)
    tracker.meet(tracker.scan(source=other_source(tracker)), URIS[2:])
    scan = tracker.scan(tracker.create_job("second"))
    tracker.meet(scan, URIS[:1])
    with tracker.database.read() as connection:
        found = claims.count_departures(connection, claims.not_met_by(scan), of=scan.source_id)
        assert claims.count_sole(connection, scan.source_id) == 2
    assert (found.total, found.gone) == (3, 1)


def test_a_document_with_another_claim_stays_until_that_one_ends_too(tracker: Tracker) -> None:
    ingest(tracker, URIS)
    other = other_source(tracker)
    tracker.meet(tracker.scan(source=other), URIS)
    assert ingest(tracker, []) == 0
    assert visible(tracker) == URIS
    scan = tracker.scan(tracker.create_job("other gone"), other)
    assert tracker.depart(scan) == 3


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_two_scans_of_one_source_never_count_each_others_documents_as_gone(
    tracker: Tracker, order: tuple[int, int]
) -> None:
    ingest(tracker, URIS)
    first = tracker.scan(tracker.create_job("first"))
    second = tracker.scan(tracker.create_job("second"))
    tracker.meet(first, URIS[:2])
    tracker.meet(second, URIS[1:])
    pair = (first, second)
    assert [tracker.depart(pair[n]) for n in order] == [0, 0]


def test_the_scan_of_a_job_that_was_taken_over_changes_nothing(tracker: Tracker) -> None:
    zombie = tracker.scan()
    successor = tracker.scan()
    for act in (lambda: tracker.meet(zombie, URIS), lambda: tracker.depart(zombie)):
        with pytest.raises(ScanTakenOver, match="another process"):
            act()
    assert tracker.rows() == [] == tracker.rows(claim_table)
    assert tracker.meet(successor, URIS).queued == 3


@pytest.mark.parametrize("function", ["pause_job", "cancel_job"])
def test_the_scan_of_a_job_that_does_not_run_stops(tracker: Tracker, function: str) -> None:
    scan = tracker.scan()
    tracker.meet(scan, URIS[:1])
    tracker.control(function)
    with pytest.raises(ScanStopped, match=f"job {tracker.job} is (paused|cancelled)"):
        tracker.meet(scan, URIS)
    assert len(tracker.rows()) == 1


def test_the_scan_of_a_source_that_was_removed_stops(tracker: Tracker) -> None:
    scan = tracker.scan()
    with tracker.database.write() as connection:
        scans.close_source(connection, tracker.source)
    with pytest.raises(SourceClosed, match="removed while it was being read"):
        tracker.meet(scan, URIS)


def test_a_document_that_comes_back_while_its_removal_waits_stays(tracker: Tracker) -> None:
    ingest(tracker, URIS)
    leaving = tracker.create_job("leaving")
    scan = tracker.scan(leaving)
    tracker.meet(scan, URIS[1:])
    assert tracker.depart(scan) == 1
    back = tracker.create_job("back")
    assert tracker.meet(tracker.scan(back), URIS).queued == 1
    work_off(tracker, leaving)
    assert visible(tracker) == URIS
    assert [r["result"] for r in tracker.rows() if r["job_id"] == leaving] == [Result.SUPERSEDED]
    work_off(tracker, back)
    assert visible(tracker) == URIS


def test_a_document_that_comes_back_stays_although_that_job_is_cancelled(tracker: Tracker) -> None:
    ingest(tracker, URIS)
    leaving, back = tracker.create_job("leaving"), tracker.create_job("back")
    scan = tracker.scan(leaving)
    tracker.depart(scan)
    tracker.meet(tracker.scan(back), URIS)
    tracker.control("cancel_job", back)
    work_off(tracker, leaving)
    assert visible(tracker) == URIS


def test_a_document_that_comes_back_within_the_job_that_removes_it_gets_its_work(tracker: Tracker) -> None:
    ingest(tracker, URIS)
    job = tracker.create_job("both")
    scan = tracker.scan(job)
    tracker.meet(scan, URIS[1:])
    tracker.depart(scan)
    with tracker.database.write() as connection:
        jobs.begin_enumeration(connection, job)
    assert tracker.meet(tracker.scan(job), URIS).queued == 1
    work_off(tracker, job)
    assert visible(tracker) == URIS
    assert tracker.progress(job).documents["total"] == 3


@pytest.mark.parametrize("state", ["running", "done"])
def test_a_document_that_changes_again_within_one_job_gets_its_work_again(tracker: Tracker, state: str) -> None:
    tracker.meet(tracker.scan(), URIS[:1], text="one")
    claim = tracker.claim(tracker.queue())
    if state == "done":
        tracker.index(claim)
    assert tracker.meet(tracker.scan(), URIS[:1], text="two").queued == 1
    tracker.settle(claim, Advance("embed"))
    assert tracker.states() == [State.PENDING]
    work_off(tracker, tracker.job)
    with tracker.database.read() as connection:
        found = documents.find_read_versions(connection, [submission(URIS[0]).document_id])
    assert [read.version for read in found.values()] == [submission(URIS[0], "two").version]
    assert tracker.progress().documents["total"] == 1


def test_a_row_that_left_before_it_was_indexed_is_not_indexed_in_the_end(tracker: Tracker) -> None:
    tracker.meet(tracker.scan(), URIS)
    scan = tracker.scan(tracker.create_job("second"))
    assert tracker.depart(scan) == 3
    work_off(tracker, scan.job_id)
    work_off(tracker, tracker.job)
    assert visible(tracker) == []


def test_a_removal_that_was_cancelled_is_asked_for_again_by_the_next_scan(tracker: Tracker) -> None:
    ingest(tracker, URIS)
    scan = tracker.scan(tracker.create_job("second"))
    assert tracker.depart(scan) == 3
    tracker.control("cancel_job", scan.job_id)
    assert visible(tracker) == URIS
    assert ingest(tracker, []) == 3
    assert visible(tracker) == []


def test_an_older_removal_never_ends_a_newer_version(tracker: Tracker) -> None:
    ingest(tracker, URIS)
    scan = tracker.scan(tracker.create_job("leaving"))
    tracker.depart(scan)
    removal = tracker.claim(tracker.queue(job=scan.job_id), "index")
    back = tracker.create_job("back")
    tracker.meet(tracker.scan(back), URIS, text="newer")
    work_off(tracker, back)
    finish_removal(tracker, removal)
    assert visible(tracker) == URIS


def test_reading_a_closed_source_opens_it(tracker: Tracker) -> None:
    other = other_source(tracker)
    with tracker.database.write() as connection:
        scans.close_source(connection, other)
        assert not scans.get_source(connection, other).is_open
    assert other_source(tracker) == other
    with tracker.database.read() as connection:
        assert scans.get_source(connection, other).is_open
    assert tracker.get_job().state == JobState.RUNNING
