"""Owns the schema of a shard's file, and how a file of an older one becomes one of today's.

Version 2 keeps the words of a row as terms (decision 0042) instead of SQLite's full-text index, gives every written row
a key that was never used before, and lists the segments of the index (`segments`). Rows of version 1 stay as they are:
a text may be plain or compressed, and a vector in either width. Version 3 knows where the head of a row's table stands,
and its last page.
"""

import sqlite3
import uuid

VERSION = 3
READABLE = (1, 2, VERSION)
WITH_PLACES = 3
WITH_WORDS = 2
"""Version 1 is read as it stands where nobody may write."""

ROWS = """
CREATE TABLE vectors (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    document TEXT NOT NULL,
    version TEXT NOT NULL,
    generation INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    chunk TEXT NOT NULL,
    uri TEXT NOT NULL,
    start INTEGER NOT NULL,
    "end" INTEGER NOT NULL,
    page INTEGER,
    index_version TEXT NOT NULL,
    metadata TEXT NOT NULL,
    vector BLOB NOT NULL,
    title TEXT NOT NULL,
    section TEXT NOT NULL,
    text NOT NULL,
    head_start INTEGER,
    head_end INTEGER,
    last_page INTEGER
);
CREATE INDEX vectors_by_document ON vectors (document, version, generation);
CREATE INDEX vectors_by_uri ON vectors (uri);
"""
# `words` waits for the index: rows that a segment holds have none there. A segment has the rows whose keys are above
# `low` and up to `high`, but for those that the tombstones up to `number` took.
DERIVED = """
CREATE TABLE segments (
    name TEXT PRIMARY KEY, size INTEGER NOT NULL, checksum INTEGER NOT NULL,
    low INTEGER NOT NULL, high INTEGER NOT NULL, rows INTEGER NOT NULL, number INTEGER NOT NULL,
    engine INTEGER NOT NULL, cutter INTEGER NOT NULL
);
CREATE TABLE tombstones (number INTEGER PRIMARY KEY AUTOINCREMENT, key INTEGER NOT NULL);
CREATE TABLE words (
    key INTEGER PRIMARY KEY, cutter INTEGER NOT NULL, length INTEGER NOT NULL, terms BLOB NOT NULL, counts BLOB NOT NULL
);
"""
SHARD = """
CREATE TABLE shard (
    identity TEXT NOT NULL, seq INTEGER NOT NULL, floor INTEGER NOT NULL, dimensions INTEGER NOT NULL,
    last_key INTEGER NOT NULL DEFAULT 0
);
"""
FROM_1 = """
DROP TABLE lexicon;
DROP TABLE tombstones;
DROP INDEX vectors_by_seq;
ALTER TABLE shard ADD COLUMN last_key INTEGER NOT NULL DEFAULT 0;
UPDATE shard SET floor = 0, last_key = (SELECT coalesce(max(key), 0) FROM vectors);
"""
FROM_2 = """
ALTER TABLE vectors ADD COLUMN head_start INTEGER;
ALTER TABLE vectors ADD COLUMN head_end INTEGER;
ALTER TABLE vectors ADD COLUMN last_page INTEGER;
"""


def lay_out(connection: sqlite3.Connection, *, dimensions: int) -> None:
    """The tables of an empty shard; call it in a transaction."""
    _run(connection, SHARD + ROWS + DERIVED)
    connection.execute(
        "INSERT INTO shard (identity, seq, floor, dimensions) VALUES (?, 0, 0, ?)", (uuid.uuid4().hex, dimensions)
    )
    connection.execute(f"PRAGMA user_version={VERSION}")


def migrate(connection: sqlite3.Connection) -> None:
    """Bring an older file up to date; call it in a transaction. A new identity has readers load it anew."""
    if version_of(connection) < WITH_WORDS:
        _run(connection, FROM_1 + DERIVED)
        connection.execute("UPDATE shard SET identity = ?", (uuid.uuid4().hex,))
    _run(connection, FROM_2)
    connection.execute(f"PRAGMA user_version={VERSION}")


def version_of(connection: sqlite3.Connection) -> int:
    """The version of the schema that a file has."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _run(connection: sqlite3.Connection, statements: str) -> None:
    for statement in statements.split(";\n"):
        connection.execute(statement)
