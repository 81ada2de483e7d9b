"""Records of queries and what readers say of them, on both engines."""

import time
from typing import Any

import pytest

from embedmill.shared.db import collections, feedback
from embedmill.shared.db.engine import Database
from embedmill.shared.db.query_records import (
    QueryRecord,
    forget_records,
    forget_texts,
    hash_query,
    list_measured,
    store_records,
)
from tests.shared.db.tracker import Tracker

ODD = 'a "quoted" \\u0000 query \0 of \ud83d half a pair, ¾ and ﬁ'
KEEPING = {"embedding": "hash", "keep_queries": True}


def record(id_: str, text: str = "wet stack", **changes: Any) -> QueryRecord:
    whole: dict[str, Any] = {
        "collection": "default",
        "door": "search",
        "mode": "hybrid",
        "filtered": False,
        "ranked": True,
        "models": {"rank": {"model": "anthropic/claude", "prompt": "abc"}},
        "hits": 2,
        "relevance": "good",
        "degraded": False,
        "partial": 0,
        "seconds": 0.25,
        "steps": {"embed": (0.125, 1, 1)},
        "calls": 1,
        "cost_microusd": 7,
        "cached": 3,
        "saved_microusd": 9,
        "faults": {"fabricated": 2},
        "hallucinations": 2,
        "shown": ["d1/c1", "d2/c2"],
        "first_rank": 1,
        "asked_at": time.monotonic(),
    }
    return QueryRecord(id=id_, text=text, **whole | changes)


def store(database: Database, *records: QueryRecord) -> int:
    return database.transact(store_records, records, key=bytes(32), monotonic=time.monotonic())


@pytest.fixture
def keeping(database: Database, tracker: Tracker) -> Database:
    """The tracker's collection keeps what queries say."""
    with database.write() as connection:
        collections.update_settings(connection, tracker.collection.id, KEEPING)
    return database


def test_a_record_is_stored_with_its_numbers(keeping: Database) -> None:
    assert store(keeping, record("a"), record("b", ODD, relevance=None)) == 2
    with keeping.read() as connection:
        first, second = list_measured(connection, since=0)
        shown = feedback.find_shown(connection, "b")
    assert (first.relevance, second.relevance, first.steps) == ("good", None, {"embed": [0.125, 1, 1]})
    assert (first.calls, first.cost_microusd, first.hallucinations) == (1, 7, 2)
    assert shown is not None
    assert shown.shown == ["d1/c1", "d2/c2"]
    assert shown.text == 'a "quoted" \\u0000 query  of ? half a pair, ¾ and ﬁ'


def test_a_query_of_a_collection_that_is_gone_is_left_out(keeping: Database) -> None:
    assert store(keeping, record("a"), record("b", collection="gone")) == 1


def test_texts_are_forgotten_and_hashes_stay(keeping: Database, tracker: Tracker) -> None:
    store(keeping, record("a"))
    keeping.transact(forget_texts, tracker.collection.id)
    with keeping.read() as connection:
        shown = feedback.find_shown(connection, None)
    assert shown is not None
    assert (shown.text, len(shown.hash)) == (None, 32)


def test_records_know_their_time_though_they_are_written_later(keeping: Database) -> None:
    store(keeping, record("late"), record("early", asked_at=time.monotonic() - 60))
    with keeping.read() as connection:
        early, late = (found.created_at for found in list_measured(connection, since=0))
        newest = feedback.find_shown(connection, None)
    assert 59 < late - early < 62
    assert newest is not None
    assert newest.id == "late"


def test_what_readers_said_is_added_up_by_query_the_worst_first(keeping: Database, tracker: Tracker) -> None:
    store(keeping, record("a"), record("b", "Wet STACK"), record("c", "pump"), record("d", "not judged"))
    said = [("a", "d1", False, "wrong"), ("b", "d1", False, None), ("b", "d2", True, None), ("c", "d1", True, None)]
    with keeping.write() as connection:
        for query, document, helpful, why in said:
            feedback.put_feedback(connection, query, document, "c1", helpful=not helpful, why="before")
            feedback.put_feedback(connection, query, document, "c1", helpful=helpful, why=why)
    within = tracker.collection.id
    with keeping.read() as connection:
        assert feedback.sum_queries(connection, feedback.Of(within)) == (4, 3)
        rows = feedback.sum_feedback(connection, feedback.Of(None))
        reasons = feedback.list_reasons(connection, feedback.Of(within))
        judged = feedback.list_judged(connection, within)
    assert [(row["text"].casefold(), row["helpful"], row["not_helpful"]) for row in rows] == [
        ("wet stack", 1, 2),
        ("pump", 1, 0),
    ]
    assert reasons == [("default", rows[0]["query"], "wrong")]
    told = {(row["query"], row["document"]): (row["helpful"], row["not_helpful"]) for row in judged}
    assert told[rows[0]["query"], "d1"] == (0, 2)


def test_odd_text_of_a_reader_is_kept_as_far_as_it_can_be(keeping: Database, tracker: Tracker) -> None:
    store(keeping, record("a"))
    with keeping.write() as connection:
        feedback.put_feedback(connection, "a", "d1", "c1", helpful=False, why=ODD)
        assert feedback.list_reasons(connection, feedback.Of(tracker.collection.id))[0][2] == ODD.replace(
            "\0", ""
        ).replace("\ud83d", "?")
        assert feedback.find_shown(connection, "\ud83d") is None


def test_old_records_go_and_judged_ones_stay(keeping: Database) -> None:
    store(keeping, record("old", asked_at=time.monotonic() - 60), record("new"))
    store(keeping, record("judged", asked_at=time.monotonic() - 60))
    with keeping.write() as connection:
        feedback.put_feedback(connection, "judged", "d1", "c1", helpful=True, why=None)
        assert forget_records(connection, older_than_seconds=30) == 1
        assert feedback.find_shown(connection, "old") is None
        assert feedback.sum_queries(connection, feedback.Of(None)) == (2, 1)


def test_a_collection_takes_its_records_along(keeping: Database, tracker: Tracker) -> None:
    store(keeping, record("kept"), record("a", collection=tracker.create_collection("other").name))
    with keeping.write() as connection:
        feedback.put_feedback(connection, "a", "d1", "c1", helpful=True, why=None)
        collections.delete_collection(connection, collections.get_collection(connection, "other").id)
        assert feedback.sum_queries(connection, feedback.Of(None)) == (1, 0)


@pytest.mark.parametrize("said", ["Wet  Stack", "wet stack ", "\uff57\uff45\uff54 stack", "WET\nSTACK"])
def test_the_form_of_a_query_makes_no_difference_to_its_hash(said: str) -> None:
    assert hash_query(said, b"key") == hash_query("wet stack", b"key")


def test_another_word_or_another_key_makes_another_hash() -> None:
    assert len({hash_query("wet stack", b"key"), hash_query("wet stacks", b"key"), hash_query("wet stack", b"k2")}) == 3
