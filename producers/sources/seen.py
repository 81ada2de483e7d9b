"""Which marks a scan has met before, and on which line, in memory of bounded size whatever the length of the source."""

import sqlite3
import weakref
from collections.abc import Sequence

# About 7 MB; a source with fewer rows never touches the disk.
MOST_IN_MEMORY = 50_000
CACHE_KIB = 4096


class SeenKeys:
    """Short byte strings and the line of each: the young ones in memory, the rest in an unnamed temporary file."""

    def __init__(self, most_in_memory: int = MOST_IN_MEMORY) -> None:
        self._most_in_memory = most_in_memory
        self._young: dict[bytes, int] = {}
        self._file: sqlite3.Connection | None = None

    def find(self, marks: Sequence[bytes]) -> int | None:
        """The line of one of the marks that was added before; None when none was."""
        for mark in marks:
            if (line := self._young.get(mark)) is not None:
                return line
        if self._file is None:
            return None
        places = ",".join("?" * len(marks))
        found = self._file.execute(f"SELECT line FROM seen WHERE mark IN ({places}) LIMIT 1", marks).fetchone()
        return found[0] if found else None

    def add(self, marks: Sequence[bytes], line: int) -> None:
        """Remember marks, and where they were; of one that was there already, where it is now."""
        self._young.update(dict.fromkeys(marks, line))
        if len(self._young) >= self._most_in_memory:
            self._spill()

    def _spill(self) -> None:
        if self._file is None:
            self._file = _open()
            weakref.finalize(self, self._file.close)
        # In order, so that pages of the file are filled one after another.
        self._file.executemany("INSERT OR REPLACE INTO seen VALUES (?, ?)", sorted(self._young.items()))
        self._young.clear()


def _open() -> sqlite3.Connection:
    # The empty name is SQLite's for a file that goes away by itself.
    connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    for pragma in ("journal_mode=OFF", "synchronous=OFF", f"cache_size=-{CACHE_KIB}"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("CREATE TABLE seen (mark BLOB PRIMARY KEY, line INTEGER) WITHOUT ROWID")
    # One transaction for the file's life: nobody else reads it, and nothing of it is kept.
    connection.execute("BEGIN")
    return connection
