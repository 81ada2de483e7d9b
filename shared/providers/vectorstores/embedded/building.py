"""Owns the making of a shard's segments from its rows and from each other: one process at a time, a step at a time.

A step reads in a transaction of its own, writes a file, and lists it in another: readers see the segments of before or
those of after, and a process that is killed leaves a file that nobody lists. Rows move into segments in slices, and
segments of slices become one, up to the greatest size, so that a row is written a few times whatever there is. One that
lost many of its rows is made anew without them.

Segments of another cutter stay beside those of today's until all shards that are searched together have these: until
then searches go on with them (`standing`), and never with both.
"""

import fcntl
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from embedmill.shared.errors import StorageFailed
from embedmill.shared.providers.vectorstores.embedded import listing, reading, schema
from embedmill.shared.providers.vectorstores.embedded.codes import join_to_write
from embedmill.shared.providers.vectorstores.embedded.listing import ENGINE, ListedSegment, WrittenFile, replace_listed
from embedmill.shared.providers.vectorstores.embedded.segment import MOST_ROWS, Segment, empty
from embedmill.shared.providers.vectorstores.embedded.segment_files import (
    key_id_of,
    open_written,
    remove_others,
    write,
)
from embedmill.shared.providers.vectorstores.embedded.shard_file import BUSY_HINT, BUSY_TIMEOUT_SECONDS, ShardFile
from embedmill.shared.providers.vectorstores.embedded.view import SegmentPart, merged
from embedmill.shared.starting import give_back_free
from embedmill.shared.words import cutting

SLICE_ROWS = 8_192
"""So many rows beyond the segments become one."""
MERGED_AT_ONCE = 4
"""A search takes as long for a small segment as for some thousand rows of a large one."""
GONE_SHARE = 0.25
"""A segment that lost more of its rows is made anew."""
LOCK = "lock"
POLL_SECONDS = 0.1

LAST_KEY = "SELECT last_key FROM shard"
SLICE_END = "SELECT key FROM vectors WHERE key > ? ORDER BY key LIMIT 1 OFFSET ?"
LAST_UNCUT = """
SELECT max(key) FROM vectors WHERE key > ?
AND NOT EXISTS (SELECT 1 FROM words WHERE words.key = vectors.key AND cutter = ?)
"""
GONE = "SELECT key FROM tombstones WHERE key > ? AND key <= ? AND number > ?"
# With the number of the last tombstone that there ever was.
IDENTITY = "SELECT identity, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'tombstones'), 0) FROM shard"


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """What to make next: a segment of a range of keys, instead of the listed ones; from their files if that is said."""

    low: int
    high: int
    replaced: Sequence[ListedSegment] = ()
    from_files: bool = False


class IndexBuilder:
    """The index of one shard file, in `folder`; `distrusted` are files that a reader found damaged.

    Where `is_cut` says that no row waits for today's cutter, and none of another is left, no row is looked at for that.
    """

    def __init__(
        self,
        file: ShardFile,
        folder: Path,
        *,
        dimensions: int,
        distrusted: Collection[str] = (),
        is_cut: bool = False,
    ) -> None:
        self._file = file
        self._folder = folder
        self._dimensions = dimensions
        self._distrusted = distrusted
        self._is_cut = is_cut
        self._gone_share = GONE_SHARE
        self._keeps_former = True
        self._seals_anew = False

    def forget_deleted(self) -> bool:
        """Make every segment anew that lost any rows, and forget other cutters' at once; whether that was done.

        Raises StorageFailed while others are at the index.
        """
        self._gone_share, self._keeps_former = 0.0, False
        deadline = time.monotonic() + BUSY_TIMEOUT_SECONDS
        while not self.run(lambda: True):
            if time.monotonic() > deadline:
                raise StorageFailed(f"the index {self._folder} is in use", hint=BUSY_HINT)
            time.sleep(POLL_SECONDS)
        return True

    def reseal(self) -> bool:
        """Make every segment anew that is not sealed under the current key; whether that was done."""
        self._seals_anew = True
        return self.forget_deleted()

    def run(self, goes_on: Callable[[], bool]) -> bool:
        """Make what is to be made, while `goes_on`; whether all was. Another that is at it is left alone."""
        with self._locked() as is_ours:
            if is_ours:
                self._bring_up_to_date()
            while is_ours and goes_on():
                if not self._step():
                    self._drop_former()
                    return True
            return False

    @contextmanager
    def _locked(self) -> Iterator[bool]:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / LOCK).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True

    def _bring_up_to_date(self) -> None:
        with self._file.read() as connection:
            if connection is None or schema.version_of(connection) == schema.VERSION:
                return
        with self._file.write():
            pass  # that an older file is written to is enough

    def _step(self) -> bool:
        """Make one segment; False when there is nothing to do."""
        with self._file.read() as connection:
            plan = None if connection is None else self._plan(connection)
            if connection is None or plan is None:
                return False
            identity, number = connection.execute(IDENTITY).fetchone()
            give_back_free()
            segment = self._make(connection, plan)
        written = write(self._folder, segment, self._file.ring)
        with self._file.write() as connection:
            if connection.execute(IDENTITY).fetchone()[0] == identity:
                made = ListedSegment(written, plan.low, plan.high, len(segment), number, ENGINE, cutting.VERSION)
                replace_listed(connection, plan.replaced, made)
        return True

    def _plan(self, connection: sqlite3.Connection) -> BuildPlan | None:
        remove_others(self._folder, {one.written.name for one in listing.read_list(connection)})
        listed = listing.of_cutter(connection, cutting.VERSION)
        for one in listed:
            if not self._is_there(one.written):
                return BuildPlan(one.low, one.high, [one])
            if self._seals_anew and not self._is_under_current(one.written):
                return BuildPlan(one.low, one.high, [one], from_files=True)
        end = listed[-1].high if listed else 0
        found = _slice_end(connection, end) or (None if self._is_cut else _uncut(connection, end))
        if found is not None:
            return BuildPlan(end, found[0])
        return _smaller(listed) or _thinner(connection, listed, self._gone_share)

    def _drop_former(self) -> None:
        """Forget what other cutters made, once no shard beside this one needs it either."""
        if self._is_cut:
            return
        with self._file.read() as connection:
            has_former = connection is not None and bool(listing.former_cutters(connection, cutting.VERSION))
        if has_former and not (self._keeps_former and any(map(self._lags, self._siblings()))):
            with self._file.write() as connection:
                listing.drop_former(connection, cutting.VERSION)
                names = {one.written.name for one in listing.read_list(connection)}
            remove_others(self._folder, names)

    def _siblings(self) -> Iterator[Path]:
        """The files of the shards that are searched with this one."""
        ours = self._file.path
        return (path for path in ours.parent.glob("*.db") if _group(path) == _group(ours))

    def _lags(self, path: Path) -> bool:
        """Whether a shard is not ready for today's cutter; what cannot be read is not searched either."""
        file = ShardFile(path, dimensions=self._dimensions, ring=self._file.ring)
        try:
            with file.read() as connection:
                return connection is not None and listing.lags(connection, cutting.VERSION)
        except StorageFailed:
            return False
        finally:
            file.close()

    def _is_there(self, written: WrittenFile) -> bool:
        file = self._folder / written.name
        return written.name not in self._distrusted and file.exists() and file.stat().st_size == written.size

    def _is_under_current(self, written: WrittenFile) -> bool:
        key = self._file.ring.current()
        return key_id_of(self._folder / written.name) == (key.id if key else None)

    def _make(self, connection: sqlite3.Connection, plan: BuildPlan) -> Segment:
        parts = self._opened(connection, plan.replaced) if plan.from_files else None
        if parts is None:
            parts = list(self._read(connection, plan))
        return merged(connection, parts or [SegmentPart(empty(self._dimensions))], join_to_write).segment

    def _opened(self, connection: sqlite3.Connection, listed: Sequence[ListedSegment]) -> list[SegmentPart] | None:
        """The segments without the rows that are gone; None when one of them cannot be believed."""
        parts: list[SegmentPart] = []
        for one in listed:
            segment = open_written(self._folder, one.written, self._file.ring)
            if segment is None:
                return None
            gone = [key for (key,) in connection.execute(GONE, (one.low, one.high, one.number))]
            parts.append(SegmentPart(segment).without(np.sort(np.array(gone, np.int64))))
        return parts

    def _read(self, connection: sqlite3.Connection, plan: BuildPlan) -> Iterator[SegmentPart]:
        after = plan.low
        while segment := reading.read_segment(
            connection, after, plan.high, limit=SLICE_ROWS, dimensions=self._dimensions, cutter=cutting.VERSION
        ):
            after = int(segment.keys[-1])
            yield SegmentPart(segment)


def _group(path: Path) -> str:
    """The name of the shards of one index version without their numbers."""
    return path.stem.rpartition("-")[0]


def _slice_end(connection: sqlite3.Connection, end: int) -> tuple[int] | None:
    """The last key of a whole slice of rows beyond the segments; rows are passed only where there may be so many."""
    if connection.execute(LAST_KEY).fetchone()[0] - end < SLICE_ROWS:
        return None
    found: tuple[int] | None = connection.execute(SLICE_END, (end, SLICE_ROWS - 1)).fetchone()
    return found


def _uncut(connection: sqlite3.Connection, end: int) -> tuple[int] | None:
    """The last key, where rows beyond the segments wait with words of another cutter, or wait with none in numbers."""
    if not listing.lags(connection, cutting.VERSION) and not listing.former_cutters(connection, cutting.VERSION):
        return None
    uncut = connection.execute(LAST_UNCUT, (end, cutting.VERSION)).fetchone()[0]
    return None if uncut is None else (uncut,)


def _smaller(listed: Sequence[ListedSegment]) -> BuildPlan | None:
    """The last segments as one, when they are as many as are merged at once and it would not be too large."""
    run: list[ListedSegment] = []
    for one in reversed(listed):
        if sum(other.rows for other in (one, *run)) > MOST_ROWS:
            break
        run.insert(0, one)
    return BuildPlan(run[0].low, run[-1].high, run, from_files=True) if len(run) >= MERGED_AT_ONCE else None


def _thinner(connection: sqlite3.Connection, listed: Sequence[ListedSegment], share: float) -> BuildPlan | None:
    """A segment that lost more than a share of its rows, without them."""
    for one in listed:
        gone = connection.execute(f"SELECT count(*) FROM ({GONE})", (one.low, one.high, one.number)).fetchone()[0]
        if gone > share * one.rows:
            return BuildPlan(one.low, one.high, [one], from_files=True)
    return None
