"""What models answered about queries, on both engines: kept for a time, and no longer than what it rests on stays."""

import pytest
from sqlalchemy import delete, update

from embedmill.shared.caches.embeddings import Size
from embedmill.shared.db.collection_changes import count_changes
from embedmill.shared.db.engine import Database
from embedmill.shared.db.kept_answers import (
    ANSWER,
    GRADE,
    PLAN,
    RESULT,
    AnswerOrigin,
    KeptAnswer,
    find_kept,
    forget_all,
    forget_beyond,
    forget_outdated,
    measure_kept,
    store_kept,
)
from embedmill.shared.db.schema import collection, collection_change, kept_answer
from tests.shared.db.tracker import Tracker

HOUR = 3600.0


def keep(database: Database, origin: AnswerOrigin, *addresses: str, content: bytes = b"\0sealed\xff") -> None:
    answers = {address: KeptAnswer(content, 7, 9) for address in addresses}
    database.transact(store_kept, answers, origin)


def find(database: Database, *addresses: str, younger_than: float = HOUR) -> dict[str, KeptAnswer]:
    return database.query(lambda connection: find_kept(connection, addresses, younger_than=younger_than))


def age(database: Database, seconds: float) -> None:
    with database.write() as connection:
        connection.execute(update(kept_answer).values(created_at=kept_answer.c.created_at - seconds))


def change(tracker: Tracker) -> None:
    with tracker.database.write() as connection:
        values = {"collection_id": tracker.collection.id, "writer": 1, "changes": 1}
        connection.execute(collection_change.delete())
        connection.execute(collection_change.insert().values(values))


def test_what_is_kept_comes_back_to_the_byte_with_what_it_had_cost(database: Database) -> None:
    keep(database, AnswerOrigin(GRADE, "anthropic/claude", "abc"), "a", "b")
    assert find(database, "a", "c") == {"a": KeptAnswer(b"\0sealed\xff", 7, 9)}


def test_the_newer_takes_the_place_of_the_older(database: Database) -> None:
    keep(database, AnswerOrigin(GRADE), "a", content=b"one")
    age(database, 2 * HOUR)
    assert find(database, "a") == {}
    keep(database, AnswerOrigin(GRADE), "a", content=b"two")
    assert find(database, "a")["a"].content == b"two"


def test_what_has_no_age_limit_is_found_for_ever(database: Database) -> None:
    keep(database, AnswerOrigin(PLAN), "a")
    age(database, 1e9)
    assert find(database, "a", younger_than=0.0)


def test_what_is_too_old_for_its_kind_is_forgotten(database: Database, tracker: Tracker) -> None:
    keep(database, AnswerOrigin(GRADE), "grade")
    keep(database, AnswerOrigin(PLAN), "plan")
    keep(database, AnswerOrigin(RESULT, collection_id=tracker.collection.id, changes=0), "result")
    age(database, 2 * HOUR)
    ages = {GRADE: 24 * HOUR, PLAN: 0.0, RESULT: HOUR}
    assert database.transact(forget_outdated, ages, limit=10) == {RESULT: Size(1, 8)}
    assert find(database, "grade", "plan", "result", younger_than=0.0).keys() == {"grade", "plan"}


def test_what_a_change_has_left_behind_is_forgotten(database: Database, tracker: Tracker) -> None:
    before = AnswerOrigin(ANSWER, collection_id=tracker.collection.id, changes=0)
    keep(database, before, "a", "b")
    assert database.transact(forget_outdated, {ANSWER: HOUR}, limit=10) == {}
    change(tracker)
    assert database.query(lambda connection: count_changes(connection, tracker.collection.id)) == 1
    keep(database, AnswerOrigin(GRADE), "g")
    assert database.transact(forget_outdated, {ANSWER: HOUR}, limit=1) == {ANSWER: Size(1, 8)}
    keep(database, AnswerOrigin(ANSWER, collection_id=tracker.collection.id, changes=1), "c")
    assert database.query(measure_kept) == {ANSWER: Size(1, 8), GRADE: Size(1, 8)}


def test_the_oldest_go_until_there_is_room(database: Database) -> None:
    for n in range(10):
        age(database, 60)
        keep(database, AnswerOrigin(GRADE), f"g{n}", content=b"x" * 100)
    assert database.transact(forget_beyond, 0, limit=10) == {}
    assert database.transact(forget_beyond, 1000, limit=10) == {}
    assert database.transact(forget_beyond, 500, limit=10) == {GRADE: Size(6, 600)}
    assert find(database, *(f"g{n}" for n in range(10))).keys() == {"g6", "g7", "g8", "g9"}


def test_all_of_it_goes_some_at_a_time(database: Database) -> None:
    keep(database, AnswerOrigin(GRADE), *(f"g{n}" for n in range(5)))
    assert database.transact(forget_all, limit=3) == {GRADE: Size(3, 24)}
    assert database.transact(forget_all, limit=3) == {GRADE: Size(2, 16)}
    assert database.transact(forget_all, limit=3) == {}


def test_it_goes_with_its_collection(database: Database, tracker: Tracker) -> None:
    other = tracker.create_collection("other")
    keep(database, AnswerOrigin(RESULT, collection_id=other.id, changes=0), "a")
    with database.write() as connection:
        connection.execute(delete(collection).where(collection.c.id == other.id))
    assert find(database, "a") == {}


@pytest.mark.parametrize("origin", [AnswerOrigin("other"), AnswerOrigin(RESULT, changes=3)])
def test_the_database_refuses_what_rests_on_nothing(database: Database, tracker: Tracker, origin: AnswerOrigin) -> None:
    del tracker
    with pytest.raises(Exception, match=r"(?i)constraint"):
        keep(database, origin, "a")
