"""Owns which lines of a page belong together: whether a line goes on with a paragraph, and what opens an item."""

import re
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from embedmill.workers.parsing.pdf.hyphens import HYPHENS
from embedmill.workers.parsing.pdf.lines import Line
from embedmill.workers.parsing.pdf.markers import BOXES, BULLETS, MARKER
from embedmill.workers.parsing.pdf.tables import Part
from embedmill.workers.parsing.pdf.words import Box

APART = 1.3
"""Of the usual distance of lines: farther apart is a new paragraph."""
FARTHEST = 2.3
"""Of a line's height: lines of one paragraph are never farther apart."""
WIDE = 1.6
"""Of a line's height: lines so far apart are one paragraph only where each ends for want of room."""
INDENT = 0.8
"""Of a line's height: so much farther right a first line begins."""
SHIFTED = 2.0
"""Of a line's height: lines that begin so far from each other are one paragraph only for want of room, too."""
SHORT = 0.85
"""Of a column's width: a shorter line that ends a sentence ends its paragraph."""
OTHER_SIZE = 0.12
FEW = 5
"""Lines of a page that do not tell how wide its column is; nor do more, if they are all so short a part of it:"""
TOLD = 0.6
NEIGHBOURS = 12
"""Lines before and behind that tell how wide a column is."""

_STAR = "* "
"""One alone is the mark of a footnote."""
_ENDS = frozenset(".!?:;\u3002\uff01\uff1f")
_CLOSING = "'\")]\u201d\u2019"


def _ends_sentence(text: str) -> bool:
    return text.rstrip(_CLOSING)[-1:] in _ENDS


class Paragraphs:
    """Judges the lines of one page by their distances and by the column in which they stand."""

    def __init__(self, parts: Sequence[Part], box: Box) -> None:
        """`box` is the page's visible one."""
        self._lines = [part for part in parts if isinstance(part, Line)]
        self._place = {id(line): number for number, line in enumerate(self._lines)}
        self._has_starred_items = sum([line.text.startswith(_STAR) for line in self._lines]) > 1
        self._spans = [(line.left, line.right) for line in self._lines]
        gaps = [above.base - line.base for above, line in pairwise(self._lines) if _is_below(above, line)]
        self._leading = median(gaps) if gaps else 0.0
        self._edge = _right_edge(self._lines, box)

    def goes_on(self, before: Line, line: Line) -> bool:
        """Whether the paragraph of the line before goes on with this one."""
        if (
            line.cells[0].text[0] in BOXES
            or before.alone
            or line.alone
            or abs(before.size - line.size) > OTHER_SIZE * max(before.size, line.size)
        ):
            return False
        ended = _ends_sentence(before.text)
        if before.bold != line.bold and ended:
            return False
        gap = before.base - line.base
        if gap <= 0:
            return before.bold == line.bold and (not ended or before.text[-1] in HYPHENS)
        if gap > min(APART * (self._leading or FARTHEST * line.size), FARTHEST * line.size):
            return False
        if (gap > WIDE * line.size or _is_shifted(before, line)) and self.had_room(before, line):
            return False
        return not (ended and (self._is_indented(before, line) or self._is_short(before)))

    def opens_item(self, line: Line, before: Line | None, *, in_item: bool) -> "re.Match[str] | None":
        """The marker that begins the line, if it is one; a number at the beginning of any line is none."""
        found = MARKER.match(f"{line.text} ")
        if not found or (found["bullet"] and found["bullet"] in BULLETS):
            return found
        if found[0].startswith(_STAR) and not (in_item or self._has_starred_items):
            return None
        if before is None or in_item or not self.goes_on(before, line):
            return found
        in_text = not _ends_sentence(before.text) and line.left < before.left + INDENT * line.size
        return None if in_text else found

    def is_set_in(self, line: Line) -> bool:
        """Whether the line begins farther right than its column."""
        return line.left > self._column(line)[0] + INDENT / 2 * line.size

    def had_room(self, before: Line, line: Line) -> bool:
        """Whether the next line's first word had room in the line before, up to the edge of its column."""
        if before.backward != line.backward:
            return True
        cell = line.cells[0]
        first = cell.text.partition(" ")[0]
        width = (cell.right - cell.left) * (len(first) + 1) / max(len(cell.text), 1)
        left, right = self._column(before)
        if line.backward:
            return before.left - width > left
        is_told = len(self._lines) > FEW and right - left > TOLD * (self._edge - left)
        return before.right + width < (right if is_told else max(right, self._edge))

    def _is_indented(self, before: Line, line: Line) -> bool:
        left, _ = self._column(line)
        return line.left > max(before.left, left) + INDENT * line.size

    def _is_short(self, line: Line) -> bool:
        left, right = self._column(line)
        if line.backward:
            return right - line.left < SHORT * (right - left)
        return line.right - left < SHORT * (right - left)

    def _column(self, line: Line) -> tuple[float, float]:
        """Where lines around this one begin and end."""
        at = self._place[id(line)]
        left, right = self._spans[at]
        around = self._spans[max(at - NEIGHBOURS, 0) : at + NEIGHBOURS]
        column = [span for span in around if span[0] < right and span[1] > left]
        return min([span[0] for span in column]), max([span[1] for span in column])


def _right_edge(lines: Sequence[Line], box: Box) -> float:
    """Where the text of a page of one column ends, if its margins are alike; 0 where there are more columns."""
    left = min([line.left for line in lines], default=0.0)
    is_one = all(line.left < (box[0] + box[2]) / 2 for line in lines)
    return box[2] - (left - box[0]) if is_one else 0.0


def _is_shifted(before: Line, line: Line) -> bool:
    """Whether a line begins far from where the one before it begins, and is not centred below it."""
    is_far = abs(line.left - before.left) > SHIFTED * line.size
    return is_far and abs(line.left + line.right - before.left - before.right) > 2 * line.size


def _is_below(above: Line, line: Line) -> bool:
    alike = abs(above.size - line.size) <= OTHER_SIZE * above.size
    return alike and 0 < above.base - line.base < FARTHEST * line.size
