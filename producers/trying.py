"""The memory of a reading that is only tried: nothing of it is kept, and much of it is on disk meanwhile."""

import sqlite3
import weakref
from collections.abc import Iterator, Mapping, Sequence
from heapq import merge
from typing import Any

import orjson

from embedmill.producers.sources.memory import Changes, Memory, Value

MOST_IN_MEMORY = 5_000
CACHE_KIB = 4096


class TrialMemory(Memory):
    """What is under it, with changes that end with this object: the young ones in memory, others in an unnamed file."""

    def __init__(self, under: Memory) -> None:
        super().__init__()
        self.is_kept = under.is_kept
        self._under = under
        self._file: sqlite3.Connection | None = None

    def _change(self, changes: Changes) -> None:
        self._changed.update(changes)
        if len(self._changed) >= MOST_IN_MEMORY:
            self._spill()

    def _spill(self) -> None:
        if self._file is None:
            self._file = _open()
            weakref.finalize(self, self._file.close)
        rows = ((self._place(key), _written(key), _written(value)) for key, value in self._changed.items())
        self._file.executemany("INSERT OR REPLACE INTO changed VALUES (?, ?, ?)", rows)
        self._changed.clear()

    def _place(self, key: str) -> str:
        return self._under._place(key)  # noqa: SLF001 - it is a memory as this one, and says its order

    def _find(self, keys: Sequence[str]) -> dict[str, Value]:
        spilled = self._spilled(keys)
        left = [key for key in keys if key not in spilled]
        found = {key: value for key, value in spilled.items() if value is not None}
        return found | (self._under.get_many(left) if left else {})

    def _spilled(self, keys: Sequence[str]) -> Mapping[str, Value | None]:
        found: dict[str, Value | None] = {}
        for key in keys if self._file is not None else ():
            row = self._read("SELECT key, value FROM changed WHERE place = ?", self._place(key))
            found |= {_read(name): _read(value) for name, value in row}
        return found

    def _list(self, after: str) -> Iterator[tuple[str, Value]]:
        if self._file is None:
            return self._under.walk(after)
        unchanged = ((key, value) for key, value in self._under.walk(after) if not self._spilled([key]))
        query = "SELECT key, value FROM changed WHERE place > ? ORDER BY place"
        rows = self._read(query, self._place(after) if after else "")
        changed = ((_read(key), value) for key, text in rows if (value := _read(text)) is not None)
        return merge(unchanged, changed, key=lambda entry: self._place(entry[0]))

    def _read(self, query: str, place: str) -> Iterator[tuple[bytes, bytes]]:
        assert self._file is not None
        return iter(self._file.execute(query, (place,)))


def _open() -> sqlite3.Connection:
    # The empty name is SQLite's for a file that goes away by itself.
    connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    for pragma in ("journal_mode=OFF", "synchronous=OFF", f"cache_size=-{CACHE_KIB}"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("CREATE TABLE changed (place TEXT PRIMARY KEY, key BLOB, value BLOB) WITHOUT ROWID")
    connection.execute("BEGIN")
    return connection


def _written(value: object) -> bytes:
    return orjson.dumps(value)


def _read(text: bytes) -> Any:
    return orjson.loads(text)
