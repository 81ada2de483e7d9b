"""Owns the file of a block: the fields of the rows within a range of keys, as columns that are mapped, not loaded.

A file is derived from rows that never change, and is written whole under another name first. One that is cut off or of
another form is none.
"""

import mmap
import os
import secrets
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import orjson
from numpy.typing import NDArray

from embedmill.shared.filtering.columns import Column, Columns, Keys, Mask, Name

FORM = "embedmill fields 1"
ALIGNMENT = 8
KINDS: tuple[type[np.generic], ...] = (np.int64, np.uint8, np.int64, np.uint32)
"""Of a column's arrays: ends and data of its keys, ends and places of its rows."""


@dataclass(frozen=True, slots=True)
class Block:
    """The rows whose keys are above `after` and up to `last`: their keys, ascending, and their fields."""

    after: int
    last: int
    keys: NDArray[np.int64]
    columns: Columns

    def __len__(self) -> int:
        return len(self.keys)

    def dense(self, mask: Mask) -> Mask:
        """A mask of rows as one of keys, from the one after `after` to the last."""
        marked = np.zeros(self.last - self.after, np.bool_)
        marked[self.keys[mask] - (self.after + 1)] = True
        return marked

    def save(self, path: Path) -> None:
        """Write the file, or nothing where that is not possible: what is derived can be derived again."""
        draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        try:
            path.parent.mkdir(exist_ok=True)
            draft.write_bytes(b"".join(self._parts()))
            os.replace(draft, path)
        except OSError:
            with suppress(OSError):
                draft.unlink(missing_ok=True)

    def _parts(self) -> Iterator[bytes]:
        columns = list(self.columns.columns.items())
        arrays = [self.keys, *(array for _, column in columns for array in _arrays(column))]
        sizes = [array.nbytes for array in arrays]
        header = orjson.dumps([FORM, self.after, self.last, [name for name, _ in columns], sizes])
        yield np.array([len(header), zlib.crc32(header)], np.int64).tobytes()
        for part in (header, *(array.tobytes() for array in arrays)):
            yield part
            yield b"\0" * (-len(part) % ALIGNMENT)

    @classmethod
    def load(cls, path: Path) -> Self | None:
        """The block of a file; None when it cannot be read as one."""
        try:
            with path.open("rb") as file:
                data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            return cls._read(data)
        except (OSError, ValueError, TypeError, UnicodeDecodeError):
            return None

    @classmethod
    def _read(cls, data: mmap.mmap) -> Self | None:
        length, told = np.frombuffer(data, np.int64, 2).tolist()
        header = data[16 : 16 + length]
        if zlib.crc32(header) != told:
            return None
        form, after, last, names, sizes = orjson.loads(header)
        if form != FORM or 16 + sum(size + -size % ALIGNMENT for size in (length, *sizes)) != len(data):
            return None
        keys, *arrays = _mapped(data, 16 + length + -length % ALIGNMENT, [np.int64, *KINDS * len(names)], sizes)
        columns = {_named(name): _column(arrays[4 * n : 4 * n + 4]) for n, name in enumerate(names)}
        return cls(after, last, keys, Columns(len(keys), columns))


def _named(name: Sequence[str]) -> Name:
    field, axis = name
    return field, axis


def _arrays(column: Column) -> tuple[NDArray[Any], ...]:
    return column.keys.ends, column.keys.data, column.ends, column.rows


def _column(arrays: Sequence[NDArray[Any]]) -> Column:
    key_ends, data, ends, rows = arrays
    return Column(Keys(key_ends, data), ends, rows)


def _mapped(
    data: mmap.mmap, begin: int, kinds: Sequence[type[np.generic]], sizes: Sequence[int]
) -> Iterator[NDArray[Any]]:
    for kind, size in zip(kinds, sizes, strict=True):
        yield np.frombuffer(data, kind, size // np.dtype(kind).itemsize, begin)
        begin += size + -size % ALIGNMENT
