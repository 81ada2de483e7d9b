"""Owns the list of a shard's segments, which is kept among its rows: each view has its own segments.

What a file tells of its index is told here, without loading what reads words and vectors.
"""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from embedmill.shared.providers.vectorstores.embedded import end_of_file, schema

ENGINE = 1
"""The version of what segments hold and how it is laid out."""
CUT_AT_ONCE = 1_024
"""So many rows a search cuts itself, in half a second."""

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


# Rows of a range of keys that no words of some cutters wait for: at most so many are counted.
UNCUT = """
SELECT count(*) FROM (
    SELECT 1 FROM vectors WHERE key > ? AND key <= ? AND NOT EXISTS (
        SELECT 1 FROM words WHERE words.key = vectors.key AND cutter IN (SELECT value FROM json_each(?))
    ) LIMIT ?
)
"""
CUTTERS = "SELECT cutter FROM segments WHERE engine = ? UNION SELECT cutter FROM words"
NO_END = 2**62

Range = tuple[int, int]
"""The keys above the first and up to the second."""


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file that was written: its name in the folder, its bytes and their checksum."""

    name: str
    size: int
    checksum: int


@dataclass(frozen=True, slots=True)
class ListedSegment:
    """A segment of a shard: its file, the keys that it covers, its rows, and the tombstones that it knows."""

    written: WrittenFile
    low: int
    high: int
    rows: int
    number: int
    engine: int
    cutter: int

    def is_of(self, cutter: int) -> bool:
        """Whether this program can read it, and it holds words as a cutter of that version cuts them."""
        return (self.engine, self.cutter) == (ENGINE, cutter)


def read_list(connection: sqlite3.Connection) -> list[ListedSegment]:
    """The segments of a shard, of every cutter, by their keys."""
    return [ListedSegment(WrittenFile(*row[:3]), *row[3:]) for row in connection.execute(LISTED)]


def of_cutter(connection: sqlite3.Connection, cutter: int) -> list[ListedSegment]:
    """The segments of one cutter, by their keys, which do not overlap."""
    return [one for one in read_list(connection) if one.is_of(cutter)]


def cutters(connection: sqlite3.Connection) -> set[int]:
    """The versions of the cutters by which any words were cut that are kept."""
    return {cutter for (cutter,) in connection.execute(CUTTERS, (ENGINE,))}


def count_uncut(connection: sqlite3.Connection, cutters: Sequence[int], *, most: int) -> int:
    """How many rows none of the cutters has cut, or `most`."""
    cut = [(one.low, one.high) for one in read_list(connection) if any(map(one.is_of, cutters))]
    found, given, ranges = 0, json.dumps(cutters), between(_together(cut))
    # Whoever asks reads these rows next.
    (last,) = connection.execute("SELECT last_key FROM shard").fetchone()
    end_of_file.read_ahead(connection, sum(max(min(high, last) - low, 0) for low, high in ranges), of=last)
    for low, high in ranges:
        found += int(connection.execute(UNCUT, (low, high, given, most - found)).fetchone()[0])
        if found >= most:
            break
    return found


def between(ranges: Sequence[Range]) -> list[Range]:
    """What is between ranges and beyond them; they are in order and do not overlap."""
    ends = [0, *(high for _, high in ranges)]
    begins = [*(low for low, _ in ranges), NO_END]
    return [(low, high) for low, high in zip(ends, begins, strict=True) if low < high]


def _together(ranges: Sequence[Range]) -> list[Range]:
    """Ranges that do not overlap, of some in order that may."""
    found: list[Range] = []
    for low, high in ranges:
        if found and low <= found[-1][1]:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        else:
            found.append((low, high))
    return found


def lags(connection: sqlite3.Connection, cutter: int) -> bool:
    """Whether so many rows are not cut by today's cutter that a search would wait for it."""
    return schema.version_of(connection) < schema.WITH_WORDS or not is_cut(connection, [cutter])


def is_cut(connection: sqlite3.Connection, cutters: Sequence[int]) -> bool:
    """Whether all rows but a few were cut by one of the cutters."""
    return count_uncut(connection, cutters, most=CUT_AT_ONCE + 1) <= CUT_AT_ONCE


def former_cutters(connection: sqlite3.Connection, cutter: int) -> list[int]:
    """The versions of other cutters than today's that have an index here, the latest first."""
    if schema.version_of(connection) < schema.WITH_WORDS:
        return []
    return sorted(cutters(connection) - {cutter}, reverse=True)


def drop_former(connection: sqlite3.Connection, cutter: int) -> None:
    """Forget the segments and words of other cutters than today's, and of other engines."""
    connection.execute("DELETE FROM segments WHERE NOT (engine = ? AND cutter = ?)", (ENGINE, cutter))
    connection.execute("DELETE FROM words WHERE cutter <> ?", (cutter,))
    connection.execute("UPDATE shard SET seq = seq + 1")
    prune_tombstones(connection)


def replace_listed(connection: sqlite3.Connection, old: Sequence[ListedSegment], new: ListedSegment) -> None:
    """List a segment instead of those that it has the rows of, and forget what waited for it."""
    connection.executemany("DELETE FROM segments WHERE name = ?", ((listed.written.name,) for listed in old))
    file = new.written
    columns = (file.name, file.size, file.checksum, new.low, new.high, new.rows, new.number, new.engine, new.cutter)
    connection.execute(INSERT, columns)
    waited = "DELETE FROM words WHERE key > ? AND key <= ? AND cutter = ?"
    connection.execute(waited, (new.low, new.high, new.cutter))
    connection.execute("UPDATE shard SET seq = seq + 1")
    prune_tombstones(connection)


def prune_tombstones(connection: sqlite3.Connection) -> None:
    """Remove the tombstones that no segment needs; readers behind the last of them load anew."""
    (newest,) = connection.execute(NEEDLESS).fetchone()
    if newest is not None:
        connection.execute(PRUNE)
        connection.execute("UPDATE shard SET floor = max(floor, ?)", (newest,))


def measure(connection: sqlite3.Connection) -> int:
    """How many rows were ever written and deleted: a number that grows with every change."""
    return int(connection.execute(CHANGES).fetchone()[0])
