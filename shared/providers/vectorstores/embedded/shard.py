"""Owns one shard as a process has it: its file, what it sees of it, and when the index beside it is made.

A writer makes the index after its commit, whenever a slice of rows is complete. A reader makes it when much of it is
missing or of another version, and when a file of it is damaged; where it cannot, it reads the rows into memory.
"""

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from embedmill.shared.errors import ShardDamaged, StorageFailed
from embedmill.shared.logs import get_logger
from embedmill.shared.providers.vectorstores.embedded import building, high_water, listing, schema
from embedmill.shared.providers.vectorstores.embedded.building import IndexBuilder
from embedmill.shared.providers.vectorstores.embedded.field_index import FieldIndex
from embedmill.shared.providers.vectorstores.embedded.listing import measure
from embedmill.shared.providers.vectorstores.embedded.names import RowNames
from embedmill.shared.providers.vectorstores.embedded.read_whole import forget_notes
from embedmill.shared.providers.vectorstores.embedded.shard_file import ShardFile
from embedmill.shared.providers.vectorstores.embedded.view import SegmentPart, ShardView
from embedmill.shared.providers.vectorstores.rows import IndexChanged
from embedmill.shared.sealing.ring import PLAIN, KeyRing
from embedmill.shared.sqlite_files import is_writable
from embedmill.shared.words import cutting

log = get_logger()

LOOKED_AFTER_EVERY = 1_024
"""Rows written or deleted between two looks at whether the index is to be made."""
READ_SLICES = 4
"""As many slices of rows as a reader has in memory before it makes an index of them."""
POLL_SECONDS = 0.1
BEING_MADE = "its index is being made"


class Shard:
    """One shard of one process; `fields` finds its rows by filters."""

    def __init__(self, path: Path, *, dimensions: int, ring: KeyRing = PLAIN) -> None:
        self._ring = ring
        self.file = self._opened(path, dimensions)
        self._index = high_water.folder_of(path)
        self._views: dict[int, ShardView] = {}
        self._is_cut = self._is_rid = False
        self._whole: sqlite3.Connection | None = None
        """The connection to the file that was last found to be the shard; another file has another."""
        self._fields = path.with_suffix(".fields")
        self.fields = FieldIndex(self._fields, ring)
        self.names = RowNames()
        self._dimensions = dimensions

    def _opened(self, path: Path, dimensions: int) -> ShardFile:
        return ShardFile(path, dimensions=dimensions, ring=self._ring)

    @property
    def _view(self) -> ShardView:
        return self._view_of(cutting.VERSION)

    def lags(self) -> bool:
        """Whether many of its rows were not yet cut by today's cutter; what was once cut stays so."""
        if self._is_cut:
            return False
        with self.file.read() as connection:
            return connection is not None and self._lags_in(connection)

    def _lags_in(self, connection: sqlite3.Connection) -> bool:
        self._is_cut = self._is_cut or not listing.lags(connection, cutting.VERSION)
        return not self._is_cut

    def former_cutters(self) -> list[int]:
        """The versions of other cutters that have an index here, the latest first."""
        with self.file.read() as connection:
            return [] if connection is None else listing.former_cutters(connection, cutting.VERSION)

    def stands_by(self, cutter: int) -> bool:
        """Whether the index of another cutter has all rows but those that were written since today's is used."""
        with self.file.read() as connection:
            return connection is None or self._stands_in(connection, cutter)

    def _stands_in(self, connection: sqlite3.Connection, cutter: int) -> bool:
        read = self._view_of(cutter).unsettled(connection)
        known = schema.version_of(connection) >= schema.WITH_WORDS
        in_memory = READ_SLICES * building.SLICE_ROWS
        return known and read <= in_memory and listing.is_cut(connection, [cutter, cutting.VERSION])

    def _view_of(self, cutter: int) -> ShardView:
        if cutter not in self._views:
            self._views[cutter] = ShardView(self._index, self._dimensions, cutter, self._ring)
        return self._views[cutter]

    def catch_up(self, is_in_time: Callable[[], bool]) -> None:
        """Make the index of today's cutter while there is time, where it can be written and nobody else is at it."""
        if is_writable(self.file.path.parent):
            try:
                self._build(is_in_time)
            except (StorageFailed, OSError) as error:
                self._warn(error)

    def cut_anew(self, is_in_time: Callable[[], bool]) -> bool:
        """The same, as far as it lags, and be rid of the former one; whether it did lag and does no more."""
        lagged = self.lags()
        if lagged or not self._is_rid:
            self.catch_up(is_in_time)
            self._is_rid = not self.former_cutters()
        return lagged and not self.lags()

    @contextmanager
    def viewed(
        self, is_in_time: Callable[[], bool], *, former: int | None = None
    ) -> Iterator[tuple[sqlite3.Connection, Sequence[SegmentPart]] | None]:
        """A transaction and the parts that hold its rows; None when the shard was never written.

        With `former` the words are those of that cutter; rows that it never met have none. Raises StorageFailed,
        IndexChanged when the former index is there no more, and TimeoutError when there was no time for today's.
        """
        if former is not None:
            with self.file.read() as connection:
                self.require_whole(connection)
                if connection is not None and not self._stands_in(connection, former):
                    raise IndexChanged
                yield None if connection is None else (connection, self._view_of(former).refresh(connection))
            return
        with self.file.read() as connection:
            is_known = connection is not None and connection is self._whole
            if connection is not None and is_known and (current := self._view.current(connection)) is not None:
                yield connection, current
                return
            self.require_whole(connection)
            self._whole = connection
            if connection is None or not self._lacks_in(connection):
                yield self._see(connection)
                return
        try:
            self._settle(is_in_time)
        # Which is an OSError too: without it the rows would be read one by one, with no time left.
        except TimeoutError:
            raise
        except (StorageFailed, OSError) as error:
            self._warn(error)
        with self.file.read() as connection:
            yield self._see(connection)

    def _see(self, connection: sqlite3.Connection | None) -> tuple[sqlite3.Connection, Sequence[SegmentPart]] | None:
        return None if connection is None else (connection, self._view.refresh(connection))

    def _settle(self, is_in_time: Callable[[], bool]) -> None:
        while self._lacks() and is_writable(self.file.path.parent):
            if not self._build(is_in_time):
                if not is_in_time():
                    raise TimeoutError(BEING_MADE)
                time.sleep(POLL_SECONDS)
            elif self._lacks():
                return

    def _lacks(self) -> bool:
        with self.file.read() as connection:
            return connection is not None and self._lacks_in(connection)

    def _lacks_in(self, connection: sqlite3.Connection) -> bool:
        waiting = self._view.unsettled(connection)
        lacks = waiting > READ_SLICES * building.SLICE_ROWS or bool(self._view.distrusted)
        return lacks or (waiting > 0 and self._lags_in(connection))

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction that may write; an older file is no shard, however far it is written from here on."""
        with self.file.write() as connection:
            if high_water.is_behind(self.file.path, connection):
                high_water.disown(self.file.path)
            yield connection

    def examine(self) -> None:
        """Read all of the file's structure, and compare it with how far it was written. Raises ShardDamaged.

        Whoever searches next reads all of the index.
        """
        forget_notes(self._index)
        self.file.examine()
        with self.file.read() as connection:
            self.require_whole(connection)

    def require_whole(self, connection: sqlite3.Connection | None) -> None:
        """Raise ShardDamaged for a file that is older than the one that was written last, or is another."""
        if connection is not None and high_water.is_behind(self.file.path, connection) and self._is_behind_still():
            raise ShardDamaged(f"vector shard {self.file.path}: an older file than the one that was written last")

    def _is_behind_still(self) -> bool:
        """The same of what there is now: a transaction does not see what was written since it began."""
        file = self._opened(self.file.path, self._dimensions)
        try:
            with file.read() as connection:
                return connection is not None and high_water.is_behind(file.path, connection)
        finally:
            file.close()

    def look_after(self, changed: int) -> None:
        """Make what is due of the index after so many rows were written or deleted; rows are safe whatever happens."""
        if not changed:
            return
        with self.file.read() as connection:
            counted = 0 if connection is None else measure(connection)
            if connection is not None and not high_water.is_behind(self.file.path, connection):
                high_water.note(self.file.path, connection)
        if counted // LOOKED_AFTER_EVERY > (counted - changed) // LOOKED_AFTER_EVERY:
            try:
                self._is_rid = self._is_rid or not self.former_cutters()
                is_cut = self._is_rid and not self.lags()
                self._with_builder(lambda builder: builder.run(lambda: True), is_cut=is_cut)
            except (StorageFailed, OSError) as error:
                self._warn(error)

    def _warn(self, error: Exception) -> None:
        log.warning("store.index_not_made", shard=self.file.path.stem, error=str(error))

    def _build(self, goes_on: Callable[[], bool]) -> bool:
        return self._with_builder(lambda builder: builder.run(goes_on))

    def _with_builder(self, work: Callable[[IndexBuilder], bool], *, is_cut: bool = False) -> bool:
        file = self._opened(self.file.path, self._dimensions)
        distrusted = self._view.distrusted
        try:
            return work(
                IndexBuilder(file, self._index, dimensions=self._dimensions, distrusted=distrusted, is_cut=is_cut)
            )
        finally:
            file.close()

    def size_bytes(self) -> int:
        """Bytes on disk, what is derived and write-ahead log included."""
        derived = (file for folder in (self._index, self._fields) for file in folder.glob("*"))
        return self.file.size_bytes() + sum(file.stat().st_size for file in derived)

    def reseal(self) -> None:
        """Write the file and what was derived from it anew under the current key, as far as they are under another."""
        self.file.rekey()
        with self.file.read() as connection:
            if connection is None:
                return
        self._with_builder(IndexBuilder.reseal)
        shutil.rmtree(self._fields, ignore_errors=True)
        self.fields = FieldIndex(self._fields, self._ring)

    def expunge(self) -> None:
        """Make the file and what was derived from it without anything of deleted rows. Raises StorageFailed."""
        with self.file.read() as connection:
            if connection is None:
                return
        self._with_builder(IndexBuilder.forget_deleted)
        shutil.rmtree(self._fields, ignore_errors=True)
        self.file.compact()

    def set_aside(self) -> Path:
        """Rename the file, so that the next write makes a new one; returns its new name. What was derived goes."""
        kept = self.file.set_aside()
        self._remove_derived()
        return kept

    def drop(self) -> None:
        """Remove the shard and what was derived; processes that have it open notice at their next call."""
        self.file.drop()
        self._remove_derived()

    def _remove_derived(self) -> None:
        for folder in (self._index, self._fields):
            shutil.rmtree(folder, ignore_errors=True)
