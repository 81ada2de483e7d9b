"""Owns where the cells of a table stand: spans over rows and columns on a grid, and wide tables in bands."""

from collections.abc import Sequence
from dataclasses import dataclass

COLUMNS = 1000
"""Most columns that spans may reach, as HTML's standard bounds them."""

REPEATED_CHARACTERS = 80
"""A longer text of a spanning cell stands once; where it reaches, an empty cell keeps the place."""

REACHED = 50_000
"""Places of one table that spanning cells may reach; what follows is laid out as if nothing spanned."""

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
    """The columns of each band of a table, judged by these rows of it; the first column opens every band."""
    columns = max(map(len, rows), default=0)
    widths = [_width(rows, column) for column in range(columns)]
    if columns <= WIDE_COLUMNS or sum(widths) <= WIDE_CHARACTERS:
        return [list(range(columns))]
    room = max(WIDE_CHARACTERS - widths[0], WIDE_CHARACTERS // 2)
    found: list[list[int]] = [[0]]
    used = 0
    for column in range(1, columns):
        if used + widths[column] > room and len(found[-1]) > 1:
            found.append([0])
            used = 0
        found[-1].append(column)
        used += widths[column]
    return found


def _width(rows: Sequence[Sequence[str]], column: int) -> int:
    """Characters that the column takes with its separator: its first row's, or the others' mean if that is more."""
    lengths = [len(row[column]) if column < len(row) else 0 for row in rows]
    return 3 + max(lengths[0], sum(lengths[1:]) // max(len(lengths) - 1, 1))
