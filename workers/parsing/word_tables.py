"""Owns Word's tables: cells that span columns, and those that go on downwards from row to row."""

from collections.abc import Iterator
from dataclasses import dataclass

from embedmill.workers.parsing.grid import Cell
from embedmill.workers.parsing.spread import Below, Spread
from embedmill.workers.parsing.word_styles import is_on
from embedmill.workers.parsing.xml import Element, attribute, child_value, local_name

_LONG_CELL = 4
"""Paragraphs in a cell from which on a table of one row is a frame around texts."""


@dataclass(slots=True)
class _Reaching:
    """A cell that may reach down over rows that are not read yet."""

    text: str
    columns: int = 1
    rows: int = 1


class Grid:
    """Collects the cells of one table, row by row."""

    def __init__(self, caption: str = "") -> None:
        self.caption = caption
        self._rows: list[list[_Reaching]] = []
        self._reaching: dict[int, _Reaching] = {}
        self._column = 0
        self._heads = 0
        self._below: dict[int, list[Below]] = {}

    @property
    def texts(self) -> list[list[str]]:
        return [[cell.text for cell in row] for row in self._rows]

    def begin_row(self, row: Element) -> None:
        if self._heads == len(self._rows) and is_on(row.find("{*}trPr/{*}tblHeader")):
            self._heads += 1
        self._rows.append([])
        self._column = 0
        before = child_value(row, "{*}trPr/{*}gridBefore")
        if before.isdecimal() and before != "0":
            self._append(_Reaching("", int(before)))

    def add(self, cell: Element, text: str) -> None:
        merge = cell.find("{*}tcPr/{*}vMerge")
        above = self._reaching.pop(self._column, None)
        if above is not None and merge is not None and attribute(merge, "val") != "restart":
            above.rows += 1
            self._reaching[self._column] = above
            self._column += above.columns
            return
        span = child_value(cell, "{*}tcPr/{*}gridSpan")
        found = _Reaching(text, int(span) if span.isdecimal() else 1)
        if merge is not None:
            self._reaching[self._column] = found
        self._append(found)

    def later(self, thing: Below) -> None:
        """Reads something behind the row that was begun last."""
        self._below.setdefault(len(self._rows) - 1, []).append(thing)

    def finished(self) -> Spread:
        rows = [[Cell(cell.text, cell.columns, cell.rows) for cell in row] for row in self._rows]
        return Spread(self.caption, rows, self._heads or None, self._below)

    def _append(self, cell: _Reaching) -> None:
        self._rows[-1].append(cell)
        self._column += cell.columns


def is_deleted(row: Element) -> bool:
    """Whether a tracked change takes the row away."""
    return row.find("{*}trPr/{*}del") is not None


def cells_of(row: Element) -> Iterator[Element]:
    """The cells of a row itself, also those within content controls."""
    for child in row:
        match local_name(child):
            case "tc":
                yield child
            case "sdt" | "sdtContent" | "customXml":
                yield from cells_of(child)


def rows_of(table: Element) -> Iterator[Element]:
    """The rows of a table itself, also those within content controls."""
    for child in table:
        match local_name(child):
            case "tr":
                yield child
            case "sdt" | "sdtContent" | "customXml":
                yield from rows_of(child)


def is_frame(row: Element) -> bool:
    """Whether a table of this row alone arranges texts: one cell, or cells with many paragraphs or a table."""
    cells = list(cells_of(row))
    return len(cells) == 1 or any(_is_long(cell) for cell in cells)


def _is_long(cell: Element) -> bool:
    return cell.find(".//{*}tbl") is not None or len(cell.findall("{*}p")) >= _LONG_CELL
