"""Owns tables that are drawn column by column, as some reports are: their cells are put into lines again."""

from collections.abc import Iterator, Sequence
from statistics import mean

from embedmill.workers.parsing.pdf.lines import Line, from_place
from embedmill.workers.parsing.pdf.tables import NUMBER

FARTHEST = 2.6
"""Of a line's height: cells of the first column, which all rows have, are no farther apart."""
SAME = 0.15
"""Of a line's height: places that differ less are one."""
FEWEST = 3
"""Rows, with the names of the columns."""
WORDS = 3
"""Words of a cell on average, at the most: columns with more are running text."""


def with_columnwise_rows(lines: list[Line]) -> list[Line]:
    """The lines, with one for each row of such a table."""
    found: list[Line] = []
    at = 0
    while at < len(lines):
        keys = list(_first(lines, at))
        at += len(keys)
        above = _above(keys, lines[at]) if at < len(lines) else 0
        columns = _columns(keys[above:], lines, at)
        if _is_table(columns):
            found += [*keys[:above], *_rows(columns)]
            at += sum(map(len, columns[1:]))
        else:
            found += keys or lines[at : at + 1]
            at += not keys
    return found


def _above(keys: Sequence[Line], following: Line) -> int:
    """How many of the lines stand above the one at whose height the next column begins."""
    return next((number for number, key in enumerate(keys) if abs(key.base - following.base) < SAME * key.size), 0)


def _columns(keys: list[Line], lines: Sequence[Line], at: int) -> list[list[Line]]:
    """The cells of the first column, and beside them those that are drawn next, at the same heights."""
    columns = [keys]
    while len(keys) >= FEWEST and (column := list(_beside(lines, at, columns))):
        columns.append(column)
        at += len(column)
    return columns


def _first(lines: Sequence[Line], at: int) -> Iterator[Line]:
    before: Line | None = None
    for line in from_place(lines, at):
        if len(line.cells) > 1 or line.fixed or line.alone or line.backward:
            return
        size = line.size
        if before and not (0 < before.base - line.base < FARTHEST * size and abs(size - before.size) <= SAME * size):
            return
        if before and abs(line.cells[0].left - before.cells[0].left) > size:
            return
        yield line
        before = line


def _beside(lines: Sequence[Line], at: int, columns: Sequence[Sequence[Line]]) -> Iterator[Line]:
    """The column that begins at the height of the first one's first cell, to the right of all before."""
    right = max(line.right for column in columns for line in column)
    heights = [line.base for line in columns[0]]
    slack = SAME * columns[0][0].size
    before: Line | None = None
    for line in from_place(lines, at):
        if len(line.cells) > 1 or line.left <= right or not any(abs(line.base - height) < slack for height in heights):
            return
        if abs(line.base - heights[0]) > slack if before is None else line.base >= before.base:
            return
        yield line
        before = line


def _is_table(columns: Sequence[Sequence[Line]]) -> bool:
    """Whether one column has a name over numbers, and all have few words: columns of a page have neither."""
    if len(columns) < 2 or len(columns[-1]) < 2:
        return False
    is_measured = any(len(column) > 1 and all(NUMBER.match(line.text) for line in column[1:]) for column in columns[1:])
    return is_measured and mean(line.text.count(" ") + 1 for column in columns for line in column) <= WORDS


def _rows(columns: Sequence[Sequence[Line]]) -> Iterator[Line]:
    for key in columns[0]:
        row = [line for column in columns for line in column if abs(line.base - key.base) < SAME * key.size]
        whole = key.part([cell for line in row for cell in line.cells])
        whole.bold = all(line.bold for line in row)
        yield whole
