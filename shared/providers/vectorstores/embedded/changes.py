"""Owns what changes the rows of a shard, inside a transaction: rows are added under new keys, and leave tombstones."""

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

from embedmill.shared.providers.vectorstores.embedded import listing
from embedmill.shared.providers.vectorstores.embedded.records import EACH_OF, INSERT, pack_vectors, record
from embedmill.shared.providers.vectorstores.rows import VectorRow
from embedmill.shared.words import counting, cutting

TOMBSTONES_KEPT = 10_000
KEEP_WORDS = "INSERT INTO words (cutter, length, terms, counts, key) VALUES (?, ?, ?, ?, ?)"
FORGET_WORDS = f"DELETE FROM words WHERE key IN {EACH_OF}"


Prepared = Sequence[tuple[tuple[Any, ...], tuple[Any, ...]]]
"""Rows as they are written, without the number of the change and their keys; and of each its words."""


def prepare(rows: Sequence[VectorRow]) -> Prepared:
    """What takes long of writing rows, and needs no turn at it: texts are compressed, and their words counted."""
    vectors = pack_vectors([row.vector for row in rows])
    counted = counting.count_each([cutting.Words(row.title, row.uri, row.section, row.text) for row in rows])
    words = [(cutting.VERSION, length, terms, counts) for terms, counts, length in counted.kept()]
    return list(zip(map(record, rows, vectors), words, strict=True))


def add(connection: sqlite3.Connection, rows: Prepared) -> None:
    """Write rows under keys that no row ever had, and the words of each."""
    seq = next_seq(connection)
    keyed = list(enumerate(rows, _take_keys(connection, len(rows))))
    connection.executemany(INSERT, ((*row, seq, key) for key, (row, _) in keyed))
    connection.executemany(KEEP_WORDS, ((*words, key) for key, (_, words) in keyed))


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


def keys_by_id(connection: sqlite3.Connection, ids: Sequence[str]) -> dict[str, int]:
    """The keys of rows by their ids, of those that are there."""
    select = f"SELECT id, key FROM vectors WHERE id IN {EACH_OF}"
    return dict(connection.execute(select, (json.dumps(list(ids)),)).fetchall())
