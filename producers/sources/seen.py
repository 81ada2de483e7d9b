"""Which marks a scan has met before, in memory of bounded size whatever the length of the source."""

import sqlite3
import weakref
from collections.abc import Sequence

# About 5 MB; a source with fewer rows never touches the disk.
MOST_IN_MEMORY = 50_000
CACHE_KIB = 4096


class Seen:
    """A growing set of short byte strings: the young ones in memory, the rest in an unnamed temporary file."""

    def __init__(self, most_in_memory: int = MOST_IN_MEMORY) -> None:
        self._most_in_memory = most_in_memory
        self._young: set[bytes] = set()
        self._file: sqlite3.Connection | None = None

    def has_any(self, marks: Sequence[bytes]) -> bool:
        """Whether one of the marks was added before."""
        if not self._young.isdisjoint(marks):
            return True
        if self._file is None:
            return False
        places = ",".join("?" * len(marks))
        return self._file.execute(f"SELECT 1 FROM seen WHERE mark IN ({places}) LIMIT 1", marks).fetchone() is not None

    def add(self, marks: Sequence[bytes]) -> None:
        """Remember marks."""
        self._young.update(marks)
        if len(self._young) >= self._most_in_memory:
            self._spill()

    def _spill(self) -> None:
        if self._file is None:
            self._file = _open()
            weakref.finalize(self, self._file.close)
        # In order, so that pages of the file are filled one after another.
        self._file.executemany("INSERT OR IGNORE INTO seen VALUES (?)", [(mark,) for mark in sorted(self._young)])
        self._young.clear()


def _open() -> sqlite3.Connection:
    # The empty name is SQLite's for a file that goes away by itself.
    connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    for pragma in ("journal_mode=OFF", "synchronous=OFF", f"cache_size=-{CACHE_KIB}"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("CREATE TABLE seen (mark BLOB PRIMARY KEY) WITHOUT ROWID")
    # One transaction for the file's life: nobody else reads it, and nothing of it is kept.
    connection.execute("BEGIN")
    return connection
