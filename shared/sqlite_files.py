"""How files of SQLite are opened where they cannot be written: as they stand, and nothing is made beside them."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from embedmill.shared.errors import StorageFailed

SHARED_BYTES = 32 * 1024
"""Of a shared-memory file; a full disk has room for a part of one."""
LEAST_BYTES = 256 * 1024
"""What SQLite needs beside a file to read it as one that others may write, and something for a log."""

_as_they_stand: list[bool] = []


def are_read_as_they_stand() -> bool:
    """Whether this process takes every folder for one that cannot be written."""
    return bool(_as_they_stand)


def is_writable(folder: Path) -> bool:
    """Whether this user may make files in a folder; a read-only mount says no to root too."""
    return not _as_they_stand and may_write(folder)


def may_write(folder: Path) -> bool:
    """The same, whatever this process takes the folder for."""
    return os.access(folder, os.W_OK)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def has_room(folder: Path) -> bool:
    """Whether the disk of a folder has room for the files that reading makes beside those of SQLite."""
    found = os.statvfs(folder)
    return found.f_frsize * (found.f_bavail if os.geteuid() else found.f_bfree) >= LEAST_BYTES


@contextmanager
def read_as_they_stand() -> Iterator[None]:
    """Have this process take every folder for one that cannot be written, as a full disk cannot."""
    _as_they_stand.append(True)
    try:
        yield
    finally:
        _as_they_stand.pop()


def file_uri(path: Path, *, mode: str) -> str:
    """The URI by which SQLite opens a file: in `mode`, or to read only where its folder cannot be written.

    SQLite reads a database in WAL mode only with a shared-memory file beside it, unless it is told that nobody writes.
    A write-ahead log that was left is not passed over, nor a shared-memory file by which others may be writing: then
    SQLite needs the files that are there, or says so.
    """
    if is_writable(path.parent):
        return f"file:{quote(str(path))}?mode={mode}"
    log, shared = Path(f"{path}-wal"), Path(f"{path}-shm")
    is_shared = _size(shared) >= SHARED_BYTES and os.access(shared, os.W_OK)
    alone = not _size(log) and not is_shared
    return f"file:{quote(str(path))}?mode=ro" + ("&immutable=1" if alone else "")


def copy_file(source: str | Path, target: Path) -> None:
    """Copy a database as it is at one moment, while others write; raises StorageFailed."""
    try:
        with (
            closing(sqlite3.connect(source, uri=isinstance(source, str))) as old,
            closing(sqlite3.connect(target)) as new,
        ):
            old.backup(new)
            new.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        raise StorageFailed(f"{target} cannot be written: {error}") from None


def truncate_log(connection: sqlite3.Connection, path: Path) -> None:
    """Empty a write-ahead log, which has pages as they were; raises StorageFailed while somebody reads them.

    SQLite does not raise then: it answers that it was busy.
    """
    if connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
        raise StorageFailed(f"{path} is being read", hint="Its write-ahead log is emptied when nobody reads it.")
