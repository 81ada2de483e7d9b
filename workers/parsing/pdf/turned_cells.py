"""Owns text that is turned upward or downward within the cells of a drawn table, as names of narrow columns are."""

import math
from collections.abc import Iterator

from embedmill.workers.parsing.pdf.lines import Line, LineCell
from embedmill.workers.parsing.pdf.pages import PdfPage
from embedmill.workers.parsing.pdf.ruled import RuledGrid, find_grids

RIGHT_ANGLE = 0.1
"""Radians: text that is turned by so much more or less than a quarter stands in no cell."""
ASCENT = 0.8
"""Of a line's height: so much of it lies above its baseline."""


def with_turned_cells(page: PdfPage) -> list[Line]:
    """The page's lines, and those of its turned text that stand in a table, as if they were upright; they leave it."""
    if not page.turned or not page.drawings.upright:
        return page.lines
    grids = list(find_grids(page.drawings))
    found: list[Line] = []
    for lines, angle in zip(page.turned, page.angles, strict=True):
        if grids and abs(math.cos(angle)) < RIGHT_ANGLE:
            inside = list(_inside(lines, grids, is_upward=math.sin(angle) > 0))
            taken = {id(line) for line, _ in inside}
            lines[:] = [line for line in lines if id(line) not in taken]
            found += [upright for _, upright in inside]
    return page.lines + found


def _inside(lines: list[Line], grids: list[RuledGrid], *, is_upward: bool) -> Iterator[tuple[Line, Line]]:
    for line in lines:
        upright = _upright(line, is_upward=is_upward)
        if any(grid.holds(upright) for grid in grids):
            yield line, upright


def _upright(line: Line, *, is_upward: bool) -> Line:
    """A line at the same place, with its middle in the middle of it."""
    middle = (line.left + line.right) / 2 * (1 if is_upward else -1)
    place = -line.base if is_upward else line.base
    left = place - (ASCENT if is_upward else 1 - ASCENT) * line.size
    return Line([LineCell(left, left + line.size, line.text)], middle - line.size / 4, line.size, bold=line.bold)
