"""Owns where the cells of a table stand: spans over rows and columns on a grid, and wide tables in bands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from operator import add

COLUMNS = 1000
"""Most columns that spans may reach, as HTML's standard bounds them."""

REPEATED_CHARACTERS = 80
"""A longer text of a spanning cell stands once; where it reaches, an empty cell keeps the place."""

REACHED = 50_000
"""Places of one table that spanning cells may reach; what follows is laid out as if nothing spanned."""

SEPARATOR_CHARACTERS = 3

WIDE_COLUMNS = 8
WIDE_CHARACTERS = 480
"""A row of more columns and characters is cut into bands, so that several rows and their header fit one chunk."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell and how many columns and rows it spans; 0 rows are all that follow."""

    text: str
    columns: int = 1
    rows: int = 1


def place(rows: Sequence[Sequence[Cell]]) -> list[list[str]]:
    """As many rows of texts, each cell in its column; a spanning cell's short text is repeated wherever it reaches.

    A column in which no cell begins is left out: it is there for spans only.
    """
    hanging: dict[int, tuple[str, int]] = {}
    begun: set[int] = set()
    lines: list[dict[int, str]] = []
    reached = 0
    for number, row in enumerate(rows):
        if reached > REACHED:
            hanging.clear()
        cells = row if reached <= REACHED else [Cell(cell.text) for cell in row]
        lines.append(_place_row(cells, hanging, begun, left=len(rows) - number))
        reached += len(lines[-1]) - len(row)
    columns = sorted(begun)
    return [_texts(line, columns) for line in lines]


def _texts(line: dict[int, str], columns: list[int]) -> list[str]:
    last = max(line, default=-1)
    return [line.get(column, "") for column in columns if column <= last]


def _place_row(
    row: Sequence[Cell], hanging: dict[int, tuple[str, int]], begun: set[int], *, left: int
) -> dict[int, str]:
    """`hanging` has, for each column, the text of a cell that reaches down from above, and for how many rows still."""
    line = {column: text for column, (text, _) in hanging.items()}
    reaching = {column: (text, rows - 1) for column, (text, rows) in hanging.items() if rows > 1}
    column = 0
    for cell in row:
        while column in line:
            column += 1
        begun.add(column)
        rows = min(cell.rows or left, left)
        repeated = cell.text if len(cell.text) <= REPEATED_CHARACTERS else ""
        for reached in range(column, column + max(1, min(cell.columns, COLUMNS - column))):
            if reached in line:
                break
            line[reached] = cell.text if reached == column else repeated
            if rows > 1:
                reaching[reached] = (repeated, rows - 1)
    hanging.clear()
    hanging.update(reaching)
    return line


def bands(rows: Sequence[Sequence[str]]) -> list[list[int]]:
    """The columns of each band of a table, judged by these rows of it; the first column opens every band.

    Columns far beyond a gap are bands of their own, and the columns of the gap are in none, as all are in which
    nothing stands where a table is cut for its width.
    """
    columns = max(map(len, rows), default=0)
    if columns <= WIDE_COLUMNS:
        return [list(range(columns))]
    widths = _widths(rows)
    return [band for near in _neighbours(sorted({0, *widths})) for band in _cut(near, widths)]


def _neighbours(columns: Sequence[int]) -> list[list[int]]:
    """Columns in groups, with more than a few empty ones between these."""
    groups = [[columns[0]]]
    for column in columns[1:]:
        if column - groups[-1][-1] > WIDE_COLUMNS:
            groups.append([])
        groups[-1].append(column)
    return groups


def _cut(group: Sequence[int], widths: Mapping[int, int]) -> list[list[int]]:
    """The bands of neighbours, which stay whole and keep their gaps where they are few or narrow."""
    between = range(max(group[0], 1), group[-1] + 1)
    key = widths.get(0, SEPARATOR_CHARACTERS)
    needed = key + sum(widths.get(column, SEPARATOR_CHARACTERS) for column in between)
    if len(between) < WIDE_COLUMNS or needed <= WIDE_CHARACTERS:
        return [[0, *between]]
    room = max(WIDE_CHARACTERS - key, WIDE_CHARACTERS // 2)
    found: list[list[int]] = [[0]]
    used = 0
    for column in filter(None, group):
        if used + widths[column] > room and len(found[-1]) > 1:
            found.append([0])
            used = 0
        found[-1].append(column)
        used += widths[column]
    return found


def _widths(rows: Sequence[Sequence[str]]) -> dict[int, int]:
    """Characters that each column with a cell takes with its separator.

    They are those of its first row, or the others' mean if that is more.
    """
    first = list(map(len, rows[0]))
    others: list[int] = []
    for row in rows[1:]:
        lengths = list(map(len, row))
        others = [*map(add, others, lengths), *others[len(lengths) :], *lengths[len(others) :]]
    count = max(len(rows) - 1, 1)
    return {
        column: SEPARATOR_CHARACTERS + max(width, characters // count)
        for column, (width, characters) in enumerate(zip_longest(first, others, fillvalue=0))
        if width or characters
    }
