"""What identifies things is unique in the database: of two who make it at the same moment one finds the other's."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Connection

from embedmill.shared.db import collections, jobs, scans, terms
from embedmill.shared.db.engine import Database
from embedmill.shared.db.opening import open_database
from embedmill.shared.db.schema import source, term
from embedmill.shared.errors import UserError
from tests.shared.db.tracker import Tracker, submission
from tests.waiting import wait_until

Body = Callable[[Connection], Any]


@pytest.fixture
def tracker(postgres_url: str) -> Any:
    database = open_database(postgres_url)
    yield Tracker(database)
    database.close()


def at_once(database: Database, body: Body) -> tuple[Any, Any]:
    """What two transactions make of it of which the second begins before the first has committed."""

    def is_waited_for() -> bool:
        query = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        with database.read() as connection:
            return second.done() or connection.exec_driver_sql(query).first() is not None

    with ThreadPoolExecutor(1) as other:
        with database.write() as connection:
            first = body(connection)
            second: Future[Any] = other.submit(database.transact, body)
            wait_until(is_waited_for, "the second waits for the first")
        return first, second.result()


def test_one_submission_has_one_job_whoever_submits_it(tracker: Tracker) -> None:
    def submit(connection: Connection) -> jobs.OpenJob:
        return jobs.open_job(connection, collection_id=tracker.collection.id, identity="same", sources=[], options={})

    first, second = at_once(tracker.database, submit)
    assert (first.is_new, second.is_new) == (True, False)
    assert first.id == second.id


def test_a_source_is_recorded_once(tracker: Tracker) -> None:
    def record(connection: Connection) -> int:
        return scans.open_source(connection, collection_id=tracker.collection.id, identity="new", spec={}).id

    first, second = at_once(tracker.database, record)
    assert first == second
    assert len(tracker.rows(source)) == 2


def test_a_collection_is_made_once(tracker: Tracker) -> None:
    def make(connection: Connection) -> str:
        try:
            return collections.create_collection(
                connection, "new", settings={}, model="hash", dimensions=8, chunker="1", shards=1
            ).name
        except UserError as error:
            return str(error)

    assert at_once(tracker.database, make) == ("new", "a collection named 'new' exists already")


def test_terms_of_one_document_are_found_by_two(tracker: Tracker) -> None:
    tracker.submit(["file:///a"])

    def replace(connection: Connection) -> None:
        terms.replace_terms(
            connection,
            [terms.FoundTerm("term", (), 2)],
            collection_id=tracker.collection.id,
            document_id=submission("file:///a").document_id,
        )

    at_once(tracker.database, replace)
    assert [row["mentions"] for row in tracker.rows(term)] == [2]
