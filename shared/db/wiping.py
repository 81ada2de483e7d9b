"""Sees that nothing of deleted rows is left where a database keeps its tables, and says where something may be."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from sqlalchemy import text

from embedmill.shared.db.connecting import BUSY_TIMEOUT_MS, parse_url
from embedmill.shared.db.engine import Database
from embedmill.shared.errors import StorageFailed
from embedmill.shared.planner_statistics import MAY_REWRITE, REWRITE, UNTIL_REWRITTEN
from embedmill.shared.sqlite_files import truncate_log

LOCK_SECONDS = 30
LOG_OF_SERVER = (
    "Postgres: its write-ahead log, until its segments are written over (pg_switch_wal and a checkpoint hurry that); "
    "archives of it, base backups and replicas, as long as each is kept; the server's own log, if it logs statements"
)


def wipe(database: Database, tables: Sequence[str]) -> str:
    """Write a SQLite file anew, or tables of a server; returns what may be left all the same. Raises StorageFailed.

    Others wait meanwhile: for a file, whoever writes, and for a server, whoever uses the table that is being written.
    """
    if database.is_sqlite:
        _on_file(database, "VACUUM")
        return ""
    left = _vacuum(database, tables)
    return "; ".join(filter(None, [LOG_OF_SERVER, left]))


def empty_log(database: Database, tables: Sequence[str]) -> None:
    """The same where deleted rows were overwritten as they went: of a file, only its log has them still."""
    if database.is_sqlite:
        _on_file(database)
    else:
        _vacuum(database, tables)


def _vacuum(database: Database, tables: Sequence[str]) -> str:
    with database.outside_transactions() as connection:
        connection.execute(text("SET statement_timeout = 0"))
        connection.execute(text(f"SET lock_timeout = '{LOCK_SECONDS}s'"))
        known = {row[0] for row in connection.execute(text("SELECT tablename FROM pg_tables"))}
        for table in sorted(known.intersection(tables)):
            # A plain VACUUM leaves words in indexes, and the planner keeps the most frequent values.
            connection.execute(text(f'VACUUM (FULL, ANALYZE) "{table}"'))
        if not connection.execute(text(MAY_REWRITE)).scalar():
            return UNTIL_REWRITTEN
        connection.execute(text(REWRITE))
    return ""


def _on_file(database: Database, *statements: str) -> None:
    path = Path(parse_url(database.url).database or "")
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None)) as connection:
            connection.execute("PRAGMA secure_delete=ON")
            for statement in statements:
                connection.execute(statement)
            truncate_log(connection, path)
    except sqlite3.Error as error:
        raise StorageFailed(f"{path} cannot be written anew: {error}") from None
