"""Owns rows whose cells are centred on one height and drawn one by one, so that lines of long cells stand above it."""

from collections.abc import Sequence
from statistics import mean, median

from embedmill.workers.parsing.pdf.hyphens import DocumentWords
from embedmill.workers.parsing.pdf.lines import CELL_GAP, Line, LineCell, from_place
from embedmill.workers.parsing.pdf.tables import Part

MOST_LINES = 4
"""Of a cell."""
LEADING = 1.6
"""Of a line's height: lines of one cell are no farther apart."""
SAME_CENTRE = 0.15
"""Of a line's height: centres that differ less are at one height."""

_Cell = list[Line]
"""Lines below one another, or one line, which may have several cells."""


def with_centred_rows(parts: Sequence[Part], words: DocumentWords) -> list[Part]:
    """The parts, with one line for each such row."""
    found: list[Part] = []
    at = 0
    while at < len(parts):
        row = _row(parts, at)
        if row:
            found.append(_as_line(row, words))
            at += sum(map(len, row))
        else:
            found.append(parts[at])
            at += 1
    return found


def _row(parts: Sequence[Part], at: int) -> list[_Cell]:
    """The cells of a row that begins here; none where it is no such row."""
    cells: list[_Cell] = []
    for part in from_place(parts, at):
        if not isinstance(part, Line) or part.fixed or part.alone or part.backward:
            break
        if not cells:
            cells.append([part])
        elif _goes_on(cells[-1], part):
            cells[-1].append(part)
        elif _is_beside(cells[-1], part):
            cells.append([part])
        else:
            break
        if len(cells[-1]) > MOST_LINES:
            return []
    counts = {len(cell) for cell in cells}
    if len(counts) < 2 or 1 not in counts:
        return []
    height, size = _centre(cells[0]), cells[0][0].size
    return cells if all(abs(_centre(cell) - height) < SAME_CENTRE * size for cell in cells) else []


def _goes_on(cell: _Cell, line: Line) -> bool:
    last = cell[-1]
    is_below = 0 < last.base - line.base < LEADING * line.size and len(last.cells) == len(line.cells) == 1
    return is_below and line.left < last.right and line.right > last.left


def _is_beside(cell: _Cell, line: Line) -> bool:
    """Whether a line begins to the right of a cell, at its height."""
    last = cell[-1]
    reach = LEADING * line.size
    is_level = last.base - reach < line.base < cell[0].base + reach
    return is_level and line.left - max(each.right for each in cell) > CELL_GAP * line.size


def _centre(cell: _Cell) -> float:
    return (cell[0].base + cell[-1].base) / 2


def _as_line(row: Sequence[_Cell], words: DocumentWords) -> Line:
    lines = [line for cell in row for line in cell]
    return Line(
        [part for cell in row for part in _parts(cell, words)],
        mean(_centre(cell) for cell in row),
        median(line.size for line in lines),
        bold=all(line.bold for line in lines),
        reach=max(cell[0].base - cell[-1].base for cell in row) / 2,
    )


def _parts(cell: _Cell, words: DocumentWords) -> list[LineCell]:
    if len(cell) == 1:
        return cell[0].cells
    text = words.join_all([line.text for line in cell])
    return [LineCell(min(line.left for line in cell), max(line.right for line in cell), text)]
