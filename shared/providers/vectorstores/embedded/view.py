"""Owns what one process sees of a shard: its segments, the rows since in memory, and which of both are gone.

Rows carry keys that grow, and tombstones numbers: a refresh reads what is newer than the last ones seen, so that it
costs what changed. When tombstones were removed past that number (`floor`), or the file is another one than before, all
is read anew. New rows become a small segment in memory, and small segments of like size become one.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.providers.vectorstores.embedded import reading, schema
from embedmill.shared.providers.vectorstores.embedded.codes import join
from embedmill.shared.providers.vectorstores.embedded.listing import NO_END, ListedSegment, Range, between, of_cutter
from embedmill.shared.providers.vectorstores.embedded.segment import MOST_ROWS, Join, PlacedRows, Segment, merge
from embedmill.shared.providers.vectorstores.embedded.segment_files import open_written
from embedmill.shared.sealing.ring import PLAIN, KeyRing

LOAD_ROWS = 4_096


@dataclass(frozen=True, slots=True)
class SegmentPart:
    """A segment and which of its rows are gone; None for none of them."""

    segment: Segment
    gone: NDArray[np.bool_] | None = None

    @property
    def kept(self) -> NDArray[np.bool_] | None:
        """Which rows are still there; None for all of them."""
        return None if self.gone is None else ~self.gone

    def kept_keys(self) -> NDArray[np.int64]:
        """The keys of the rows that are still there."""
        return self.segment.keys if self.kept is None else self.segment.keys[self.kept]

    def held(self, keys: NDArray[np.int64]) -> NDArray[np.intp]:
        """The rows that have some keys, in ascending order, and are still there."""
        rows = self.segment.rows_of(keys)
        return rows if self.gone is None else rows[~self.gone[rows]]

    def without(self, keys: NDArray[np.int64]) -> "SegmentPart":
        """The same part when these keys are gone too."""
        return self._without_rows(self.segment.rows_of(keys))

    def without_range(self, low: int, high: int) -> "SegmentPart":
        """The same part when the keys of a range are gone too."""
        first, last = np.searchsorted(self.segment.keys, (low, high), side="right")
        return self._without_rows(np.arange(first, last))

    def _without_rows(self, rows: NDArray[np.intp]) -> "SegmentPart":
        if not len(rows):
            return self
        gone = np.zeros(len(self.segment), np.bool_) if self.gone is None else self.gone.copy()
        gone[rows] = True
        return replace(self, gone=gone)


def place(parts: Sequence[SegmentPart], keys: Iterable[int]) -> list[PlacedRows]:
    """The rows of some keys that the parts hold and that are not gone."""
    wanted = np.array(sorted(keys), np.int64)
    held = [(part.segment, part.held(wanted)) for part in parts]
    return [(segment, rows) for segment, rows in held if len(rows)]


class ShardView:
    """The rows of one shard with their words by one cutter, kept current.

    Call `refresh` inside the read transaction whose view it has to show.
    """

    def __init__(self, folder: Path, dimensions: int, cutter: int, ring: KeyRing = PLAIN) -> None:
        self._ring = ring
        self._folder = folder
        self._dimensions = dimensions
        self._cutter = cutter
        self._opened: dict[str, Segment | None] = {}
        self._identity = ""
        self._clear()

    def _clear(self) -> None:
        self._seq = self._number = self._last_key = 0
        self._mapped: dict[str, SegmentPart] = {}
        self._fresh: tuple[SegmentPart, ...] = ()
        self._uncovered: list[Range] = []

    @property
    def distrusted(self) -> set[str]:
        """The files that are missing or not what was written."""
        return {name for name, segment in self._opened.items() if segment is None}

    def refresh(self, connection: sqlite3.Connection) -> tuple[SegmentPart, ...]:
        """The parts that hold the connection's rows; what is returned never changes."""
        identity, seq, floor = connection.execute("SELECT identity, seq, floor FROM shard").fetchone()
        if (identity, seq) != (self._identity, self._seq):
            numbered = schema.version_of(connection) >= schema.WITH_WORDS
            if identity != self._identity or self._number < floor or not numbered:
                self._clear()
            if numbered:
                self._follow(of_cutter(connection, self._cutter))
                self._forget(connection)
                self._number = max(self._number, floor)
            self._load(connection)
            self._fresh = tuple(part for part in self._fresh if part.gone is None or not part.gone.all())
            self._identity, self._seq = identity, seq
        return self._parts

    @property
    def _parts(self) -> tuple[SegmentPart, ...]:
        return (*self._mapped.values(), *self._fresh)

    def current(self, connection: sqlite3.Connection) -> tuple[SegmentPart, ...] | None:
        """The parts that hold the connection's rows, if none of them changed since the last look."""
        seen = connection.execute("SELECT identity, seq FROM shard").fetchone()
        is_current = seen == (self._identity, self._seq) and None not in self._opened.values()
        return self._parts if is_current else None

    def unsettled(self, connection: sqlite3.Connection) -> int:
        """About how many rows `refresh` would have to read into memory; never too few."""
        identity, seq = connection.execute("SELECT identity, seq FROM shard").fetchone()
        if (identity, seq) == (self._identity, self._seq):
            return 0
        if schema.version_of(connection) < schema.WITH_WORDS:
            return int(connection.execute("SELECT count(*) FROM vectors").fetchone()[0])
        (last,) = connection.execute("SELECT last_key FROM shard").fetchone()
        uncovered = between([(one.low, one.high) for one, _ in self._usable(of_cutter(connection, self._cutter))])
        return sum(max(min(high, last) - low, 0) for low, high in uncovered)

    def _usable(self, listed: Sequence[ListedSegment]) -> list[tuple[ListedSegment, Segment]]:
        return [(one, segment) for one in listed if (segment := self._segment(one)) is not None]

    def _segment(self, listed: ListedSegment) -> Segment | None:
        name = listed.written.name
        if name not in self._opened:
            self._opened[name] = open_written(self._folder, listed.written, self._ring)
        return self._opened[name]

    def _follow(self, listed: Sequence[ListedSegment]) -> None:
        """Take up the segments that are listed now; rows in memory that one of them has are gone from there."""
        usable = self._usable(listed)
        self._opened = {one.written.name: self._opened.get(one.written.name) for one in listed}
        known = self._mapped
        self._mapped = {one.written.name: known.get(one.written.name, SegmentPart(segment)) for one, segment in usable}
        self._number = min([self._number, *(one.number for one, _ in usable if one.written.name not in known)])
        ranges = [(one.low, one.high) for one, _ in usable if one.written.name not in known]
        for low, high in ranges:
            self._fresh = tuple(part.without_range(low, high) for part in self._fresh)
        self._uncover(between([(one.low, one.high) for one, _ in usable]))

    def _uncover(self, ranges: list[Range]) -> None:
        """Read all anew that is in no segment, when rows are that were in one before."""
        if not all(any(low >= a and high <= b for a, b in self._uncovered) for low, high in ranges):
            self._fresh, self._last_key = (), 0
        self._uncovered = ranges

    def _forget(self, connection: sqlite3.Connection) -> None:
        found = connection.execute("SELECT number, key FROM tombstones WHERE number > ?", (self._number,)).fetchall()
        if found:
            keys = np.sort(np.array([key for _, key in found], np.int64))
            self._number = max(number for number, _ in found)
            self._mapped = {name: part.without(keys) for name, part in self._mapped.items()}
            self._fresh = tuple(part.without(keys) for part in self._fresh)

    def _load(self, connection: sqlite3.Connection) -> None:
        for low, high in self._uncovered or [(0, NO_END)]:
            after = max(low, self._last_key)
            while segment := self._read(connection, after, high):
                after = int(segment.keys[-1])
                self._fresh = _added(connection, self._fresh, SegmentPart(segment))
        self._last_key = max([self._last_key, *(int(part.segment.keys[-1]) for part in self._fresh)])

    def _read(self, connection: sqlite3.Connection, after: int, upto: int) -> Segment | None:
        kind = {"dimensions": self._dimensions, "cutter": self._cutter}
        return reading.read_segment(connection, after, upto, limit=LOAD_ROWS, **kind)


def _added(connection: sqlite3.Connection, parts: tuple[SegmentPart, ...], new: SegmentPart) -> tuple[SegmentPart, ...]:
    """The parts with one more; the last ones are merged, at once, while they are not larger than twice what follows."""
    before, last, rows = list(parts), [new], len(new.segment)
    while before and len(before[-1].segment) <= min(2 * rows, MOST_ROWS - rows):
        last.insert(0, before.pop())
        rows += len(last[0].segment)
    return (*before, merged(connection, last))


def merged(connection: sqlite3.Connection, parts: Sequence[SegmentPart], join: Join = join) -> SegmentPart:
    """One part of several, of the rows that are not gone."""
    if len(parts) == 1 and parts[0].gone is None:
        return parts[0]
    ranks = reading.read_ranks(connection, np.concatenate([part.kept_keys() for part in parts]))
    return SegmentPart(merge([part.segment for part in parts], [part.kept for part in parts], ranks, join))
