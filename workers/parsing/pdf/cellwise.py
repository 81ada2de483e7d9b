"""Owns rows that are drawn cell by cell, whose cells have different numbers of lines: on one height, or from one on."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from embedmill.workers.parsing.pdf.drawings import Rule
from embedmill.workers.parsing.pdf.hyphens import DocumentWords
from embedmill.workers.parsing.pdf.lines import CELL_GAP, Line, LineCell, from_place
from embedmill.workers.parsing.pdf.tables import Part

MOST_LINES = 4
"""Of a cell."""
LEADING = 1.75
"""Of a line's height: lines of one cell are no farther apart."""
SAME_HEIGHT = 0.15
"""Of a line's height: heights that differ less are one."""
RISE = 0.3
"""Of a line's height: so much higher stands the next cell behind the last line of one with several."""
NEAR_RULE = 1.6
"""Of a line's height: so near above and below lie the rules of a row."""
ENOUGH_CELLS = 3
"""With fewer that begin at one height, they are blocks of a letter."""

REACH = 12
"""Parts of a page among which a row shows what it is."""

_Cell = list[Line]
"""Lines below one another."""


def with_cellwise_rows(parts: Sequence[Part], level: Sequence[Rule], words: DocumentWords) -> list[Part]:
    """The parts, with one line for each such row; two `level` rules may enclose it."""
    rising = [number for number, (above, part) in enumerate(pairwise(parts)) if _rises(above, part)]
    found: list[Part] = []
    at = 0
    while at < len(parts):
        is_near = bisect_left(rising, at) < bisect_left(rising, at + REACH)
        cells, taken = _row(parts, at, level) if is_near else ([], 0)
        found.append(_as_line(cells, words) if taken else parts[at])
        at += taken or 1
    return found


def _row(parts: Sequence[Part], at: int, level: Sequence[Rule]) -> tuple[list[_Cell], int]:
    """The cells of a row that begins here, and how many parts it has; 0 where it is no such row."""
    cells: list[_Cell] = []
    taken = 0
    for part in from_place(parts, at):
        if not isinstance(part, Line) or part.fixed or part.alone or part.backward:
            break
        if cells and _goes_on(cells[-1], part):
            cells[-1].append(part)
        elif not cells or _is_beside(cells[-1], part):
            cells += [[part.part([cell])] for cell in part.cells]
        else:
            break
        if len(cells[-1]) > MOST_LINES:
            return [], 0
        taken += 1
    is_risen = any(_rises(parts[number], parts[number + 1]) for number in range(at, at + taken - 1))
    below = parts[at + taken] if at + taken < len(parts) else None
    is_row = is_risen and (_is_row(cells) or _is_enclosed(cells, level) or _stands_over(cells, below))
    return (cells, taken) if is_row else ([], 0)


def _rises(above: Part, part: Part) -> bool:
    """Whether a line begins higher than the one before it, to its right."""
    if not isinstance(part, Line) or not isinstance(above, Line):
        return False
    return part.base - above.base > RISE * part.size and part.left > above.right


def _is_row(cells: Sequence[_Cell]) -> bool:
    counts = {len(cell) for cell in cells}
    if len(counts) < 2 or 1 not in counts:
        return False
    slack = SAME_HEIGHT * cells[0][0].size
    from_one = len(cells) >= ENOUGH_CELLS and _agree([cell[0].base for cell in cells], slack)
    return from_one or _agree([_centre(cell) for cell in cells], slack)


def _stands_over(cells: Sequence[_Cell], below: Part | None) -> bool:
    """Whether bold cells that begin at one height stand over those of the line below, as names of columns do."""
    if len(cells) < ENOUGH_CELLS or not isinstance(below, Line) or len(below.cells) != len(cells):
        return False
    if not all(line.bold for cell in cells for line in cell) or below.base >= min(cell[-1].base for cell in cells):
        return False
    slack = below.size / 2
    pairs = zip(cells, below.cells, strict=True)
    return _agree([cell[0].base for cell in cells], slack) and all(abs(c[0].left - d.left) < slack for c, d in pairs)


def _is_enclosed(cells: Sequence[_Cell], level: Sequence[Rule]) -> bool:
    """Whether rules lie right above and below cells of which one has several lines; where more have, they are rows."""
    if sum(len(cell) > 1 for cell in cells) != 1:
        return False
    lines = [line for cell in cells for line in cell]
    left, right = min(line.left for line in lines), max(line.right for line in lines)
    top, bottom = max(line.base for line in lines), min(line.base for line in lines)
    near = NEAR_RULE * lines[0].size
    long = [rule.at for rule in level if rule.start <= left and right <= rule.end]
    is_open = any(bottom < at < top for at in long)
    return not is_open and any(top < at < top + near for at in long) and any(bottom - near < at < bottom for at in long)


def _agree(heights: Sequence[float], slack: float) -> bool:
    return max(heights) - min(heights) < slack


def _goes_on(cell: _Cell, line: Line) -> bool:
    last = cell[-1]
    is_below = 0 < last.base - line.base < LEADING * line.size and len(line.cells) == 1
    return is_below and line.left < last.right and line.right > last.left


def _is_beside(cell: _Cell, line: Line) -> bool:
    """Whether a line begins to the right of a cell, at its height."""
    reach = LEADING * line.size
    is_level = cell[-1].base - reach < line.base < cell[0].base + reach
    return is_level and line.left - max(each.right for each in cell) > CELL_GAP * line.size


def _centre(cell: _Cell) -> float:
    return (cell[0].base + cell[-1].base) / 2


def _as_line(row: Sequence[_Cell], words: DocumentWords) -> Line:
    lines = [line for cell in row for line in cell]
    tallest = max(row, key=len)
    return Line(
        [_joined(cell, words) for cell in row],
        _centre(tallest),
        median(line.size for line in lines),
        bold=all(line.bold for line in lines),
        reach=(tallest[0].base - tallest[-1].base) / 2,
    )


def _joined(cell: _Cell, words: DocumentWords) -> LineCell:
    if len(cell) == 1:
        return cell[0].cells[0]
    text = words.join_all([line.text for line in cell])
    return LineCell(min(line.left for line in cell), max(line.right for line in cell), text)
