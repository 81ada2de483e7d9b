"""The log of queries: it writes behind, some at a time, and nothing that happens there reaches who asked."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from embedmill.shared import query_log
from embedmill.shared.errors import HomeInUse, StorageFailed
from embedmill.shared.query_log import AT_ONCE, MOST_WAITING, QueryLog
from tests.logs import captured_logs


class Database:
    """Takes records when it is let, and remembers how many came at once."""

    def __init__(self, error: Exception | None = None) -> None:
        self.let = threading.Event()
        self.taken: list[int] = []
        self.error = error

    @contextmanager
    def impatient(self) -> Iterator[None]:
        yield

    def transact(self, _body: object, records: Sequence[object], **_: object) -> None:
        self.let.wait()
        self.taken.append(len(records))
        if self.error is not None:
            raise self.error


@pytest.fixture
def database() -> Iterator[Database]:
    made = Database()
    yield made
    made.let.set()


def log_of(database: Any) -> QueryLog:
    return QueryLog(database, lambda: bytes(32))


def add(log: QueryLog, count: int) -> None:
    record: Any = object()
    for _ in range(count):
        log.add(record)


def test_records_that_come_together_are_written_together(database: Database) -> None:
    database.let.set()
    log = log_of(database)
    add(log, 10)
    assert log.flush()
    add(log, 3)
    assert log.flush()
    assert database.taken == [10, 3]
    assert log.flush()


def test_no_transaction_is_larger_than_it_may_be(database: Database) -> None:
    database.let.set()
    log = log_of(database)
    add(log, 2 * AT_ONCE + 1)
    assert log.flush()
    assert sum(database.taken) == 2 * AT_ONCE + 1
    assert max(database.taken) <= AT_ONCE


def test_a_busy_database_keeps_nobody_waiting_and_takes_up_no_memory(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query_log, "CLOSE_SECONDS", 0.01)
    log = log_of(database)
    add(log, 2 * MOST_WAITING)
    assert not log.flush()
    assert len(log._waiting) <= MOST_WAITING
    with captured_logs() as logged:
        log.close()
    assert [event["event"] for event in logged] == ["queries.not_recorded"]


@pytest.mark.parametrize("error", [StorageFailed("it is full"), HomeInUse("it cannot be written"), ValueError("ours")])
def test_errors_are_logged_and_the_next_records_are_tried(error: Exception) -> None:
    database = Database(error)
    database.let.set()
    log = log_of(database)
    with captured_logs() as logged:
        for _ in range(2):
            add(log, 1)
            assert log.flush()
    assert [event["event"] for event in logged] == ["queries.not_recorded"] * 2
    assert len(database.taken) == 2


def test_where_no_thread_can_be_had_the_next_record_tries_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.let.set()
    log = log_of(database)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", _refuse)
        add(log, 1)
    assert log.flush()
    add(log, 1)
    assert log.flush()
    assert database.taken == [2]


def _refuse(_: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")
