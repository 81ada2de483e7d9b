"""Owns lists whose numbers have no dots, as ReportLab sets them: they count, and texts begin below one another."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from embedmill.workers.parsing.numerals import numeral
from embedmill.workers.parsing.pdf.lines import Line
from embedmill.workers.parsing.pdf.markers import has_leaders
from embedmill.workers.parsing.pdf.tables import NUMBER, Part

FARTHEST = 3.0
"""Of a line's height: a text that stands farther from its number is a cell of a table."""
SLACK = 0.3
"""Of a line's height: texts that begin so near to one place begin there."""
_COUNTER = re.compile(r"\d{1,3}|[a-zA-Z]|[ivxl]{1,7}|[IVXL]{1,7}")
_STYLES = ("decimal", "letters", "LETTERS", "roman", "ROMAN")


@dataclass(slots=True)
class _CountedList:
    style: str
    lines: list[Line] = field(default_factory=list)

    @property
    def left(self) -> float:
        return self.lines[0].cells[1].left

    def takes(self, line: Line) -> bool:
        if self.takes_wide(line):
            return True
        near = len(line.cells) == 2 and abs(line.cells[1].left - self.left) <= SLACK * line.size
        return near and line.cells[0].text == self._next

    def takes_wide(self, line: Line) -> bool:
        """Whether it is the next item, whose number is so wide that no gap parts it from its text."""
        near = len(line.cells) == 1 and abs(line.left - self.lines[0].left) <= SLACK * line.size
        return near and len(self._next) > 1 and line.text.startswith(f"{self._next} ")

    @property
    def _next(self) -> str:
        return numeral(len(self.lines) + 1, self.style)

    def holds(self, line: Line) -> bool:
        """Whether a line stands below the text of an item."""
        return line.left >= self.left - SLACK * line.size

    def mark(self, usual: float) -> None:
        """One item is no list. A short line has the usual size all the same where its number is larger."""
        for line in self.lines if len(self.lines) > 1 else ():
            counter, blank, text = line.cells[0].text.partition(" ")
            line.cells[0].text = f"{counter}.{blank}{text}"
            line.size = min(line.size, usual)


def mark_counters(parts: Sequence[Part]) -> None:
    """Puts a dot behind the counters of lists, by which they are known as markers."""
    usual = median([part.size for part in parts if isinstance(part, Line)] or [0.0])
    opened: list[_CountedList] = []
    ended: list[_CountedList] = []
    before: Part | None = None
    for part in parts:
        if isinstance(part, Line) and (_is_counted(part) or any(each.takes_wide(part) for each in opened)):
            ended += _take(opened, part, before)
        else:
            ended += _close(opened, part)
        before = part
    for each in (*ended, *opened):
        each.mark(usual)


def _take(opened: list[_CountedList], line: Line, before: Part | None) -> list[_CountedList]:
    """The line goes on with an open list, ends those deeper than it, which are returned, or begins one."""
    ended = []
    while opened and not opened[-1].takes(line) and not opened[-1].holds(line):
        ended.append(opened.pop())
    if opened and opened[-1].takes(line):
        opened[-1].lines.append(line)
    elif len(line.cells) == 2 and (style := _first_of(line.cells[0].text)) and not _heads(before, line):
        opened.append(_CountedList(style, [line]))
    return ended


def _close(opened: list[_CountedList], part: Part) -> list[_CountedList]:
    """The lists that end before a part. What has more cells belongs to a table, and so did the rows before it."""
    ended = []
    while opened and not (isinstance(part, Line) and opened[-1].holds(part)):
        ended.append(opened.pop())
    return [] if isinstance(part, Line) and len(part.cells) > 2 else ended


def _is_counted(line: Line) -> bool:
    if len(line.cells) != 2 or line.fixed or line.backward or has_leaders(line.text):
        return False
    counter, text = line.cells
    near = counter.right < text.left < counter.right + FARTHEST * line.size
    return near and _COUNTER.fullmatch(counter.text) is not None and not NUMBER.match(text.text)


def _first_of(counter: str) -> str | None:
    return next((style for style in _STYLES if numeral(1, style) == counter), None)


def _heads(before: Part | None, line: Line) -> bool:
    """Whether the line before has cells of its own, as the names of columns are."""
    return isinstance(before, Line) and len(before.cells) > 1 and not _is_counted(before) and before.base > line.base
