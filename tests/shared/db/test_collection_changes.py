"""Whatever readers may see differently raises the number of a collection's changes, in the transaction that does it."""

from collections.abc import Callable

import pytest
from sqlalchemy import text, update

from embedmill.shared.db import collections
from embedmill.shared.db.collection_changes import MANY, add_up_changes, count_changes
from embedmill.shared.db.leases import Lease
from embedmill.shared.db.opening import open_database
from embedmill.shared.db.schema import collection_change, document, job, term
from embedmill.shared.db.terms import FoundTerm, replace_terms
from embedmill.shared.outcomes import Advance
from tests.shared.db.tracker import Tracker


def count(tracker: Tracker) -> int:
    with tracker.database.read() as connection:
        return count_changes(connection, tracker.collection.id)


def index(tracker: Tracker, said: str) -> None:
    tracker.index(take(tracker, said))


def take(tracker: Tracker, said: str) -> Lease:
    """A claim of the first stage, of a job of its own."""
    job_id = tracker.create_job(said)
    tracker.submit(["file:///a"], text=said, job=job_id)
    return tracker.claim(tracker.queue(job=job_id))


def remove(tracker: Tracker) -> None:
    tracker.switch(tracker.remove_all())


def find_terms(tracker: Tracker, *labels: str) -> None:
    id_ = tracker.rows(document)[0]["id"]
    with tracker.database.write() as connection:
        found = [FoundTerm(label, ("other",), 1) for label in labels]
        replace_terms(connection, found, collection_id=tracker.collection.id, document_id=id_)


@pytest.mark.parametrize(
    "change",
    [
        lambda tracker: index(tracker, "two"),
        remove,
        lambda tracker: find_terms(tracker, "RAM"),
        find_terms,
        lambda tracker: tracker.write(tracker.rows(document)[0]["id"], document, title="another"),
    ],
    ids=["a new version", "a removal", "terms", "terms that go", "a title"],
)
def test_what_readers_may_see_differently_is_a_change(tracker: Tracker, change: Callable[[Tracker], None]) -> None:
    index(tracker, "one")
    find_terms(tracker, "pump")
    before = count(tracker)
    change(tracker)
    assert count(tracker) > before


def test_the_first_version_of_a_document_is_a_change(tracker: Tracker) -> None:
    assert count(tracker) == 0
    index(tracker, "one")
    assert count(tracker) > 0


def test_work_that_nobody_sees_is_none(tracker: Tracker) -> None:
    index(tracker, "one")
    before = count(tracker)
    tracker.settle(take(tracker, "two"), Advance("index"))
    assert count(tracker) == before


def test_a_change_that_is_taken_back_is_none(tracker: Tracker) -> None:
    index(tracker, "one")
    before = count(tracker)
    within: list[int] = []
    with pytest.raises(RuntimeError):
        change_and_fail(tracker, within)
    assert within > [before] == [count(tracker)]


def change_and_fail(tracker: Tracker, counted: list[int]) -> None:
    with tracker.database.write() as connection:
        connection.execute(document.update().values(active_version=None))
        counted.append(count_changes(connection, tracker.collection.id))
        raise RuntimeError


def test_other_collections_do_not_change(tracker: Tracker) -> None:
    other = tracker.create_collection("other")
    index(tracker, "one")
    with tracker.database.read() as connection:
        assert count_changes(connection, other.id) == 0


def test_a_collection_goes_with_its_terms_and_its_changes(tracker: Tracker) -> None:
    index(tracker, "one")
    find_terms(tracker, "pump")
    with tracker.database.write() as connection:
        connection.execute(job.update().values(state="cancelled", finished_at=1.0))
        collections.delete_collection(connection, tracker.collection.id)
    assert tracker.rows(collection_change) == tracker.rows(term) == []


def test_two_sessions_of_a_server_count_without_waiting_for_each_other(postgres_url: str) -> None:
    tracker = Tracker(open_database(postgres_url))
    tracker.index(tracker.take(["file:///a", "file:///b"]))
    before = count(tracker)
    first, second = (row["id"] for row in tracker.rows(document))
    other = open_database(postgres_url)
    with tracker.database.write() as connection:
        connection.execute(update(document).where(document.c.id == first).values(title="one"))
        with other.write() as beside:
            beside.execute(text("SET LOCAL lock_timeout = '5s'"))
            beside.execute(update(document).where(document.c.id == second).values(title="two"))
        assert count_changes(connection, tracker.collection.id) == before + 2
        with other.read() as reader:
            assert count_changes(reader, tracker.collection.id) == before + 1
    assert count(tracker) == before + 2
    other.close()
    tracker.database.close()


def test_added_up_changes_are_as_many_as_before(tracker: Tracker) -> None:
    rows = [{"collection_id": tracker.collection.id, "writer": n, "changes": n} for n in range(1, MANY + 2)]
    for _ in range(2):
        before = count(tracker)
        with tracker.database.write() as connection:
            connection.execute(collection_change.insert(), rows)
            assert add_up_changes(connection) == 1
        assert count(tracker) == before + sum(row["changes"] for row in rows)
        assert len(tracker.rows(collection_change)) == 1
    with tracker.database.write() as connection:
        assert add_up_changes(connection) == 0
