"""Owns what rows of cells are: titles, tables with their header rows, and remarks beside them."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import NamedTuple

from embedmill.workers.parsing.draft import Draft
from embedmill.workers.parsing.measures import is_one_of
from embedmill.workers.parsing.table import Table

LOOKED_AT = 12
"""Rows of a block by which it is judged."""
MOST_HEADS = 3
HEAD_CHARACTERS = 120
LIST_ROWS = 4
"""So many single cells below one another are a column, fewer are remarks."""

_YEAR = re.compile(r"(?:19|20|21)\d\d")
_VALUE = re.compile(
    r"(?:[A-Z]{3}\s?|[-+(€$£¥]\s?)*\d[\d.,'\u2019\u00a0 ]*(?:[eE][-+]?\d+)?\s?(?:%|[€$£¥]|[A-Z]{3})?\)?"
    r"|\d{1,4}[-./]\d{1,2}[-./]\d{1,4}(?:[T ]\d{1,2}:.*)?|\d{1,2}:\d\d.*|TRUE|FALSE|#[A-Z/0!?]+"
)


class SheetRow(NamedTuple):
    """Cells as texts. `reaches` says how many further rows a cell of it spans, `splits` that one spans columns."""

    cells: Sequence[str]
    reaches: int = 0
    splits: bool = False
    is_title: bool = False

    @property
    def filled(self) -> list[int]:
        return [number for number, cell in enumerate(self.cells) if cell]

    @property
    def is_single(self) -> bool:
        """Whether there is one cell to read, however far it reaches."""
        return self.is_title or len(self.filled) == 1


def add_rows(rows: Iterable[SheetRow], draft: Draft) -> None:
    """Adds what rows are: blocks between empty rows are tables, or go on with the one before, or are remarks."""
    shaper = _Shaper(draft)
    waiting = iter(rows)
    for first in waiting:
        if any(first.cells):
            shaper.add(chain([first], _filled(waiting)))


def _filled(rows: Iterator[SheetRow]) -> Iterator[SheetRow]:
    for row in rows:
        if not any(row.cells):
            return
        yield row


class _Shaper:
    """Remembers the table that the next block may go on with."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._table: Table | None = None
        self._columns = range(0)

    def add(self, block: Iterator[SheetRow]) -> None:
        """One block; its rows are read as they come."""
        looked_at = list(islice(block, LOOKED_AT))
        titles = _count_titles(looked_at)
        if titles == len(looked_at):
            self._add_remarks(looked_at)
            return
        rows = looked_at[titles:]
        columns = range(min(min(row.filled) for row in rows), max(max(row.filled) for row in rows) + 1)
        heads = count_heads(rows)
        if self._table is None or titles or heads.strong or not _fits(columns, self._columns):
            self._begin(looked_at[:titles], columns, rows[: heads.rows])
            rows = rows[heads.rows :]
        self._add_rows(chain(rows, block))

    def _begin(self, titles: Sequence[SheetRow], columns: range, heads: Sequence[SheetRow]) -> None:
        """The one line above a table is its caption; several are paragraphs."""
        for row in titles if len(titles) > 1 else ():
            self._draft.paragraph(_text(row))
        self._columns = columns
        self._table = self._draft.table(_text(titles[0]) if len(titles) == 1 else "")
        for row in heads:
            self._table.head(row.cells[columns.start :])

    def _add_rows(self, rows: Iterable[SheetRow]) -> None:
        assert self._table is not None
        start = self._columns.start
        for row in rows:
            self._table.row(row.cells[min(start, row.filled[0]) :] if start else row.cells)

    def _add_remarks(self, rows: Sequence[SheetRow]) -> None:
        if len(rows) >= LIST_ROWS and not any(row.is_title for row in rows):
            self._begin((), range(rows[0].filled[0], rows[0].filled[0] + 1), rows[: count_heads(rows).strong])
            self._add_rows(rows[count_heads(rows).strong :])
            return
        for row in rows:
            self._draft.paragraph(_text(row))


def _text(row: SheetRow) -> str:
    return row.cells[row.filled[0]]


def _fits(columns: range, before: range) -> bool:
    return before.start <= columns.start and columns.stop <= before.stop


def _count_titles(rows: Sequence[SheetRow]) -> int:
    """Rows of one cell at the top, unless all that follows is a column too."""
    return next((number for number, row in enumerate(rows) if not row.is_single), len(rows))


@dataclass(frozen=True, slots=True)
class HeadRows:
    """How many rows head a table; `strong` where what stands below them is of another kind."""

    rows: int
    strong: bool


def count_heads(rows: Sequence[SheetRow]) -> HeadRows:
    """The header rows at the top of a table, judged by what stands in them and below."""
    if not rows or not _may_head(rows[0]) or _has_its_like_below(rows[0], rows[1:]):
        return HeadRows(0, strong=False)
    heads = 1
    while heads < min(MOST_HEADS, len(rows) - 1) and _goes_on(rows[:heads], rows[heads]):
        heads += 1
    if len(rows) == heads:
        return HeadRows(0, strong=False)
    return HeadRows(heads, strong=_differs(rows[heads - 1], rows[heads:]))


def _may_head(row: SheetRow) -> bool:
    """Short texts, and years; a value such as an amount is none."""
    return all(len(cell) <= HEAD_CHARACTERS and not is_value(cell) for cell in row.cells if cell)


def _has_its_like_below(row: SheetRow, rows: Sequence[SheetRow]) -> bool:
    """Whether a measure stands above measures, as in the second column of a data sheet."""
    return any(
        is_one_of(row.cells[column], (other.cells[column] for other in rows if column < len(other.cells)))
        for column in row.filled
    )


def _goes_on(heads: Sequence[SheetRow], row: SheetRow) -> bool:
    """Whether a header has another row: cells of those before span it, or both have gaps where the other has none."""
    if any(head.reaches >= len(heads) - number for number, head in enumerate(heads)):
        return True
    if not _may_head(row):
        return False
    above, below = set(heads[-1].filled), set(row.filled)
    return heads[-1].splits or bool(above - below and below - above)


def _differs(head: SheetRow, rows: Sequence[SheetRow]) -> bool:
    """Whether some column has values below its name."""
    return any(_has_values(column, rows) for column in head.filled)


def _has_values(column: int, rows: Sequence[SheetRow]) -> bool:
    cells = [row.cells[column] for row in rows if column < len(row.cells) and row.cells[column]]
    return bool(cells) and 2 * sum(map(is_value, cells)) > len(cells)


def is_value(cell: str) -> bool:
    """Whether a cell holds a number, an amount or a time, and no year, which may be a name."""
    return _VALUE.fullmatch(cell.strip()) is not None and not _YEAR.fullmatch(cell)
