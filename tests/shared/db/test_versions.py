"""The switch: readers go from one whole version to the next, never back, and only the lease holder switches."""

from embedmill.shared.db.documents import find_read_versions
from embedmill.shared.db.leases import Lease
from embedmill.shared.db.schema import document
from embedmill.shared.outcomes import Advance
from tests.shared.db.tracker import Tracker, submission

URI = "file:///a"
ID = submission(URI).document_id


def at_index(tracker: Tracker, text: str, *, job: int | None = None) -> Lease:
    """A claim of the last stage, ready to switch."""
    tracker.submit([URI], text=text, job=job)
    ids = tracker.queue(job=job)
    tracker.settle(tracker.claim(ids), Advance("index"))
    return tracker.claim(ids, "index")


def active(tracker: Tracker) -> str | None:
    with tracker.database.read() as connection:
        found = find_read_versions(connection, [ID]).get(ID)
        return found.version if found else None


def test_the_holder_of_the_lease_switches(tracker: Tracker) -> None:
    claim = at_index(tracker, "one")
    assert active(tracker) is None
    assert tracker.switch(claim) == {ID: 1}
    assert active(tracker) == submission(URI, "one").version


def test_a_zombie_switches_nothing(tracker: Tracker) -> None:
    claim = at_index(tracker, "one")
    tracker.rescue(claim)
    assert tracker.switch(claim) == {}
    assert active(tracker) is None


def test_a_zombie_switches_nothing_while_its_successor_works(tracker: Tracker) -> None:
    zombie = at_index(tracker, "one")
    tracker.rescue(zombie)
    successor = tracker.claim(tracker.queue(), "index")
    assert tracker.switch(zombie) == {}
    assert active(tracker) is None
    assert tracker.switch(successor) == {ID: 1}


def test_an_older_generation_never_replaces_a_newer_one(tracker: Tracker) -> None:
    older = at_index(tracker, "one")
    newer = at_index(tracker, "two", job=tracker.create_job("second"))
    assert tracker.switch(newer) == {ID: 2}
    assert tracker.switch(older) == {ID: 2}
    assert active(tracker) == submission(URI, "two").version


def test_switching_twice_is_switching_once(tracker: Tracker) -> None:
    claim = at_index(tracker, "one")
    tracker.switch(claim)
    before = tracker.rows(document)
    assert tracker.switch(claim) == {ID: 1}
    assert tracker.rows(document) == before
