"""Owns the file of a block: the fields of the rows within a range of keys, as columns that are mapped, not loaded.

A file is derived from rows that never change, and is written whole under another name first. One that is cut off,
damaged or of another form is none.
"""

import mmap
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np
import orjson
from isal import isal_zlib
from numpy.typing import NDArray

from embedmill.shared.errors import SealBroken
from embedmill.shared.filtering.columns import Columns, FieldColumn, FieldKeys, Mask, Name
from embedmill.shared.filtering.conditions import Condition
from embedmill.shared.providers.vectorstores.embedded.segment import Pages
from embedmill.shared.sealing.envelope import MAGIC, is_sealed
from embedmill.shared.sealing.ring import PLAIN, KeyRing

FORM = "embedmill fields 1"
KIND = "fields"
ALIGNMENT = 8
HEAD = 16
READ_BYTES = 2**20
KINDS: tuple[type[np.generic], ...] = (np.int64, np.uint8, np.int64, np.uint32)
"""Of a column's arrays: ends and data of its keys, ends and places of its rows."""


@dataclass(frozen=True, slots=True)
class FieldBlock:
    """The rows whose keys are above `after` and up to `last`: their keys, ascending, and their fields."""

    after: int
    last: int
    keys: NDArray[np.int64]
    columns: Columns
    pages: Pages | None = None
    """What all of it is read from, if that is a file that is mapped."""

    def __len__(self) -> int:
        return len(self.keys)

    def select(self, condition: Condition) -> Mask:
        """Which rows meet a condition, as a mask of keys, from the one after `after` to the last."""
        marked = np.zeros(self.last - self.after, np.bool_)
        marked[self.keys[self.columns.mask(condition)] - (self.after + 1)] = True
        if self.pages is not None:
            self.pages.give_back()
        return marked

    def save(self, path: Path, ring: KeyRing = PLAIN) -> None:
        """Write the file, or nothing where that is not possible: what is derived can be derived again."""
        draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        try:
            path.parent.mkdir(exist_ok=True)
            draft.write_bytes(ring.seal(KIND, path.name, self._as_bytes()))
            os.replace(draft, path)
        except OSError:
            with suppress(OSError):
                draft.unlink(missing_ok=True)

    def _as_bytes(self) -> bytes:
        """The length of the header, the checksum of all that follows, the header, and the arrays."""
        columns = list(self.columns.columns.items())
        arrays = [self.keys, *(array for _, column in columns for array in _arrays(column))]
        sizes = [array.nbytes for array in arrays]
        header = orjson.dumps([FORM, self.after, self.last, [name for name, _ in columns], sizes])
        body = b"".join(map(_aligned, (header, *(array.tobytes() for array in arrays))))
        return np.array([len(header), isal_zlib.crc32(body)], np.int64).tobytes() + body

    @classmethod
    def load(cls, path: Path, ring: KeyRing = PLAIN) -> Self | None:
        """The block of a file; None when it cannot be read as one."""
        try:
            with path.open("rb") as file:
                if is_sealed(file.read(len(MAGIC))):
                    return cls._read_sealed(ring.open(KIND, path.name, path.read_bytes()))
                file.seek(0)
                length, told = np.frombuffer(file.read(HEAD), np.int64, 2).tolist()
                if _checksum(file) != told:
                    return None
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                return cls._read(mapped, length, Pages(mapped, 0, len(mapped)))
        except (OSError, ValueError, TypeError, UnicodeDecodeError, SealBroken):
            return None

    @classmethod
    def _read_sealed(cls, data: bytes) -> Self | None:
        """What was sealed needs no checksum."""
        return cls._read(data, int(np.frombuffer(data, np.int64, 1)[0]))

    @classmethod
    def _read(cls, data: mmap.mmap | bytes, length: int, pages: Pages | None = None) -> Self | None:
        form, after, last, names, sizes = orjson.loads(data[HEAD : HEAD + length])
        if form != FORM:
            return None
        keys, *arrays = _mapped(data, HEAD + length + -length % ALIGNMENT, [np.int64, *KINDS * len(names)], sizes)
        columns = {_named(name): _column(arrays[4 * n : 4 * n + 4]) for n, name in enumerate(names)}
        return cls(after, last, keys, Columns(len(keys), columns), pages)


def _aligned(part: bytes) -> bytes:
    return part + b"\0" * (-len(part) % ALIGNMENT)


def _checksum(file: BinaryIO) -> int:
    """Of the rest of a file, which is read and not mapped, so that it takes no memory."""
    found = 0
    while part := file.read(READ_BYTES):
        found = isal_zlib.crc32(part, found)
    return found


def _named(name: Sequence[str]) -> Name:
    field, axis = name
    return field, axis


def _arrays(column: FieldColumn) -> tuple[NDArray[Any], ...]:
    return column.keys.ends, column.keys.data, column.ends, column.rows


def _column(arrays: Sequence[NDArray[Any]]) -> FieldColumn:
    key_ends, data, ends, rows = arrays
    return FieldColumn(FieldKeys(key_ends, data), ends, rows)


def _mapped(
    data: mmap.mmap | bytes, begin: int, kinds: Sequence[type[np.generic]], sizes: Sequence[int]
) -> Iterator[NDArray[Any]]:
    for kind, size in zip(kinds, sizes, strict=True):
        yield np.frombuffer(data, kind, size // np.dtype(kind).itemsize, begin)
        begin += size + -size % ALIGNMENT
