"""Owns which rows of a shard meet a filter, without reading them: blocks of columns that follow the rows' keys.

A key is never used twice, so that what is behind the last block is new, and a deleted row's place in a block does no
harm: whoever searches asks for keys that are there. New rows make a block together with the small ones before them, so
that there are few and every row is read a few times. Large ones are files beside the shard, which other processes use.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from embedmill.shared.filtering.columns import Builder, Mask, Places
from embedmill.shared.filtering.conditions import Condition
from embedmill.shared.filtering.fields import own_values
from embedmill.shared.providers.vectorstores.embedded import schema
from embedmill.shared.providers.vectorstores.embedded.field_file import FieldBlock
from embedmill.shared.sealing.ring import PLAIN, KeyRing
from embedmill.shared.starting import give_back_free

FILE_ROWS = 4_096
"""A block of fewer stays in memory."""
GROWTH = 2
"""A block is made anew with what comes after it until it is so many times as large."""
MOST_ROWS = 2**17
"""Of a block: so many are in memory while it is made."""
READ_ROWS = 2_000
SELECTIONS_KEPT = 8
DRAFT_SECONDS = 3600
"""So long nobody writes one."""

ROWS = """
SELECT key, section, page, document, uri, title, metadata FROM vectors WHERE key > ? AND key <= ?
ORDER BY key LIMIT ?
"""


@dataclass(frozen=True, slots=True)
class Selected:
    """The keys that a filter selects: for each range of keys, from which on, and which of them."""

    parts: tuple[tuple[int, Mask], ...]

    def mask(self, keys: NDArray[np.int64]) -> Mask:
        """Which of these keys, in ascending order, are selected."""
        found = np.zeros(len(keys), np.bool_)
        for first, marked in self.parts:
            begin, end = np.searchsorted(keys, (first, first + len(marked)))
            found[begin:end] = marked[keys[begin:end] - first]
        return found

    def to_keys(self) -> NDArray[np.int64]:
        """All of them, in ascending order; some may be of rows that were deleted."""
        return np.concatenate(
            [np.empty(0, np.int64), *(first + np.flatnonzero(marked) for first, marked in self.parts)]
        )


class FieldIndex:
    """The blocks of one shard, as this process has them; `folder` is for its files."""

    def __init__(self, folder: Path, ring: KeyRing = PLAIN) -> None:
        self._ring = ring
        self._folder = folder
        self._forget("")

    def _forget(self, identity: str) -> None:
        self._identity = identity
        self._blocks: list[FieldBlock] = []
        self._selections: dict[str, Selected] = {}

    def select(self, connection: sqlite3.Connection, condition: Condition) -> Selected:
        """The rows of the connection's view that meet the condition."""
        self.refresh(connection)
        said = repr(condition)  # conditions are equal where their values are, and to Python True is 1
        if said not in self._selections:
            if len(self._selections) >= SELECTIONS_KEPT:
                self._selections.clear()
            parts = ((block.after + 1, block.select(condition)) for block in self._blocks)
            self._selections[said] = Selected(tuple(parts))
        return self._selections[said]

    def refresh(self, connection: sqlite3.Connection) -> None:
        """Catch up with the connection's view."""
        identity, seq = connection.execute("SELECT identity, seq FROM shard").fetchone()
        if schema.version_of(connection) < schema.WITH_WORDS:
            identity = f"{identity}at{seq}"  # keys were given again, so that what is known holds until the next write
        last = connection.execute("SELECT coalesce(max(key), 0) FROM vectors").fetchone()[0]
        if identity != self._identity:
            self._forget(identity)
            self._blocks = self._found()
        if last > self._last:
            self._extend(connection, last)

    @property
    def _last(self) -> int:
        return self._blocks[-1].last if self._blocks else 0

    def _extend(self, connection: sqlite3.Connection, last: int) -> None:
        """Read what is new, together with the small blocks before it; a large block at a time."""
        self._selections = {}
        while self._last < last:
            block = _read(connection, self._last, last)
            while self._blocks and len(self._blocks[-1]) < min(GROWTH * len(block), MOST_ROWS // GROWTH):
                block = _read(connection, self._blocks.pop().after, last)
            self._blocks.append(self._kept(block) if len(block) >= FILE_ROWS else block)

    def _kept(self, block: FieldBlock) -> FieldBlock:
        """The block as others will read it from its file, where that can be written: then it takes no memory."""
        path = self._path(block)
        block.save(path, self._ring)
        kept = FieldBlock.load(path, self._ring) or block
        give_back_free()
        return kept

    def _path(self, block: FieldBlock) -> Path:
        return self._folder / f"{self._identity}-{block.after}-{block.last}"

    def _found(self) -> list[FieldBlock]:
        """The blocks of files that follow each other from the first key on; files that add nothing to them go."""
        blocks: list[FieldBlock] = []
        for path in self._files():
            reached = blocks[-1].last if blocks else 0
            after, last = _range(path)
            block = FieldBlock.load(path, self._ring) if after == reached else None
            if block is not None and (block.after, block.last) == (after, last):
                blocks.append(block)
            elif after <= reached:
                _remove(path)
        return blocks

    def _files(self) -> list[Path]:
        """The shard's files by the key that they begin after, the longest first; what nobody will read goes."""
        ours: list[Path] = []
        for path in self._folder.glob("*-*-*"):
            if path.suffix:
                _remove_old(path)
            elif path.name.startswith(f"{self._identity}-"):
                ours.append(path)
            else:
                _remove(path)
        return sorted(ours, key=lambda path: (_range(path)[0], -_range(path)[1]))


def _remove_old(draft: Path) -> None:
    """What a process that was killed did not finish."""
    with suppress(OSError):
        if draft.stat().st_mtime < time.time() - DRAFT_SECONDS:
            draft.unlink(missing_ok=True)


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _range(path: Path) -> tuple[int, int]:
    _, after, last = path.name.split("-")
    return int(after), int(last)


def _read(connection: sqlite3.Connection, after: int, last: int) -> FieldBlock:
    """The rows within a range of keys, or the first of them if they are too many for one block."""
    builder, keys = Builder(), list[int]()
    places: dict[tuple[str, int | None], list[Places[int]]] = {}
    rows = _in_pages(connection.execute(ROWS, (after, last, MOST_ROWS)))
    for of_document, run in groupby(rows, key=itemgetter(slice(3, None))):
        first = len(keys)
        for key, *place in map(itemgetter(slice(3)), run):
            if (named := tuple(place)) not in places:
                places[named] = builder.values(own_values(dict(zip(("section", "page"), place, strict=True))))
            builder.mark(places[named], range(len(keys), len(keys) + 1))
            keys.append(key)
        builder.mark(_of_document(builder, *of_document), range(first, len(keys)))
    reached = keys[-1] if len(keys) == MOST_ROWS else last
    return FieldBlock(after, reached, np.array(keys, np.int64), builder.build(len(keys)))


def _in_pages(rows: sqlite3.Cursor) -> Iterator[tuple[Any, ...]]:
    while page := rows.fetchmany(READ_ROWS):
        yield from page


def _of_document(builder: Builder, document: str, uri: str, title: str, metadata: str) -> "list[Places[int]]":
    own = builder.rare_values(own_values({"document": document, "uri": uri, "title": title}))
    return own + builder.values(orjson.loads(metadata).items())
