"""Owns what one process sees of a shard's index: segments, the rows of them that are gone, and the rows since.

Rows carry keys that grow, and tombstones numbers: a refresh reads what is newer than the last ones seen, so that it
costs what changed. When tombstones were removed past that number (`floor`), or the file is another one than before, all
is read anew. New rows become a small segment in memory, and small segments of like size become one.
"""

import sqlite3
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.providers.vectorstores.embedded import reading, schema
from embedmill.shared.providers.vectorstores.embedded.field_index import FieldIndex
from embedmill.shared.providers.vectorstores.embedded.segment import MOST_ROWS, Segment, merge

LOAD_ROWS = 4_096


@dataclass(frozen=True, slots=True)
class Part:
    """A segment and which of its rows are gone; None for none of them."""

    segment: Segment
    gone: NDArray[np.bool_] | None = None

    @property
    def kept(self) -> NDArray[np.bool_] | None:
        """Which rows are still there; None for all of them."""
        return None if self.gone is None else ~self.gone

    def without(self, keys: NDArray[np.int64]) -> "Part":
        """The same part when these keys are gone too."""
        at = np.searchsorted(self.segment.keys, keys)
        at = at[at < len(self.segment)]
        at = at[np.isin(self.segment.keys[at], keys)]
        if not len(at):
            return self
        gone = np.zeros(len(self.segment), np.bool_) if self.gone is None else self.gone.copy()
        gone[at] = True
        return replace(self, gone=gone)


class View:
    """The rows of one shard, kept current; call `refresh` inside the read transaction whose view it has to show.

    `fields` follows by itself when a filter is asked for; `folder` is where it keeps its files.
    """

    def __init__(self, dimensions: int, folder: Path) -> None:
        self._dimensions = dimensions
        self.fields = FieldIndex(folder)
        self._identity = ""
        self._clear()

    def _clear(self) -> None:
        self._seq = self._number = self._last_key = 0
        self._parts: tuple[Part, ...] = ()

    def refresh(self, connection: sqlite3.Connection) -> tuple[Part, ...]:
        """The parts that hold the connection's rows; what is returned never changes."""
        identity, seq, floor = connection.execute("SELECT identity, seq, floor FROM shard").fetchone()
        if (identity, seq) == (self._identity, self._seq):
            return self._parts
        numbered = schema.version_of(connection) >= schema.WITH_WORDS
        if identity != self._identity or self._number < floor or not numbered:
            self._clear()
        if numbered:
            self._forget(connection)
        self._load(connection)
        self._identity, self._seq = identity, seq
        return self._parts

    def _forget(self, connection: sqlite3.Connection) -> None:
        found = connection.execute("SELECT number, key FROM tombstones WHERE number > ?", (self._number,)).fetchall()
        if found:
            keys = np.sort(np.array([key for _, key in found], np.int64))
            self._number = max(number for number, _ in found)
            self._parts = tuple(part.without(keys) for part in self._parts)

    def _load(self, connection: sqlite3.Connection) -> None:
        while segment := reading.read_segment(connection, self._last_key, limit=LOAD_ROWS, dimensions=self._dimensions):
            self._last_key = int(segment.keys[-1])
            self._parts = _added(connection, self._parts, Part(segment))


def _added(connection: sqlite3.Connection, parts: tuple[Part, ...], new: Part) -> tuple[Part, ...]:
    """The parts with one more; the last ones are merged while they are not larger than twice what follows."""
    *before, last = (*parts, new)
    while before and len(before[-1].segment) <= min(2 * len(last.segment), MOST_ROWS - len(last.segment)):
        last = _merged(connection, before.pop(), last)
    return (*before, last)


def _merged(connection: sqlite3.Connection, first: Part, second: Part) -> Part:
    ids = reading.read_ids(connection, int(first.segment.keys[0]), int(second.segment.keys[-1]))
    keys = (key for part in (first, second) for key in part.segment.keys[part.kept if part.gone is not None else ...])
    return Part(merge([first.segment, second.segment], [first.kept, second.kept], [ids[int(key)] for key in keys]))
