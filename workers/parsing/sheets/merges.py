"""Owns merged cells: what they say is repeated wherever they reach, row by row."""

from collections.abc import Sequence
from dataclasses import dataclass

from embedmill.workers.parsing.sheets.shaping import SheetRow

Range = tuple[tuple[int, int], tuple[int, int]]
"""The first and the last cell of a merged one, each (row, column)."""


@dataclass(frozen=True, slots=True)
class Merged:
    """A merged cell whose columns count from the row's first."""

    columns: range
    last_row: int
    text: str = ""


class Merges:
    """Takes the rows of a sheet in their order. `first_column` is that of the first cell of each row."""

    def __init__(self, ranges: Sequence[Range], *, first_column: int) -> None:
        self._begin: dict[int, list[Merged]] = {}
        self._hanging: list[Merged] = []
        for (row, left), (last_row, right) in ranges:
            columns = range(left - first_column, right - first_column + 1)
            self._begin.setdefault(row, []).append(Merged(columns, last_row))

    def place(self, number: int, cells: list[str]) -> SheetRow:
        """The row with that number."""
        if not self._hanging and number not in self._begin:
            return SheetRow(cells)
        return self.place_with(number, cells, self._begin.get(number, ()))

    def place_with(self, number: int, cells: list[str], merged: Sequence[Merged]) -> SheetRow:
        """The row in which these merged cells begin; a lone one over several columns is a title, and not repeated."""
        beginning = [one for one in merged if 0 <= one.columns.start < len(cells)]
        if not beginning and not self._hanging:
            return SheetRow(cells)
        if self._is_title(cells, beginning):
            return SheetRow(cells, is_title=True)
        self._hanging = [one for one in self._hanging if one.last_row >= number]
        for one in self._hanging:
            _fill(cells, one.columns, one.text)
        for one in beginning:
            text = cells[one.columns.start]
            _fill(cells, one.columns, text)
            if one.last_row > number:
                self._hanging.append(Merged(one.columns, one.last_row, text))
        reaches = max((one.last_row - number for one in beginning), default=0)
        return SheetRow(cells, reaches, splits=any(len(one.columns) > 1 for one in beginning))

    def _is_title(self, cells: Sequence[str], beginning: Sequence[Merged]) -> bool:
        filled = [number for number, cell in enumerate(cells) if cell]
        return not self._hanging and len(filled) == 1 and any(filled[0] == one.columns.start for one in beginning)


def _fill(cells: list[str], columns: range, text: str) -> None:
    for column in columns:
        if column < len(cells) and not cells[column]:
            cells[column] = text
