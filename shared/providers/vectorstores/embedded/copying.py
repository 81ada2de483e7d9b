"""Owns how a shard's file is written anew under another key, beside the one that there is."""

import os
import sqlite3
from pathlib import Path

from embedmill.shared.providers.vectorstores.embedded import cipher
from embedmill.shared.sealing.envelope import DataKey

TABLES = "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
INDEXES = "SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY name"
NUMBERS = ("user_version", "application_id")
ROWS = 2_000


def copy(source: sqlite3.Connection, target: Path, key: DataKey | None) -> None:
    """Write all that a connection reads into a new file under a key, or plain; it is on the disk then."""
    target.unlink(missing_ok=True)
    uri = f"file:{target}?mode=rwc"
    made = (
        cipher.unlock(uri, key, isolation_level=None) if key else sqlite3.connect(uri, uri=True, isolation_level=None)
    )
    try:
        made.execute("PRAGMA journal_mode=DELETE")
        made.execute("BEGIN IMMEDIATE")
        _fill(source, made)
        made.execute("COMMIT")
        made.execute("PRAGMA journal_mode=WAL")
    finally:
        made.close()
    _sync(target)


def _fill(source: sqlite3.Connection, made: sqlite3.Connection) -> None:
    for name, statement in source.execute(TABLES).fetchall():
        made.execute(statement)
        _copy_rows(source, made, name)
    if source.execute("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'").fetchone():
        made.execute("DELETE FROM sqlite_sequence")
        _copy_rows(source, made, "sqlite_sequence")
    for (statement,) in source.execute(INDEXES).fetchall():
        made.execute(statement)
    for number in NUMBERS:
        made.execute(f"PRAGMA {number}={source.execute(f'PRAGMA {number}').fetchone()[0]}")


def _copy_rows(source: sqlite3.Connection, made: sqlite3.Connection, table: str) -> None:
    rows = source.execute(f"SELECT * FROM {table}")
    insert = f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows.description))})"
    while page := rows.fetchmany(ROWS):
        made.executemany(insert, page)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
