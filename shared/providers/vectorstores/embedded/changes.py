"""Owns what changes the rows of a shard, inside a transaction: rows are added under new keys, and leave tombstones."""

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

from embedmill.shared.providers.vectorstores.base import VectorRow
from embedmill.shared.providers.vectorstores.embedded import listing
from embedmill.shared.providers.vectorstores.embedded.records import EACH_OF, INSERT, record
from embedmill.shared.words import cutting

TOMBSTONES_KEPT = 10_000
KEEP_WORDS = "INSERT INTO words (key, cutter, length, terms, counts) VALUES (?, ?, ?, ?, ?)"
FORGET_WORDS = f"DELETE FROM words WHERE key IN {EACH_OF}"


def add(connection: sqlite3.Connection, rows: Sequence[VectorRow]) -> None:
    """Write rows under keys that no row ever had, and the words of each."""
    seq = next_seq(connection)
    keyed = list(enumerate(rows, _take_keys(connection, len(rows))))
    connection.executemany(INSERT, (record(row, seq, key) for key, row in keyed))
    connection.executemany(KEEP_WORDS, (_words(row, key) for key, row in keyed))


def next_seq(connection: sqlite3.Connection) -> int:
    """The number of this change: readers look again."""
    return int(connection.execute("UPDATE shard SET seq = seq + 1 RETURNING seq").fetchone()[0])


def _take_keys(connection: sqlite3.Connection, number: int) -> int:
    """The first of so many keys that no row ever had."""
    taken = connection.execute("UPDATE shard SET last_key = last_key + ? RETURNING last_key", (number,)).fetchone()[0]
    return int(taken) - number + 1


def bury(connection: sqlite3.Connection, keys: Sequence[int]) -> None:
    """Delete rows and leave tombstones; from time to time those that no segment needs go."""
    if not keys:
        return
    for statement in (f"DELETE FROM vectors WHERE key IN {EACH_OF}", FORGET_WORDS):
        connection.execute(statement, (json.dumps(list(keys)),))
    connection.executemany("INSERT INTO tombstones (key) VALUES (?)", ((key,) for key in keys))
    (newest,) = connection.execute("SELECT max(number) FROM tombstones").fetchone()
    if newest // TOMBSTONES_KEPT > (newest - len(keys)) // TOMBSTONES_KEPT:
        listing.prune_tombstones(connection)


def _words(row: VectorRow, key: int) -> tuple[Any, ...]:
    counted = cutting.count_terms(title=row.title, uri=row.uri, section=row.section, text=row.text)
    return key, cutting.VERSION, counted.length, counted.terms.tobytes(), counted.counts.tobytes()


def keys_by_id(connection: sqlite3.Connection, ids: Sequence[str]) -> dict[str, int]:
    """The keys of rows by their ids, of those that are there."""
    select = f"SELECT id, key FROM vectors WHERE id IN {EACH_OF}"
    return dict(connection.execute(select, (json.dumps(list(ids)),)).fetchall())
