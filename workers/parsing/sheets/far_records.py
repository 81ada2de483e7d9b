"""Owns what calamine does not tell of workbooks from before 2007 (BIFF8 in a compound file).

Errors and formats of cells are told, and cells that lie too far apart are brought nearer, as in newer ones.

Layout: [MS-CFB] 2.2 to 2.6 for the container, [MS-XLS] 2.1.4 and 2.4 for records. Another layout, or a stream that is
cut short, is left as it is.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from embedmill.workers.parsing.ole import MAGIC
from embedmill.workers.parsing.sheets.far_cells import Extent, NearPlaces
from embedmill.workers.parsing.sheets.old_styles import OldStyles

Errors = Mapping[int, Mapping[int, str]]
Formats = Mapping[int, str]
RowFormats = tuple[int, Formats]
"""A row, and its formats by column."""

_NAMES = ("Workbook", "Book")
_BOF, _EOF, _MERGED, _MULTIPLE = 0x809, 0x0A, 0xE5, 0xBD
_FORMULA, _ERROR, _ERROR_RESULT = 0x06, 0x205, 2
_VALUES = frozenset({_FORMULA, _MULTIPLE, 0x203, 0x27E})
_CELLS = frozenset({*_VALUES, 0xFD, 0x204, _ERROR})
_ERRORS = {
    0x00: "#NULL!", 0x07: "#DIV/0!", 0x0F: "#VALUE!", 0x17: "#REF!", 0x1D: "#NAME?", 0x24: "#NUM!", 0x2A: "#N/A",
}  # fmt: skip
_WORKBOOK, _WORKSHEET = 0x05, 0x10
_BIFF8 = 0x600
_VALUE_BYTES = 6
"""Of each value in a record of several, with its style."""
_NOTHING = 0x60
"""A kind of record that readers pass over: that of a template."""
_SHIFTS = (9, 12)
_HEADER_SECTORS = 109
_ENTRY_BYTES = 128
_STREAM = 2
_SMALL_SECTOR = 64
_LAST_SECTOR = 0xFFFFFFFA


class _Drawn(Enum):
    """What became of a sheet. Truth says whether something did."""

    NOT = 0
    NEARER = 1
    EMPTIED = 2

    def __bool__(self) -> bool:
        return self is not _Drawn.NOT


@dataclass(slots=True)
class _Sheet:
    """Where in the stream a sheet's cells begin, each with its row and column, and a merged cell with its four numbers.

    A record of several cells has the column of its last one, too, and one of an error its code; `values` are those
    cells that a format may show in another way.
    """

    cells: list[int] = field(default_factory=list)
    values: list[int] = field(default_factory=list)
    errors: list[tuple[int, int]] = field(default_factory=list)
    last_columns: dict[int, int] = field(default_factory=dict)
    merges: list[int] = field(default_factory=list)
    merged: list[int] = field(default_factory=list)


class Near(NamedTuple):
    """A workbook's bytes with far cells nearer, or its own.

    `errors` are what stands in cells whose formula failed, by row and column, sheet by sheet, and `formats` how their
    values are shown; `scattered` has the numbers of sheets whose cells were too far apart and are gone.
    """

    data: bytes
    errors: Sequence[Errors] = ()
    formats: Sequence[Sequence[RowFormats]] = ()
    scattered: Sequence[int] = ()


def draw_together(data: bytes) -> Near:
    """The workbook as calamine can read it."""
    try:
        sectors, size = _find_stream(data)
        if max(sectors) + size > len(data):
            return Near(data)
        stream = bytearray(b"".join(data[at : at + size] for at in sectors))
        styles = OldStyles()
        sheets = list(_sheets(stream, styles))
        drawn = [_draw_sheet(stream, sheet) for sheet in sheets]
    except (struct.error, IndexError, StopIteration):
        return Near(data)
    told = [_told_errors(stream, sheet) for sheet in sheets], [_formats(stream, sheet, styles) for sheet in sheets]
    if not any(drawn):
        return Near(data, *told)
    out = bytearray(data)
    for number, at in enumerate(sectors):
        out[at : at + size] = stream[number * size : (number + 1) * size]
    return Near(bytes(out), *told, [number for number, how in enumerate(drawn) if how is _Drawn.EMPTIED])


def _told_errors(stream: bytearray, sheet: _Sheet) -> Errors:
    found: dict[int, dict[int, str]] = {}
    for at, code in sheet.errors:
        row, column = struct.unpack_from("<HH", stream, at)
        found.setdefault(row, {})[column] = _ERRORS.get(code, "#N/A")
    return found


def _formats(stream: bytearray, sheet: _Sheet, styles: OldStyles) -> list[RowFormats]:
    """Rows in their order; a record of several cells has a style before the value of each."""
    codes = styles.codes
    found: dict[int, dict[int, str]] = {}
    for at in sheet.values if codes else ():
        row, column, style = struct.unpack_from("<HHH", stream, at)
        end = sheet.last_columns.get(at)
        width = 1 if end is None else max((end - at - 4) // _VALUE_BYTES, 0)
        for number in range(width):
            style = _number(stream, at + 4 + _VALUE_BYTES * number) if number else style
            if style in codes:
                found.setdefault(row, {})[column + number] = codes[style]
    return sorted(found.items())


def _find_stream(data: bytes) -> tuple[list[int], int]:
    """Where the sectors of the workbook's stream begin, and their size; those of a small stream lie in larger ones."""
    shift = _number(data, 30)
    if not data.startswith(MAGIC) or shift not in _SHIFTS:
        raise StopIteration
    size = 1 << shift
    directory, _, smallest = struct.unpack_from("<III", data, 48)
    table = _allocation(data, size)
    entries = b"".join(data[at : at + size] for at in _chain(directory, table, size))
    names = {f"{name}\0".encode("utf-16-le") for name in _NAMES}
    root = struct.unpack_from("<I", entries, 116)[0]
    for at in range(0, len(entries) - _ENTRY_BYTES + 1, _ENTRY_BYTES):
        length, kind = struct.unpack_from("<HB", entries, at + 64)
        start, bytes_ = struct.unpack_from("<II", entries, at + 116)
        if kind == _STREAM and entries[at : at + length] in names:
            if bytes_ >= smallest:
                return _chain(start, table, size), size
            return _small_chain(data, start, _chain(root, table, size), table, size), _SMALL_SECTOR
    raise StopIteration


def _small_chain(data: bytes, start: int, around: Sequence[int], table: Sequence[int], size: int) -> list[int]:
    """Where small sectors begin, in the sectors `around` them, which the directory's root has."""
    listed = _chain(struct.unpack_from("<I", data, 60)[0], table, size)
    following = [number for at in listed for number in struct.unpack_from(f"<{size // 4}I", data, at)]
    places = (at * _SMALL_SECTOR for at in _numbers(start, following))
    return [around[place // size] + place % size for place in places]


def _allocation(data: bytes, size: int) -> list[int]:
    """For each sector the next one; parts of the table that the header does not list are found over others."""
    listed = list(struct.unpack_from(f"<{_HEADER_SECTORS}I", data, 76))
    more = struct.unpack_from("<I", data, 68)[0]
    for _ in range(len(data) // size):
        if more >= _LAST_SECTOR:
            break
        *found, more = struct.unpack_from(f"<{size // 4}I", data, (more + 1) * size)
        listed += found
    parts = [number for number in listed if number < _LAST_SECTOR]
    return [next_ for part in parts for next_ in struct.unpack_from(f"<{size // 4}I", data, (part + 1) * size)]


def _chain(start: int, table: Sequence[int], size: int) -> list[int]:
    return [(number + 1) * size for number in _numbers(start, table)]


def _numbers(start: int, table: Sequence[int]) -> list[int]:
    """A sector's number, and those of all that follow it."""
    found: list[int] = []
    while start < _LAST_SECTOR:
        if len(found) > len(table):
            raise IndexError("a chain without an end")
        found.append(start)
        start = table[start]
    return found


def _sheets(stream: bytearray, styles: OldStyles) -> Iterator[_Sheet]:
    """The worksheets, without what is nested in them, as charts are; `styles` are told those of the workbook."""
    kinds: list[int] = []
    sheet = _Sheet()
    for kind, at, length in _records(stream):
        if kind == _BOF:
            is_known = _number(stream, at) == _BIFF8
            kinds.append(_number(stream, at + 2))
            sheet = _Sheet() if len(kinds) == 1 else sheet
        elif kind == _EOF and kinds:
            if kinds.pop() == _WORKSHEET and not kinds:
                yield sheet
        elif kinds == [_WORKBOOK] and is_known:
            styles.take(kind, bytes(stream[at : at + length]))
        elif kinds == [_WORKSHEET]:
            _take(sheet, kind, at, length, stream)


def _records(stream: bytearray) -> Iterator[tuple[int, int, int]]:
    """The kind of each record, where its content begins, and that one's length."""
    at = 0
    while at + 4 <= len(stream):
        kind, length = struct.unpack_from("<HH", stream, at)
        if not kind and not length:
            return
        yield kind, at + 4, length
        at += 4 + length


def _take(sheet: _Sheet, kind: int, at: int, length: int, stream: bytearray) -> None:
    if kind in _CELLS:
        sheet.cells.append(at)
        if kind in _VALUES:
            sheet.values.append(at)
        if (code := _error_code(kind, stream, at)) is not None:
            sheet.errors.append((at, code))
        if kind == _MULTIPLE:
            sheet.last_columns[at] = at + length - 2
    elif kind == _MERGED:
        count = _number(stream, at)
        sheet.merges.append(at)
        sheet.merged += range(at + 2, at + 2 + 8 * count, 8)


def _error_code(kind: int, stream: bytearray, at: int) -> int | None:
    """That of a cell that holds an error ([MS-XLS] 2.4.24), or of a formula that came to one (2.5.133)."""
    if kind == _ERROR and stream[at + 7]:
        return stream[at + 6]
    if kind == _FORMULA and stream[at + 12 : at + 14] == b"\xff\xff" and stream[at + 6] == _ERROR_RESULT:
        return stream[at + 8]
    return None


def _draw_sheet(stream: bytearray, sheet: _Sheet) -> _Drawn:
    """Brings cells nearer; those of a sheet that is too large even so are taken out."""
    places = [struct.unpack_from("<HH", stream, at) for at in sheet.cells]
    used = {column for _, column in places}
    for at, end in sheet.last_columns.items():
        used.update(range(_number(stream, at + 2), _number(stream, end) + 1))
    extent = Extent(sorted({row + 1 for row, _ in places}), sorted(column + 1 for column in used), len(places))
    if not extent.is_too_large:
        return _Drawn.NOT
    rows, columns = NearPlaces(extent.rows), NearPlaces(extent.columns)
    near = Extent([rows.place(extent.rows[-1])], [columns.place(extent.columns[-1])], len(places))
    if near.is_too_large:
        for at in (*sheet.cells, *sheet.merges):
            struct.pack_into("<H", stream, at - 4, _NOTHING)
        return _Drawn.EMPTIED
    _move_cells(stream, sheet, rows, columns)
    return _Drawn.NEARER


def _move_cells(stream: bytearray, sheet: _Sheet, rows: NearPlaces, columns: NearPlaces) -> None:
    for at in sheet.cells:
        _move(stream, at, rows)
        _move(stream, at + 2, columns)
    for at in sheet.last_columns.values():
        _move(stream, at, columns)
    for at in sheet.merged:
        for number, near in enumerate((rows, rows, columns, columns)):
            _move(stream, at + 2 * number, near)


def _move(stream: bytearray, at: int, near: NearPlaces) -> None:
    struct.pack_into("<H", stream, at, near.place(_number(stream, at) + 1) - 1)


def _number(stream: bytes | bytearray, at: int) -> int:
    return int(struct.unpack_from("<H", stream, at)[0])
