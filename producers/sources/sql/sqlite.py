"""Reads SQLite's files: opened to be read and never made, with nothing allowed but reading."""

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from embedmill.producers.sources.rows import MAX_ROW_BYTES
from embedmill.producers.sources.sql.sessions import (
    ROW_ID,
    Interrupted,
    Row,
    Session,
    StatementRefused,
    TooSlow,
    ValueTooLarge,
)
from embedmill.producers.sources.sql.values import Column, ColumnKind
from embedmill.shared.sqlite_files import file_uri
from embedmill.shared.uris import path_to_uri

BUSY_SECONDS = 5.0
# Virtual machine instructions between two looks at the clock: some milliseconds.
STEPS = 100_000
ALLOWED = frozenset([sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE])
# What makes texts of bytes, without a call of Python's.
DECODE = partial(str, encoding="utf-8", errors="replace")
# What is written so shortly after another write may leave a file with the same time.
SETTLED_SECONDS = 2.0
# What SQLite calls the file that was opened.
MAIN = "main"
_FILES = (b"", b"-wal", b"-journal")
_TYPES = {"integer": ColumnKind.INTEGER, "text": ColumnKind.MOMENT}
_ISO = "'[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*'"


class SqliteSession(Session):
    """A file that is read; types are of values here, not of columns."""

    placeholder = "?"
    largest_chunk = 32

    def __init__(self, path: bytes, *, seconds: float) -> None:
        super().__init__(seconds)
        self._deadline = 0.0
        self._path = path
        with self._translating():
            # Never immutable: that misses what is committed in the log beside the file.
            uri = file_uri(Path(os.fsdecode(path)), mode="ro")
            self._connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
            self._connection.text_factory = DECODE
            self._connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_ROW_BYTES)
            self._connection.set_progress_handler(self._is_late, STEPS)
            self._connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
            self._connection.set_authorizer(_authorise)

    def execute(self, statement: str, parameters: Sequence[Any], *, streamed: bool) -> Any:
        del streamed
        with self._translating():
            return self._connection.execute(statement, tuple(parameters))

    def fetch(self, cursor: Any, most: int) -> Sequence[Row]:
        with self._translating():
            return list(cursor.fetchmany(most))

    def finish(self, cursor: Any) -> None:
        cursor.close()

    def close(self) -> None:
        self._connection.close()

    def cut(self) -> None:
        self._connection.interrupt()

    @contextmanager
    def _within(self, seconds: float) -> Iterator[None]:
        self._deadline = time.monotonic() + seconds
        yield
        self._deadline = 0.0

    def _is_late(self) -> bool:
        return bool(self._deadline) and time.monotonic() > self._deadline

    def quote(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def describe(self, relation: str) -> list[Column]:
        cursor = self.execute(f"SELECT * FROM {relation} LIMIT 0", (), streamed=False)
        found = [Column(name, ColumnKind.TEXT) for name, *_ in cursor.description]
        cursor.close()
        return found

    def find_key(self, table: Sequence[str]) -> list[str]:
        self._connection.set_authorizer(None)
        try:
            found = self.execute(
                "SELECT name FROM pragma_table_info(?) WHERE pk ORDER BY pk", table[-1:], streamed=False
            )
            return [str(row[0]) for row in found]
        finally:
            self._connection.set_authorizer(_authorise)

    def find_table(self, table: Sequence[str]) -> str:
        # SQLite knows a table whatever the case of its name, also as one of `main`.
        names = [name.lower() for name in table]
        return "/".join([path_to_uri(self._path), *(names[1:] if names[:1] == [MAIN] else names)])

    def find_state(self, table: Sequence[str]) -> str:
        """Of a table that is kept in the file: inode, size and times of the file and of what lies beside it."""
        kept = self.value(
            "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ? COLLATE NOCASE", table[-1:] or ("",)
        )
        schemas = [name.lower() for name in table[:-1]]
        if schemas not in ([], [MAIN]) or not kept or kept[:14].upper().startswith("CREATE VIRTUAL"):
            return ""
        found = [_stamp(self._path + suffix) for suffix in _FILES]
        newest = max(time_ns for *_, time_ns in found)
        is_settled = newest < time.time_ns() - SETTLED_SECONDS * 1e9
        return " ".join(map(str, (number for stamp in found for number in stamp))) if is_settled else ""

    def order_by(self, table: Sequence[str], columns: Sequence[Column]) -> list[str]:
        if table and self._has_row_ids(table):
            return [ROW_ID]
        return [f"{self.quote(column.name)} COLLATE BINARY" for column in columns]

    def _has_row_ids(self, table: Sequence[str]) -> bool:
        kind = self.value("SELECT type FROM sqlite_master WHERE name = ? COLLATE NOCASE", table[-1:])
        try:
            self.execute(f"SELECT {ROW_ID} FROM {self.quote(table[-1])} LIMIT 0", (), streamed=False).close()
        except StatementRefused:
            return False
        return bool(kind == "table")

    def find_type(self, column: Column, relation: str) -> Column:
        """A cursor column by what is in it: whole numbers, or moments in ISO's form."""
        name = self.quote(column.name)
        odd = f"typeof({name}) = 'text' AND ({name} NOT GLOB {_ISO} OR julianday({name}) IS NULL)"
        query = f"SELECT DISTINCT CASE WHEN {odd} THEN 'odd' ELSE typeof({name}) END FROM {relation}"
        found = {str(row[0]) for rows in self.chunks(query, ()) for row in rows} - {"null"}
        if len(found) > 1 or not found <= _TYPES.keys():
            return Column(column.name, ColumnKind.OTHER)
        return Column(column.name, _TYPES[found.pop()] if found else ColumnKind.MOMENT)

    def newer(self, column: Column) -> str:
        name = self.quote(column.name)
        if column.kind is ColumnKind.INTEGER:
            return f"({name} >= CAST(? AS INTEGER) - CAST(? AS INTEGER) OR {name} IS NULL)"
        return f"(julianday({name}) >= julianday(?) - CAST(? AS REAL) / 86400.0 OR julianday({name}) IS NULL)"

    def newest(self, column: Column, relation: str) -> str:
        name = self.quote(column.name)
        if column.kind is ColumnKind.INTEGER:
            return f"SELECT CAST(max({name}) AS TEXT) FROM {relation}"
        moment = f"julianday({name})"
        return f"SELECT {name} FROM {relation} WHERE {moment} <= julianday('now') ORDER BY {moment} DESC LIMIT 1"

    @contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise _translated(error) from None
        except sqlite3.DataError:
            raise ValueTooLarge(f"SQLite: a value has more than {MAX_ROW_BYTES:,} bytes") from None
        except sqlite3.DatabaseError as error:
            raise StatementRefused(f"SQLite refused: {error}") from None


def _translated(error: sqlite3.OperationalError) -> StatementRefused | Interrupted:
    said = str(error)
    if error.sqlite_errorname == "SQLITE_INTERRUPT":
        return TooSlow(f"SQLite: {said}")
    if error.sqlite_errorname in ("SQLITE_BUSY", "SQLITE_LOCKED"):
        return Interrupted(f"SQLite: {said}")
    return StatementRefused(f"SQLite refused: {said}")


def _stamp(path: bytes) -> tuple[int, int, int, int]:
    """Inode, size and times of a file; zeros where there is none. The last of the times is nobody's to set."""
    with suppress(FileNotFoundError):
        found = os.stat(path)
        return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
    return 0, 0, 0, 0


def _authorise(action: int, *_: object) -> int:
    return sqlite3.SQLITE_OK if action in ALLOWED else sqlite3.SQLITE_DENY
