"""Owns the fields of many rows as arrays, in which a condition finds its rows without reading any of them.

Each field has a column for each axis that its values are on: its distinct values in order, as bytes that sort alike,
and the rows that have each. A range is a slice of them, found by bisection.
"""

import struct
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, overload
from unicodedata import normalize

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.filtering.conditions import (
    All,
    AnyOf,
    Compare,
    Condition,
    Exists,
    IsOneOf,
    Not,
    Resembles,
    ranges_of,
)
from embedmill.shared.filtering.fields import Fields, lay_flat
from embedmill.shared.filtering.readings import SHORT, Axis, Range, Reading, read
from embedmill.shared.globs import Glob, successor

THERE = "there"
"""The column of the rows that have a field at all."""
SCALAR = (str, int, float)
REMEMBERED = 2**16
Mask = NDArray[np.bool_]
Name = tuple[str, str]
"""A field and an axis, or THERE."""

_HALF = 1 << 15
_SIGN_BIT, _ALL_BITS = 1 << 63, (1 << 64) - 1
_NUMBER, _MOMENT = struct.Struct(">QH"), struct.Struct(">Q")


@dataclass(frozen=True, slots=True)
class FieldKeys(Sequence[bytes]):
    """Distinct byte strings in order: the i-th ends at `ends[i]`."""

    ends: NDArray[np.int64]
    data: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.ends)

    @overload
    def __getitem__(self, at: int) -> bytes: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[bytes]: ...
    def __getitem__(self, at: int | slice) -> bytes | Sequence[bytes]:
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(len(self)))]
        return self.data[self.ends[at - 1] if at else 0 : self.ends[at]].tobytes()


@dataclass(frozen=True, slots=True)
class FieldColumn:
    """The rows of the i-th key end at `ends[i]` in `rows`."""

    keys: FieldKeys
    ends: NDArray[np.int64]
    rows: NDArray[np.uint32]

    def rows_of(self, first: int, after: int) -> NDArray[np.uint32]:
        """Those of some keys that follow each other."""
        begin = self.ends[first - 1] if first else 0
        return self.rows[begin : self.ends[after - 1]] if after > first else self.rows[:0]


@dataclass(frozen=True, slots=True)
class Columns:
    """The fields of `size` rows, which are known by their places."""

    size: int
    columns: Mapping[Name, FieldColumn]

    def mask(self, condition: Condition) -> Mask:
        """Which rows meet a condition, as `holds` says it of each."""
        match condition:
            case All(conditions):
                return reduce(np.logical_and, map(self.mask, conditions), np.ones(self.size, np.bool_))
            case AnyOf(conditions):
                return reduce(np.logical_or, map(self.mask, conditions), np.zeros(self.size, np.bool_))
            case Not(inner):
                return ~self.mask(inner)
            case Compare(name, "!=", value):
                return ~self.mask(Compare(name, "=", value))
            case Compare(name) | IsOneOf(name):
                return self._marked(self._within(name, one) for one in ranges_of(condition))
            case Resembles(name, glob):
                return self._marked(self._like(name, glob))
            case Exists(name):
                there = self.columns.get((name, THERE))
                return self._marked([there.rows] if there else [])

    def _marked(self, found: Iterable[NDArray[np.uint32]]) -> Mask:
        mask = np.zeros(self.size, np.bool_)
        for rows in found:
            mask[rows] = True
        return mask

    def _within(self, name: str, wanted: Range) -> NDArray[np.uint32]:
        column = self.columns.get((name, wanted.axis))
        return np.empty(0, np.uint32) if column is None else column.rows_of(*_places(column.keys, wanted))

    def _like(self, name: str, glob: Glob) -> Iterator[NDArray[np.uint32]]:
        column = self.columns.get((name, "text"))
        if column is None:
            return
        last = successor(glob.prefix)
        first = bisect_left(column.keys, glob.prefix.encode())
        after = len(column.keys) if last is None else bisect_left(column.keys, last.encode())
        for at in range(first, after):
            if glob.matches(column.keys[at].decode()):
                yield column.rows_of(at, at + 1)


def _places(keys: FieldKeys, wanted: Range) -> tuple[int, int]:
    """The keys within a range: the first, and the one after the last."""
    before, behind = (bisect_right, bisect_left) if wanted.open else (bisect_left, bisect_right)
    first = 0 if wanted.low is None else before(keys, key_of(wanted.axis, wanted.low))
    after = len(keys) if wanted.high is None else behind(keys, key_of(wanted.axis, wanted.high))
    return first, max(first, after)


def key_of(axis: Axis, value: Any) -> bytes:
    """A value as bytes that sort as values do."""
    match axis:
        case "text":
            return str(value).encode()
        case "number":
            return _number_key(value)
    return _MOMENT.pack(value + _SIGN_BIT)


def _number_key(value: int | float) -> bytes:
    """The nearest double, and what a whole number has beyond it."""
    nearest = float(value) or 0.0
    bits = struct.unpack(">Q", struct.pack(">d", nearest))[0]
    rest = value - int(nearest) if isinstance(value, int) else 0
    return _NUMBER.pack(bits ^ (_ALL_BITS if bits >> 63 else _SIGN_BIT), rest + _HALF)


Places = array
"""The places of the rows that have one value, as they are gathered."""


class Builder:
    """Gathers the fields of rows. What one value adds is remembered, since values come again."""

    def __init__(self) -> None:
        self._rows: dict[Name, dict[bytes, Places[int]]] = {}
        self._remembered: dict[tuple[str, type, Any], list[Places[int]]] = {}

    def values(self, named: Iterable[tuple[str, Any]]) -> list["Places[int]"]:
        """What `mark` takes for rows with these fields, as metadata has them."""
        return [places for name, value in named for places in self._remember(name, value)]

    def rare_values(self, named: Iterable[tuple[str, Any]]) -> list["Places[int]"]:
        """The same of values that hardly come again."""
        return [places for name, value in named for places in self._read(name, value)]

    def _remember(self, name: str, value: Any) -> list["Places[int]"]:
        if not isinstance(value, SCALAR) or (isinstance(value, str) and len(value) > SHORT):
            return self._read(name, value)
        said = (name, type(value), value)
        found = self._remembered.get(said)
        if found is None:
            if len(self._remembered) >= REMEMBERED:
                self._remembered.clear()
            found = self._remembered[said] = self._read(name, value)
        return found

    def _read(self, name: str, value: Any) -> list["Places[int]"]:
        if isinstance(value, SCALAR):
            return self._of_reading(normalize("NFC", name), read(value))
        return [self._of(*each) for each in _named_keys(lay_flat([(name, value)]))]

    def _of_reading(self, name: str, reading: Reading) -> list["Places[int]"]:
        found = [self._of((name, axis), key_of(axis, value)) for axis, value in reading.items()]
        return [self._of((name, THERE), b""), *found] if found else []

    def mark(self, values: Iterable["Places[int]"], rows: range) -> None:
        """Say which rows have these values; those of a value come in ascending order."""
        for places in values:
            places.extend(rows)

    def _of(self, name: Name, key: bytes) -> "Places[int]":
        return self._rows.setdefault(name, {}).setdefault(key, Places("I"))

    def build(self, size: int) -> Columns:
        """The columns of so many rows."""
        return Columns(size, {name: _column(values) for name, values in self._rows.items()})


def _named_keys(fields: Fields) -> set[tuple[Name, bytes]]:
    found: set[tuple[Name, bytes]] = {((name, THERE), b"") for name in fields}
    for name, readings in fields.items():
        found |= {((name, axis), key_of(axis, value)) for reading in readings for axis, value in reading.items()}
    return found


def _column(values: Mapping[bytes, "Places[int]"]) -> FieldColumn:
    keys = sorted(values)
    ends = np.cumsum([len(key) for key in keys], dtype=np.int64)
    return FieldColumn(
        FieldKeys(ends, np.frombuffer(b"".join(keys), np.uint8)),
        np.cumsum([len(values[key]) for key in keys], dtype=np.int64),
        np.frombuffer(b"".join(values[key] for key in keys), np.uint32),
    )
