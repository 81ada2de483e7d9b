"""Owns the list of a shard's segments, which is kept among its rows: each view has its own segments."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from embedmill.shared.providers.vectorstores.embedded.segment_files import ENGINE, Written
from embedmill.shared.words import cutting

LISTED = """
SELECT name, size, checksum, low, high, rows, number, engine, cutter FROM segments ORDER BY low
"""
INSERT = "INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
CHANGES = """
SELECT last_key + coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'tombstones'), 0) FROM shard
"""
# Tombstones that no segment needs: of rows that came after all segments, and that their segment never had.
NEEDLESS = """
SELECT max(number) FROM tombstones WHERE NOT EXISTS (
    SELECT 1 FROM segments WHERE tombstones.key > low AND tombstones.key <= high AND tombstones.number > segments.number
)
"""
PRUNE = """
DELETE FROM tombstones WHERE NOT EXISTS (
    SELECT 1 FROM segments WHERE tombstones.key > low AND tombstones.key <= high AND tombstones.number > segments.number
)
"""


@dataclass(frozen=True, slots=True)
class Listed:
    """A segment of a shard: its file, the keys that it covers, its rows, and the tombstones that it knows."""

    written: Written
    low: int
    high: int
    rows: int
    number: int
    engine: int
    cutter: int

    @property
    def is_current(self) -> bool:
        """Whether it was made by this program's engine and cutter."""
        return (self.engine, self.cutter) == (ENGINE, cutting.VERSION)


def read_list(connection: sqlite3.Connection) -> list[Listed]:
    """The segments of a shard, by their keys."""
    return [Listed(Written(*row[:3]), *row[3:]) for row in connection.execute(LISTED)]


def replace_listed(connection: sqlite3.Connection, old: Sequence[Listed], new: Listed) -> None:
    """List a segment instead of those that it has the rows of, and forget what waited for it."""
    connection.executemany("DELETE FROM segments WHERE name = ?", ((listed.written.name,) for listed in old))
    file = new.written
    columns = (file.name, file.size, file.checksum, new.low, new.high, new.rows, new.number, new.engine, new.cutter)
    connection.execute(INSERT, columns)
    connection.execute("DELETE FROM words WHERE key > ? AND key <= ?", (new.low, new.high))
    connection.execute("UPDATE shard SET seq = seq + 1")
    prune_tombstones(connection)


def prune_tombstones(connection: sqlite3.Connection) -> None:
    """Remove the tombstones that no segment needs; readers behind the last of them load anew."""
    (newest,) = connection.execute(NEEDLESS).fetchone()
    if newest is not None:
        connection.execute(PRUNE)
        connection.execute("UPDATE shard SET floor = max(floor, ?)", (newest,))


def end(connection: sqlite3.Connection) -> int:
    """The last key that a segment covers."""
    return int(connection.execute("SELECT coalesce(max(high), 0) FROM segments").fetchone()[0])


def measure(connection: sqlite3.Connection) -> int:
    """How many rows were ever written and deleted: a number that grows with every change."""
    return int(connection.execute(CHANGES).fetchone()[0])
