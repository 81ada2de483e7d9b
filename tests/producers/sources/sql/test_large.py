"""Large values: a row that has one is read by itself, and one that is too large is told without being read."""

from collections.abc import Sequence
from typing import Any

import pytest

from embedmill.producers.sources.base import Item, Kept, Problem, RowItem
from embedmill.producers.sources.sql import postgres, reading, sessions, sqlite
from embedmill.producers.sources.sql.sessions import Row
from tests.producers.sources.sql.databases import Database

MOST = 3000
LARGE, TOO_LARGE = "l" * 2000, "t" * 5000


@pytest.fixture(autouse=True)
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """How long the longest values were that came together, and how many rows."""
    found: list[tuple[int, int]] = []
    next_chunk = sessions.next_chunk

    def look(rows: Sequence[Row], *how: int) -> int:
        lengths = [len(value) for row in rows for value in row if isinstance(value, str | bytes)]
        found.append((max(lengths, default=0), len(rows)))
        return next_chunk(rows, *how)

    monkeypatch.setattr(sessions, "next_chunk", look)
    monkeypatch.setattr(reading, "LARGE_VALUE", 999)
    for module in (reading, sqlite):
        monkeypatch.setattr(module, "MAX_ROW_BYTES", MOST)
    return found


def fill(database: Database, *, key: str = "id INTEGER PRIMARY KEY") -> None:
    binary = {"postgresql": "BYTEA", "mysql": "LONGBLOB", "sqlite": "BLOB"}[database.kind]
    database.execute(f"CREATE TABLE articles ({key}, title VARCHAR(9), body TEXT, data {binary}, updated INTEGER)")
    cells = {3: LARGE, 5: TOO_LARGE, 6: TOO_LARGE, 8: LARGE}
    values = ",".join(f"({n}, 'T', '{cells.get(n, 'x' * n)}', NULL, 1)" for n in range(1, 12))
    database.execute(f"INSERT INTO articles VALUES {values}")
    filled = {"postgresql": "repeat('b', 4000)::bytea", "mysql": "repeat('b', 4000)", "sqlite": "zeroblob(4000)"}
    database.execute(f"UPDATE articles SET data = {filled[database.kind]} WHERE id = 9")


def told(items: Sequence[Item]) -> dict[str, Any]:
    shown = {
        item.uri.rpartition("/")[2].removesuffix(",T"): len(item.text)
        if isinstance(item, RowItem)
        else type(item).__name__
        for item in items
    }
    assert len(shown) == len(items)
    assert {item.reason for item in items if isinstance(item, Problem)} <= {
        "a value of it is larger than 50,000,000 bytes"
    }
    return shown


WHOLE = {str(n): n for n in range(1, 12)} | {"3": 2000, "8": 2000, "5": "Problem", "6": "Problem", "9": "Problem"}


@pytest.mark.parametrize(
    "options",
    [{}, {"query": "SELECT * FROM articles"}, {"deleted": "title", "cursor": "updated"}, {"id": ("id", "title")}],
)
def test_a_value_that_is_too_large_costs_its_row_alone_and_is_never_read(
    database: Database, fetched: list[tuple[int, int]], options: dict[str, Any]
) -> None:
    fill(database)
    if "deleted" in options:
        database.execute("UPDATE articles SET title = NULL")
    assert told(database.read(metadata=("data",), **options)) == WHOLE
    assert MOST > max(fetched)[0] > 1000, "those that are only large are read"
    if database.kind != "sqlite":
        assert {count for longest, count in fetched if longest > 1000} == {1}


@pytest.mark.parametrize("usual", [{}, {"cursor": "updated", "overlap": "0"}])
def test_rows_that_are_read_again_by_their_ids_are_no_larger(database: Database, usual: dict[str, Any]) -> None:
    fill(database)
    database.read(metadata=("data",), **usual)
    database.execute("UPDATE articles SET updated = updated + 1, title = 'U' WHERE id < 7")
    compared = usual and usual | {"compare": True}
    assert told(database.read(metadata=("data",), **compared)) == WHOLE
    # Nothing of it changed, and what was too large is said again.
    settled = told(database.read(metadata=("data",), settled=True, **compared))
    assert set(settled.values()) <= {Kept.__name__, "Problem", *WHOLE.values()}


def test_columns_that_have_to_be_printed_to_be_measured_are(
    postgresql: Database, fetched: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "COMPRESSED_BYTES", 0)
    postgresql.execute("CREATE TABLE articles (id INTEGER PRIMARY KEY, body TEXT, tags TEXT[], facts JSONB)")
    postgresql.execute(
        "INSERT INTO articles SELECT n, 'text', array_fill('a'::text, ARRAY[n * 100]), "
        "jsonb_build_object('fact', repeat('f', n * 100)) FROM generate_series(1, 40) n"
    )
    found = told(postgresql.read(metadata=("tags", "facts")))
    assert {name for name, what in found.items() if what == "Problem"} == {str(n) for n in range(15, 41)}
    assert max(fetched)[0] < MOST


def test_a_key_without_a_row_id_names_it_too(sqlite: Database) -> None:
    sqlite.execute("CREATE TABLE articles (id TEXT PRIMARY KEY, title TEXT, body TEXT) WITHOUT ROWID")
    values = ",".join(f"('w{n}', 'T', '{TOO_LARGE if n % 4 == 0 else n}')" for n in range(9))
    sqlite.execute(f"INSERT INTO articles VALUES {values}")
    assert [name for name, what in told(sqlite.read()).items() if what == "Problem"] == ["w0", "w4", "w8"]
