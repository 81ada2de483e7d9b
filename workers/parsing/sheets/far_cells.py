"""Owns cells that lie far from all others: empty rows and columns between are left out before calamine sees a sheet.

Calamine keeps a place for every cell of the rectangle around a sheet's cells, so one stray cell may cost 400 GB.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

MOST_PLACES = 1_000_000
"""Places of a rectangle that calamine may keep though few of them are filled."""
FILLED = 16
"""A rectangle of which one place in so many is filled costs no more than its cells, which were allowed."""
PLACES_UNSEEN = 16_000_000
"""Places that are allowed at most for the count of cells alone, which may be empty ones."""
MOST_ROWS = 1_048_576
GAP = 20
"""So many empty rows or columns are left of a gap that is longer."""

_ADDRESS = rb"([A-Z]{1,3})(\d{1,7})"
_CELL = re.compile(rb"<(?:\w+:)?c\s(?:[^<>]*?\s)?r=[\"']" + _ADDRESS + rb"[\"'][^<>]*(?<!/)>")
_ROW = re.compile(rb"<(?:\w+:)?row\s(?:[^<>]*?\s)?r=[\"'](\d{1,7})[\"']")
_PLAIN_ROW = re.compile(rb'<row r="(\d{1,7})"')
_AT = rb"r=[\"']"
_TWO_LETTERS = re.compile(_AT + rb"[A-Z]{2}")
_CELL_AT = re.compile(rb"(<(?:\w+:)?c\s(?:[^<>]*?\s)?r=[\"'])" + _ADDRESS)
_ROW_AT = re.compile(rb"(<(?:\w+:)?row\s(?:[^<>]*?\s)?r=[\"'])(\d{1,7})")
_MERGED = re.compile(rb"(<(?:\w+:)?mergeCell\s(?:[^<>]*?\s)?ref=[\"'])" + _ADDRESS + rb":" + _ADDRESS)
_DIMENSION = re.compile(rb"<(?:\w+:)?dimension\s[^<>]*/>")
_WIDTHS = ((rb"[A-Z]{3}", 16_384), (rb"[D-Z][A-Z]", 702), (rb"[A-C][A-Z]", 104))


@dataclass(frozen=True, slots=True)
class Extent:
    """The rows and columns with cells, each from 1 and in order, and how many cells there are."""

    rows: Sequence[int]
    columns: Sequence[int]
    cells: int

    @property
    def is_too_large(self) -> bool:
        """Whether the rectangle is out of proportion to its cells."""
        if not self.cells:
            return False
        places = self.rows[-1] * self.columns[-1]
        return places > max(MOST_PLACES, FILLED * self.cells)


def draw_together(xml: bytes) -> bytes | None:
    """A sheet without its long gaps, or itself where no cell is far; None where even so it is too large."""
    bound = _bound(xml)
    if bound <= MOST_PLACES or bound <= _allowed(xml) or not (extent := _extent(xml)).is_too_large:
        return xml
    rows, columns = NearPlaces(extent.rows), NearPlaces(extent.columns)
    near = Extent([rows.place(extent.rows[-1])], [columns.place(extent.columns[-1])], extent.cells)
    return None if near.is_too_large else _rewrite(xml, rows, columns)


def _allowed(xml: bytes) -> int:
    """Places that need no further look, as the cells are many, which are counted faster than they are read."""
    cells = xml.count(b"<c ") + xml.count(b":c ")
    return max(MOST_PLACES, min(FILLED * cells, PLACES_UNSEEN))


def _bound(xml: bytes) -> int:
    """Places at most, from the rows and the longest name of a column, which are found faster than the cells."""
    rows = _PLAIN_ROW.findall(xml)
    if len(rows) != xml.count(b"<row") + xml.count(b":row"):
        rows = _ROW.findall(xml)
    last = max(map(int, rows), default=MOST_ROWS)
    if not _TWO_LETTERS.search(xml):
        return last * 26
    longest = (most for letters, most in _WIDTHS if re.search(_AT + letters + rb"\d", xml))
    return last * next(longest, 26)


def _extent(xml: bytes) -> Extent:
    rows: set[bytes] = set()
    columns: set[bytes] = set()
    cells = 0
    for letters, row in _CELL.findall(xml):
        rows.add(row)
        columns.add(letters)
        cells += 1
    return Extent(sorted(map(int, rows)), sorted(map(column_number, columns)), cells)


class NearPlaces:
    """Where rows or columns stand once long gaps between those that are used are short."""

    def __init__(self, used: Sequence[int]) -> None:
        self._used = used
        self._places: list[int] = []
        before = place = 0
        for number in used:
            place += min(number - before, GAP + 1)
            before = number
            self._places.append(place)

    def place(self, number: int) -> int:
        """That of a number; one in a gap stands in what is left of it, one beyond all behind them."""
        at = bisect_right(self._used, number)
        before, place = (self._used[at - 1], self._places[at - 1]) if at else (0, 0)
        return place + min(number - before, GAP)


def _rewrite(xml: bytes, rows: NearPlaces, columns: NearPlaces) -> bytes:
    def address(letters: bytes, row: bytes) -> bytes:
        return column_name(columns.place(column_number(letters))) + b"%d" % rows.place(int(row))

    xml = _DIMENSION.sub(b"", xml, count=1)
    xml = _ROW_AT.sub(lambda found: found[1] + b"%d" % rows.place(int(found[2])), xml)
    xml = _MERGED.sub(lambda found: found[1] + address(found[2], found[3]) + b":" + address(found[4], found[5]), xml)
    return _CELL_AT.sub(lambda found: found[1] + address(found[2], found[3]), xml)


@lru_cache(maxsize=1024)
def column_number(letters: bytes) -> int:
    """The number, from 1, of a column by its letters."""
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def column_name(number: int) -> bytes:
    """The letters of a column by its number, from 1."""
    letters = b""
    while number:
        number, letter = divmod(number - 1, 26)
        letters = bytes([65 + letter]) + letters
    return letters
