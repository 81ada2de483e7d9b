"""Owns code: lines in a fixed-width font, told with the blanks that their places stand for."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import median

from embedmill.workers.parsing.pdf.lines import Line, from_place
from embedmill.workers.parsing.pdf.tables import Part

EMPTY_LINE = 1.7
"""Of the usual distance of lines: farther apart, an empty line is between."""
FARTHEST = 4.0
"""Of a line's height: lines that are farther apart are not one listing."""


def code_from(parts: Sequence[Part], at: int) -> list[Line]:
    """The lines of code from here on; empty where there is none."""
    first = parts[at]
    if not isinstance(first, Line) or not first.fixed:
        return []
    return list(_listing(from_place(parts, at)))


def _listing(parts: Iterator[Part]) -> Iterator[Line]:
    before: Line | None = None
    for part in parts:
        if not isinstance(part, Line) or not part.fixed or part.alone:
            return
        if before and not 0 < before.base - part.base < FARTHEST * part.size:
            return
        yield part
        before = part


def written(lines: Sequence[Line]) -> str:
    """The lines as they stand in a file."""
    left = min(line.left for line in lines)
    width = _character_width(lines)
    gaps = [above.base - line.base for above, line in pairwise(lines)]
    usual = sorted(gaps)[len(gaps) // 3] if gaps else 0.0
    text = _written_line(lines[0], left, width)
    for gap, line in zip(gaps, lines[1:], strict=True):
        text += ("\n\n" if gap > EMPTY_LINE * usual else "\n") + _written_line(line, left, width)
    return text


def _character_width(lines: Sequence[Line]) -> float:
    cells = [cell for line in lines for cell in line.cells if cell.text]
    return median((cell.right - cell.left) / len(cell.text) for cell in cells) or 1.0


def _written_line(line: Line, left: float, width: float) -> str:
    text = ""
    for cell in line.cells:
        column = round((cell.left - left) / width)
        text += " " * max(column - len(text), 1 if text else 0) + cell.text
    return text.replace("\ufffe", "-").replace("\x02", "-")
