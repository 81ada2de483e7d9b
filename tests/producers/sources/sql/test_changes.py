"""What is read again: all of it, what changed, or only what tells whether it did; and what is said of what is gone."""

from collections.abc import Generator
from typing import Any, cast

import psycopg
import pytest

from embedmill.producers.sources.base import Departed, Item, Kept, Problem, RowItem
from embedmill.producers.sources.sql import documents, runs, telling
from embedmill.producers.sources.sql import sqlite as sqlite_session
from tests.producers.sources.sql.databases import Database, KeptMemory, texts


def kinds(items: list[Item]) -> dict[str, type]:
    return {item.uri.rpartition("/")[2]: type(item) for item in items}


def test_an_unchanged_row_of_a_server_is_kept_without_being_read(database: Database) -> None:
    database.fill(9)
    database.read()
    database.execute("UPDATE articles SET body = 'changed' WHERE id = 3")
    database.execute("INSERT INTO articles VALUES (10, 'T10', 'new', NULL)")
    database.execute("DELETE FROM articles WHERE id = 4")
    found = kinds(database.read(settled=True))
    read = {key for key, kind in found.items() if kind is RowItem}
    assert found.keys() == {str(n) for n in range(1, 11)} - {"4"}
    # A file of SQLite is here: its rows are read, and told by their hashes.
    assert read == (found.keys() if database.kind == "sqlite" else {"3", "10"})
    assert not database.context.is_increment


def test_a_file_that_nobody_has_written_to_is_asked_for_ids_only(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqlite.fill(9)
    monkeypatch.setattr(sqlite_session, "SETTLED_SECONDS", 0.0)
    sqlite.read()
    statements: list[str] = []
    real = sqlite_session.SqliteSession.execute

    def noting(session: Any, statement: str, parameters: Any, *, streamed: bool) -> Any:
        statements.append(statement)
        return real(session, statement, parameters, streamed=streamed)

    monkeypatch.setattr(sqlite_session.SqliteSession, "execute", noting)
    assert [type(item) for item in sqlite.read(settled=True)] == [Kept] * 9
    assert not any("body" in statement for statement in statements)
    sqlite.execute("UPDATE articles SET body = 'changed' WHERE id = 3")
    assert texts(sqlite.read(settled=True))["3"] == "changed"


def test_what_was_written_a_moment_ago_is_not_believed_to_be_as_it_was(sqlite: Database) -> None:
    sqlite.fill(1)
    sqlite.read()
    assert not sqlite.memory.get_many([runs.STATE])[runs.STATE]["file"]


def test_what_is_no_table_of_the_file_may_change_without_it(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_session, "SETTLED_SECONDS", 0.0)
    sqlite.fill(1)
    sqlite.execute("CREATE VIEW days AS SELECT id, date('now') AS body FROM articles")
    for how in ({"table": "days", "id": ("id",)}, {"query": "SELECT id, date('now') AS body FROM articles"}):
        sqlite.memory = KeptMemory()
        sqlite.read(**how)
        assert not sqlite.memory.get_many([runs.STATE])[runs.STATE]["file"]


def test_a_page_is_not_believed_when_rows_of_it_were_read_anew(
    postgresql: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "SURVEYED", 3)
    monkeypatch.setattr(telling, "SURVEYED", 3)
    postgresql.fill(9)
    postgresql.read()
    looked: list[set[str]] = []
    real = telling.SameDigest.find_same

    def noting(told: Any, named: Any, settled: Any, width: int) -> frozenset[str]:
        looked.append({uri[-1] for uri in named})
        return real(told, named, settled, width)

    monkeypatch.setattr(telling.SameDigest, "find_same", noting)
    postgresql.execute("UPDATE articles SET body = 'other' WHERE id = 5")
    assert [kind for kind in kinds(postgresql.read(settled=True)).values() if kind is RowItem] == [RowItem]
    postgresql.execute("UPDATE articles SET body = 'article 5' WHERE id = 5")
    assert texts([i for i in postgresql.read(settled=True) if isinstance(i, RowItem)]) == {"5": "article 5"}
    assert kinds(postgresql.read(settled=True)) == {str(n): Kept for n in range(1, 10)}
    assert looked == [set("456")] * 3
    assert kinds(postgresql.read(settled=True)) == {str(n): Kept for n in range(1, 10)}
    assert len(looked) == 3


def test_pages_that_a_shorter_table_has_no_more_are_forgotten(
    postgresql: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "SURVEYED", 2)
    monkeypatch.setattr(telling, "SURVEYED", 2)
    postgresql.fill(9)
    postgresql.read()
    postgresql.execute("DELETE FROM articles WHERE id > 3")
    postgresql.read(settled=True)
    assert [key for key, _ in postgresql.memory.walk() if key.startswith(telling.OF_PAGE)] == ["page 0", "page 1"]


def test_rows_that_are_not_in_the_index_as_they_are_wanted_are_read_again(database: Database) -> None:
    database.fill(9)
    database.read()
    assert len(texts(database.read(settled=False))) == 9


def test_only_rows_that_changed_since_the_cursor_are_read(database: Database) -> None:
    database.fill(9)
    database.execute("UPDATE articles SET updated = '2026-01-02 10:00:00' WHERE id = 9")
    assert len(database.read(cursor="updated")) == 9
    database.execute("UPDATE articles SET body = 'changed', updated = '2026-01-02 10:30:00' WHERE id = 2")
    database.execute("DELETE FROM articles WHERE id = 1")
    assert texts(database.read(cursor="updated")) == {"2": "changed", "9": "article 9"}
    assert database.context.is_increment
    assert "--compare" in database.context.remarks[0].reason


def test_an_increment_without_any_change_is_no_fault(database: Database) -> None:
    database.fill(2)
    database.read(cursor="id")
    database.execute("INSERT INTO articles VALUES (5000, 'T', 'far', NULL)")
    database.read(cursor="id")
    database.execute("DELETE FROM articles WHERE id = 5000")
    remarks = list(database.open(cursor="id").scan(database.context))
    assert not [remark for remark in remarks if "no row is in it" in getattr(remark, "reason", "")]


def test_what_was_committed_late_lies_in_the_overlap(database: Database) -> None:
    database.fill(3)
    database.execute("UPDATE articles SET updated = '2026-01-02 10:00:00' WHERE id = 1")
    database.read(cursor="updated", overlap=120)
    database.execute("INSERT INTO articles VALUES (4, 'T', 'late', '2026-01-02 09:59:00')")
    database.execute("INSERT INTO articles VALUES (5, 'T', 'too late', '2026-01-02 09:57:00')")
    assert texts(database.read(cursor="updated", overlap=120)) == {"1": "article 1", "4": "late"}


def test_a_transaction_that_commits_after_a_reading_is_in_the_next(postgresql: Database) -> None:
    postgresql.fill(3)
    with psycopg.connect(postgresql.url) as slow:
        slow.execute("INSERT INTO articles VALUES (4, 'T', 'slow', now())")
        postgresql.execute("INSERT INTO articles VALUES (5, 'T', 'quick', clock_timestamp())")
        assert set(texts(postgresql.read(cursor="updated"))) == {"1", "2", "3", "5"}
        slow.commit()
    assert {"4", "5"} <= set(texts(postgresql.read(cursor="updated")))


ZONES = {
    "postgresql": ("ALTER ROLE postgres SET timezone = '{}'", ("UTC", "America/Los_Angeles", "Asia/Kathmandu")),
    "mysql": ("SET GLOBAL time_zone = '{}'", ("+00:00", "-08:00", "+05:45")),
}


def test_the_zone_of_an_account_or_server_changes_nothing(database: Database) -> None:
    if database.kind == "sqlite":
        pytest.skip("it has none")
    statement, zones = ZONES[database.kind]
    stamp = "timestamptz" if database.kind == "postgresql" else "TIMESTAMP(6)"
    database.execute(f"CREATE TABLE odd (id int PRIMARY KEY, changed {stamp} NULL)")
    database.execute("INSERT INTO odd VALUES (1, '2026-03-08 10:30:00.5'), (2, '2026-11-01 09:30:00.25')")
    seen = []
    for zone in zones:
        database.execute(statement.format(zone))
        seen.append(texts(database.read(table="odd", text=("changed",), cursor="changed", overlap=0)))
    database.execute(statement.format(zones[0]))
    first, *later = seen
    assert set(first) == {"1", "2"}
    assert later == [{"2": first["2"]}] * 2


def test_many_rows_with_one_stamp_come_all(database: Database) -> None:
    database.fill(30)
    database.read(cursor="updated", overlap=0)
    assert len(texts(database.read(cursor="updated", overlap=0))) == 30


def test_a_row_without_a_cursor_is_always_read(database: Database) -> None:
    database.fill(3)
    database.execute("UPDATE articles SET updated = '2026-06-01 00:00:00' WHERE id = 3")
    database.execute("UPDATE articles SET updated = NULL WHERE id = 1")
    database.read(cursor="updated")
    assert set(texts(database.read(cursor="updated"))) == {"1", "3"}


def test_a_cursor_in_the_future_hides_nothing(database: Database) -> None:
    database.fill(3)
    far = "2037-01-01 00:00:00" if database.kind == "mysql" else "2999-01-01 00:00:00"
    database.execute(f"UPDATE articles SET updated = '{far}' WHERE id = 3")
    database.read(cursor="updated")
    database.execute("UPDATE articles SET body = 'changed', updated = '2026-02-01 00:00:00' WHERE id = 1")
    assert {"1", "3"} <= set(texts(database.read(cursor="updated")))


@pytest.mark.parametrize("name", ["body", "ratio", "flag"])
def test_a_cursor_without_an_order_is_refused(database: Database, name: str) -> None:
    database.execute("CREATE TABLE odd (id int PRIMARY KEY, body VARCHAR(40), ratio DOUBLE PRECISION, flag BOOLEAN)")
    database.execute("INSERT INTO odd VALUES (1, 'no date', 1.5, true)")
    (found,) = database.read(table="odd", cursor=name)
    if (name, database.kind) in {("flag", "mysql"), ("flag", "sqlite")}:
        assert isinstance(found, RowItem)  # A boolean is a number there.
    else:
        assert isinstance(found, Problem)
        assert "cannot be a cursor" in found.reason


def test_every_digit_of_a_cursor_is_kept(database: Database) -> None:
    kind = {"mysql": "DATETIME(6)", "postgresql": "timestamptz", "sqlite": "TEXT"}[database.kind]
    database.execute(f"CREATE TABLE odd (id int PRIMARY KEY, body VARCHAR(40), changed {kind} NULL)")
    values = ",".join(f"({n}, 'row {n}', '2026-01-01 10:00:00.00{n}001')" for n in range(4))
    database.execute(f"INSERT INTO odd VALUES {values}")
    for _ in range(2):
        found = texts(database.read(table="odd", cursor="changed", overlap=0))
    assert set(found) == {"3"}


def test_moments_of_sqlite_are_compared_in_whichever_form_they_are(sqlite: Database) -> None:
    sqlite.execute("CREATE TABLE odd (id INTEGER PRIMARY KEY, body TEXT, changed TEXT)")
    sqlite.execute("INSERT INTO odd VALUES (1, 'one', '2026-01-01T12:00:00Z'), (2, 'two', '2026-01-01 13:30:00+02:00')")
    sqlite.read(table="odd", cursor="changed", overlap=60)
    assert set(texts(sqlite.read(table="odd", cursor="changed", overlap=60))) == {"1"}


def test_comparing_goes_through_all_ids_and_reads_what_is_new_or_unknown(database: Database) -> None:
    database.fill(9)
    database.execute("UPDATE articles SET updated = '2026-01-02 10:00:00' WHERE id = 9")
    database.read(cursor="updated")
    database.execute("DELETE FROM articles WHERE id = 4")
    found = kinds(database.read(settled=True, cursor="updated", compare=True))
    assert found.keys() == {str(n) for n in range(1, 10)} - {"4"}
    assert {key for key, kind in found.items() if kind is RowItem} == {"9"}
    assert {key for key, kind in found.items() if kind is Kept} == set("1235678")
    assert not database.context.is_increment


def test_ids_are_compared_by_itself_every_so_often(sqlite: Database) -> None:
    sqlite.fill(3)
    increments = []
    for _ in range(2 * runs.COMPARE_EVERY):
        sqlite.read(settled=True, cursor="updated")
        increments.append(sqlite.context.is_increment)
    assert [number for number, is_one in enumerate(increments) if not is_one] == [0, 9, 19]


def test_a_reading_that_was_cut_moves_no_cursor(sqlite: Database) -> None:
    sqlite.fill(9)
    reading = cast("Generator[Item, None, None]", sqlite.open(cursor="updated").read(sqlite.context))
    next(reading)
    reading.close()
    assert sqlite.memory.get_many([runs.STATE]) == {}


@pytest.mark.parametrize("options", [{}, {"cursor": "updated"}, {"cursor": "updated", "compare": True}])
def test_a_row_that_is_marked_as_deleted_departs(database: Database, options: dict[str, Any]) -> None:
    database.fill(5)
    database.execute("ALTER TABLE articles ADD COLUMN deleted_at TIMESTAMP NULL")
    database.read(deleted="deleted_at", **options)
    database.execute(
        "UPDATE articles SET deleted_at = '2026-02-02 00:00:00', updated = '2026-02-02 00:00:00' WHERE id = 2"
    )
    found = kinds(database.read(settled=True, deleted="deleted_at", **options))
    assert found["2"] is Departed


def test_a_row_that_loses_its_text_departs_from_an_increment(sqlite: Database) -> None:
    sqlite.fill(3)
    sqlite.read(cursor="updated")
    sqlite.execute("UPDATE articles SET body = '' WHERE id = 2")
    assert [item.uri[-1] for item in sqlite.read(cursor="updated") if isinstance(item, Departed)] == ["2"]


def test_a_cursor_that_changed_its_type_begins_anew(sqlite: Database) -> None:
    sqlite.fill(3)
    sqlite.read(cursor="updated")
    sqlite.execute("UPDATE articles SET updated = id")
    assert len(texts(sqlite.read(cursor="updated"))) == 3
    assert not sqlite.context.is_increment


def test_digests_of_rows_that_are_gone_are_forgotten_now_and_then(postgresql: Database) -> None:
    postgresql.fill(9)
    postgresql.read()
    postgresql.execute("DELETE FROM articles WHERE id > 6")
    for _ in range(runs.COMPARE_EVERY - 2):
        postgresql.read(settled=True)
    assert len([key for key, _ in postgresql.memory.walk() if key.startswith(telling.OF_ROW)]) == 9
    assert len(postgresql.read(settled=True)) == 6
    assert sorted(key[-1] for key, _ in postgresql.memory.walk() if key.startswith(telling.OF_ROW)) == list("123456")


def test_a_text_that_is_too_long_is_named(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MAX_ROW_BYTES", 9)
    sqlite.fill(10)
    found = sqlite.read()
    assert [item.uri[-2:] for item in found if isinstance(item, Problem)] == ["10"]


OTHERS: list[dict[str, Any]] = [
    {"text": ("title",), "title": "body"},
    {"template": "{title}: {body}"},
    {"metadata": ("title",)},
    {"uri": "{title}"},
]


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("usual", [{}, {"cursor": "updated"}])
def test_all_rows_are_read_when_something_else_is_made_of_them(
    postgresql: Database, usual: dict[str, Any], other: dict[str, Any]
) -> None:
    postgresql.fill(9)
    postgresql.read(**usual)
    assert postgresql.open().identity == postgresql.open(**usual, **other, statement_seconds=5.0).identity
    cut = cast(Generator[Item, None, None], postgresql.open(**usual, **other).read(postgresql.context))
    for _ in range(6):
        next(cut)
    cut.close()
    for again in (usual | other, usual):
        found = postgresql.read(settled=True, **again)
        assert [type(item) for item in found] == [RowItem] * 9


def test_the_newest_value_of_one_cursor_is_none_of_another(sqlite: Database) -> None:
    sqlite.fill(9)
    sqlite.execute("ALTER TABLE articles ADD COLUMN seen TIMESTAMP")
    sqlite.execute("UPDATE articles SET seen = '2025-01-01 10:00:00'")
    sqlite.read(cursor="updated")
    assert len(sqlite.read(cursor="seen")) == 9


def test_which_rows_they_are_is_another_source(sqlite: Database) -> None:
    sqlite.fill(1)
    others = [sqlite.open(id=("title",)), sqlite.open(table="pages"), sqlite.open(query="SELECT * FROM articles")]
    assert len({sqlite.open().identity, *(each.identity for each in others)}) == 4


def test_rows_without_an_id_are_told_once(sqlite: Database) -> None:
    sqlite.execute("CREATE TABLE pages (id INTEGER, body TEXT)")
    sqlite.execute("INSERT INTO pages VALUES (1, 'a'), (NULL, 'b')")
    found = sqlite.read(table="pages", id=("id",))
    assert [type(item) for item in found] == [Problem, RowItem]


def test_a_row_whose_columns_together_are_longer_than_a_packet_is_read_every_time(mysql: Database) -> None:
    mysql.execute("CREATE TABLE articles (id INTEGER PRIMARY KEY, body LONGTEXT, more LONGTEXT)")
    mysql.execute("INSERT INTO articles VALUES (1, 'a text', ''), (2, repeat('''', 5000000), repeat('''', 5000000))")
    text = ("body", "more")
    assert len(mysql.read(text=text)) == 2
    found = mysql.read(text=text, settled=True)
    assert kinds(found) == {"1": Kept, "2": RowItem}
