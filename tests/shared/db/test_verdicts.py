"""Verdicts, reviews, samples and terms in the database, on both engines."""

import json
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import Connection, update

from embedmill.shared.db import reviews, samples, terms, verdicts
from embedmill.shared.db.opening import open_database
from embedmill.shared.db.reviews import Doubt
from embedmill.shared.db.samples import Counts, Sampled
from embedmill.shared.db.schema import verdict, verdict_hold
from embedmill.shared.db.terms import FoundTerm
from embedmill.shared.db.verdict_cache import VerdictCache
from embedmill.shared.db.verdicts import VerdictOrigin
from embedmill.shared.errors import NotFound, UserError
from tests.shared.db.tracker import Tracker
from tests.waiting import wait_until

URIS = ["file:///a", "file:///b"]
ADDRESSES = [f"{n:032x}" for n in range(3)]
ORIGIN = VerdictOrigin("anthropic/model", "verdicts", "hash")


def body(score: int = 5) -> dict[str, Any]:
    return {"source": "model", "score": score}


@pytest.fixture
def cache(tracker: Tracker) -> VerdictCache:
    return VerdictCache(tracker.database, ORIGIN)


@pytest.fixture
def documents(tracker: Tracker) -> list[str]:
    return [item.document_id for item in tracker.take(URIS).items]


def test_a_verdict_that_was_stored_is_found_and_never_replaced(cache: VerdictCache) -> None:
    cache.put_many({ADDRESSES[0]: body(1)})
    cache.put_many({ADDRESSES[0]: body(5), ADDRESSES[1]: body(4)})
    assert {a: json.loads(v.text)["score"] for a, v in cache.get_many(ADDRESSES).items()} == {
        ADDRESSES[0]: 1,
        ADDRESSES[1]: 4,
    }
    cache.put_many({})
    assert cache.get_many([]) == {}


def test_an_address_is_reserved_by_one_at_a_time(cache: VerdictCache) -> None:
    assert cache.reserve(ADDRESSES[:2], owner="one", seconds=60) == set(ADDRESSES[:2])
    assert cache.reserve(ADDRESSES, owner="two", seconds=60) == {ADDRESSES[2]}
    assert cache.find_holders(ADDRESSES) == {"one", "two"}
    cache.release("one")
    assert cache.reserve(ADDRESSES, owner="two", seconds=60) == set(ADDRESSES)


def test_what_is_known_is_reserved_by_nobody(cache: VerdictCache, tracker: Tracker) -> None:
    cache.reserve(ADDRESSES, owner="one", seconds=60)
    cache.put_many({ADDRESSES[0]: body()})
    assert cache.reserve(ADDRESSES[:1], owner="two", seconds=60) == set()
    assert {row["address"] for row in tracker.rows(verdict_hold)} == set(ADDRESSES[1:])


def test_a_verdict_that_is_stored_while_its_hold_is_waited_for_is_not_asked_for_again(postgres_url: str) -> None:
    database = open_database(postgres_url)
    VerdictCache(database, ORIGIN).reserve(ADDRESSES, owner="one", seconds=60)
    mine: list[set[str]] = []
    other = Thread(
        target=lambda: mine.append(VerdictCache(database, ORIGIN).reserve(ADDRESSES, owner="two", seconds=9))
    )
    with database.write() as connection:
        verdicts.store_verdicts(connection, {ADDRESSES[0]: body()}, origin=ORIGIN)
        other.start()
        wait_until(lambda: database.query(_waits_for_a_lock), "the other waits for the hold")
    other.join()
    database.close()
    assert mine == [set()]


def _waits_for_a_lock(connection: Connection) -> bool:
    return bool(connection.exec_driver_sql("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'").first())


def test_what_is_held_is_measured_and_the_longest_unused_goes_first(cache: VerdictCache, tracker: Tracker) -> None:
    cache.put_many({address: body() for address in ADDRESSES})
    with tracker.database.write() as connection:
        for number, address in enumerate(ADDRESSES):
            used = verdict.c.used_at - 10_000 * (number + 1)
            connection.execute(update(verdict).where(verdict.c.address == address).values(used_at=used))
    cache.get_many(ADDRESSES[2:])
    assert cache.measure()["verdict"].entries == 3
    gone = cache.evict(kinds=["verdict"], unused_seconds=5_000, freeing=1, limit=10)
    assert (gone["verdict"].entries, gone["verdict"].bytes) == (1, len(json.dumps(body())))
    assert cache.get_many(ADDRESSES).keys() == {ADDRESSES[0], ADDRESSES[2]}, "a look counts as a use"
    assert cache.evict(kinds=["document"], unused_seconds=-1, freeing=None, limit=10) == {}


def test_a_verdict_that_concerns_a_person_is_never_evicted(
    cache: VerdictCache, tracker: Tracker, documents: list[str]
) -> None:
    cache.put_many({address: body() for address in ADDRESSES})
    doubt = Doubt(tracker.collection.id, documents[0], "chunk", 0, ADDRESSES[0], ("strange",))
    decided = Doubt(tracker.collection.id, documents[0], "other", 1, ADDRESSES[1], ("strange",))
    with tracker.database.write() as connection:
        reviews.submit_reviews(connection, [doubt, decided])
    with tracker.database.write() as connection:
        (entry,) = [row for row in reviews.list_reviews(connection) if row["address"] == ADDRESSES[1]]
        reviews.resolve_review(connection, entry["id"], "accepted")
    assert cache.evict(kinds=["verdict"], unused_seconds=-1, freeing=None, limit=10)["verdict"].entries == 1
    assert cache.get_many(ADDRESSES).keys() == set(ADDRESSES[:2])


def test_a_reservation_ends_by_itself(cache: VerdictCache) -> None:
    cache.reserve(ADDRESSES, owner="one", seconds=-1)
    assert cache.reserve(ADDRESSES, owner="two", seconds=60) == set(ADDRESSES)


def doubt(document: str, chunk: str = "c" * 24, address: str = ADDRESSES[0]) -> Doubt:
    return Doubt(1, document, chunk, 0, address, ("a long chunk",))


def test_a_doubt_is_in_the_queue_once_and_a_decision_is_about_the_verdict(
    cache: VerdictCache, tracker: Tracker, documents: list[str]
) -> None:
    cache.put_many({ADDRESSES[0]: body(1)})
    with tracker.database.write() as connection:
        for _ in range(2):
            reviews.submit_reviews(connection, [doubt(document) for document in documents])
        entries = reviews.list_reviews(connection)
        assert [entry["document_id"] for entry in entries] == documents
        assert reviews.count_open_reviews(connection, 1) == 2
        about = reviews.resolve_review(connection, entries[0]["id"], "accepted")
        assert sorted(about) == sorted((1, document) for document in documents)
        assert reviews.list_reviews(connection) == []
        assert len(reviews.list_reviews(connection, resolved=True, collection_id=1)) == 2
        reviews.submit_reviews(connection, [doubt(documents[0])])
        assert reviews.list_reviews(connection) == []
    assert cache.get_many(ADDRESSES)[ADDRESSES[0]].decision == "accepted"


def test_a_decision_is_made_once_and_about_something(
    cache: VerdictCache, tracker: Tracker, documents: list[str]
) -> None:
    cache.put_many({ADDRESSES[0]: body(1)})
    with tracker.database.write() as connection:
        reviews.submit_reviews(connection, [doubt(documents[0])])
        (entry,) = reviews.list_reviews(connection)
        reviews.resolve_review(connection, entry["id"], "rejected")
        with pytest.raises(UserError, match="rejected already"):
            reviews.resolve_review(connection, entry["id"], "accepted")
        with pytest.raises(NotFound):
            reviews.resolve_review(connection, 999, "accepted")


def candidate(document: str, number: int) -> Sampled:
    return Sampled(1, document, 1, samples.VERDICT, f"{number:024x}", number, "ref")


def add(tracker: Tracker, candidates: list[Sampled], *, most: int = 1000) -> int:
    def choose(_: Sampled, counts: Counts) -> bool:
        return counts.sampled < most

    with tracker.database.write() as connection:
        return samples.submit_samples(connection, candidates, collection_id=1, kind=samples.VERDICT, choose=choose)


def test_a_sample_is_counted_once(tracker: Tracker, documents: list[str]) -> None:
    candidates = [candidate(document, n) for document in documents for n in range(3)]
    assert add(tracker, candidates, most=4) == 4
    assert add(tracker, candidates, most=4) == 0
    assert add(tracker, candidates) == 2
    with tracker.database.read() as connection:
        assert samples.get_counts(connection, 1, samples.VERDICT) == Counts(6, 0, 0)
        assert samples.get_counts(connection, 1, samples.TERMS) == Counts()


def test_a_sample_that_was_taken_is_nobody_elses(tracker: Tracker, documents: list[str]) -> None:
    add(tracker, [candidate(documents[0], n) for n in range(3)])
    with tracker.database.write() as connection:
        assert samples.has_due_samples(connection)
        first = samples.take_samples(connection, limit=2)
        second = samples.take_samples(connection, limit=2)
        assert (len(first), len(second)) == (2, 1)
        assert not samples.has_due_samples(connection)
        samples.finish_sample(connection, first[0].id, score=1, error=True)
        samples.finish_sample(connection, first[0].id, score=1, error=True)
        samples.finish_sample(connection, first[1].id, score=None)
        samples.postpone_samples(connection, [second[0].id], seconds=0, reason="down", counted=True)
        assert samples.has_due_samples(connection)
        assert samples.get_counts(connection, 1, samples.VERDICT) == Counts(3, 1, 1)
        assert samples.count_samples(connection, 1) == {"verdict": {"done": 2, "pending": 1}}


def test_terms_are_counted_over_documents_and_replaced_with_them(tracker: Tracker, documents: list[str]) -> None:
    with tracker.database.write() as connection:
        for document, label in zip(documents, ("Lease", "lease"), strict=True):
            found = [FoundTerm(label, ("claim", "hold"), 2), FoundTerm("Epoch", (), 1)]
            terms.replace_terms(connection, found, collection_id=1, document_id=document)
        terms.replace_terms(connection, [FoundTerm("lease", ("claim",), 5)], collection_id=1, document_id=documents[0])
        listed = terms.list_terms(connection, 1)
    assert [(t["term"].casefold(), t["documents"], t["mentions"]) for t in listed] == [("lease", 2, 7), ("epoch", 1, 1)]
    assert listed[0]["synonyms"] == [{"synonym": "claim", "documents": 2}, {"synonym": "hold", "documents": 1}]
