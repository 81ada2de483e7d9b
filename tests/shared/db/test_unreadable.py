"""Messages that nobody could read: kept once, counted, shown, discarded for a reason."""

import pytest

from embedmill.shared.db import unreadable
from embedmill.shared.db.engine import Database
from embedmill.shared.errors import NotFound


def keep(database: Database, body: str = "{}", *, reason: str = "not a task message") -> None:
    with database.write() as connection:
        unreadable.record(connection, queue="embedmill-chunk", reason=reason, body=body, headers={"task": "x"})


def listed(database: Database, *, resolved: bool = False) -> list[tuple[str, int]]:
    with database.read() as connection:
        rows = unreadable.list_messages(connection, include_resolved=resolved)
        assert unreadable.count_messages(connection) == len([row for row in rows if row.resolved_at is None])
    return [(row.body, row.times) for row in rows]


def test_the_same_message_again_is_counted_and_another_is_kept_beside_it(database: Database) -> None:
    for body in ("one", "two", "one", "one"):
        keep(database, body)
    keep(database, "one", reason="unknown task 'x'")
    assert listed(database) == [("one", 1), ("two", 1), ("one", 3)]


def test_a_long_body_is_cut_and_a_strange_one_is_stored(database: Database) -> None:
    keep(database, "é" * 10_000)
    keep(database, "a\0b\ud800c")
    (strange, _), (long, _) = listed(database)
    assert len(long.encode()) == unreadable.MAX_BODY_BYTES
    assert strange == "a\ufffdb?c"


def test_a_discarded_message_keeps_its_reason_and_a_new_one_like_it_is_kept_anew(database: Database) -> None:
    keep(database, "one")
    with database.write() as connection:
        (row,) = unreadable.list_messages(connection)
        unreadable.discard_message(connection, row.id, reason="a test")
    assert listed(database) == []
    with database.read() as connection:
        shown = unreadable.show_message(connection, row.id)
    assert (shown.resolution, shown.resolution_reason) == ("discarded", "a test")
    keep(database, "one")
    assert listed(database) == [("one", 1)]
    assert listed(database, resolved=True) == [("one", 1), ("one", 1)]


def test_what_is_not_there_cannot_be_shown_or_discarded(database: Database) -> None:
    with database.write() as connection:
        with pytest.raises(NotFound):
            unreadable.show_message(connection, 7)
        with pytest.raises(NotFound):
            unreadable.discard_message(connection, 7, reason="a test")
