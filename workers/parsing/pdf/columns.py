"""Owns reading order: pdfium gives a page in the order of its content, which stays but where evidence is against it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

from embedmill.workers.parsing.pdf.drawings import Rule
from embedmill.workers.parsing.pdf.lines import Line, LineCell
from embedmill.workers.parsing.pdf.markers import BULLETS, MARKER, is_marker

COLUMN_LINES = 6
"""Lines with text on both sides of a gap that two columns have at the least."""
COLUMN_WORDS = 4
"""Words that a column's line has on average, at the least: cells of tables have fewer."""
RISING_SHARE = 0.8
"""Of the steps from line to line: a page that goes up so often is told from its end."""
RISING_LINES = 3
DEEPEST = 4
MOST_LINES = 300
"""That are looked at together."""
MOST_ATTEMPTS = 200
"""Of a page: lines with gaps that are no columns may be many."""
MARKER_GAP = 3.0
"""Of a line's height: an item's text is no farther from its marker."""
FARTHEST = 2.6
"""Of a line's height: the next line of a column lies no farther below."""


def in_order(lines: list[Line], level: Sequence[Rule]) -> list[Line]:
    """The lines as they are read. `level` are the page's rules, which tables have and columns have not."""
    return _columns_apart(_downward(_with_markers(lines)), level, DEEPEST)


def _with_markers(lines: list[Line]) -> list[Line]:
    """Bullets and numbers of items that are drawn after the text join the lines before which they stand."""
    if not any(_is_marker(line) for line in lines):
        return lines
    heights: dict[int, list[Line]] = defaultdict(list)
    for line in lines:
        heights[round(line.base)].append(line)
    kept: list[Line] = []
    for line in lines:
        near = (other for height in (-1, 0, 1) for other in heights[round(line.base) + height])
        owner = _owner(line, near) if _is_marker(line) else None
        if owner:
            owner.cells.insert(0, line.cells[0])
        else:
            kept.append(line)
    return kept


def _is_marker(line: Line) -> bool:
    return len(line.cells) == 1 and is_marker(line.text)


def _owner(marker: Line, lines: Iterable[Line]) -> Line | None:
    """The line at the marker's height that begins nearest behind it."""
    farthest = marker.size * MARKER_GAP
    beside = [
        line
        for line in lines
        if line is not marker
        and abs(line.base - marker.base) < marker.size / 4
        and -marker.size / 4 < line.left - marker.right < farthest
    ]
    return min(beside, key=lambda line: line.left, default=None)


def _downward(lines: list[Line]) -> list[Line]:
    """Some programs write a page from its last line to its first."""
    steps = [below.base - line.base for line, below in pairwise(lines)]
    if len(steps) + 1 >= RISING_LINES and sum(step > 0 for step in steps) > RISING_SHARE * len(steps):
        return sorted(lines, key=lambda line: (-line.base, line.left))
    return lines


def _columns_apart(lines: list[Line], level: Sequence[Rule], depth: int) -> list[Line]:
    """Lines that are drawn across two columns are told column by column."""
    ordered: list[Line] = []
    start = attempts = 0
    while start < len(lines):
        is_tried = depth and attempts < MOST_ATTEMPTS and len(lines[start].cells) > 1
        end, gap = _columns_at(lines, start, level) if is_tried else (start, 0.0)
        attempts += bool(is_tried) and end == start
        if end > start:
            for side in _sides(lines[start:end], gap):
                ordered += _columns_apart(side, level, depth - 1)
            start = end
        else:
            ordered.append(lines[start])
            start += 1
    return ordered


def _columns_at(lines: list[Line], start: int, level: Sequence[Rule]) -> tuple[int, float]:
    """Where two columns that begin with this line end, and the middle of the gap between them; `start` for none."""
    best = start, 0.0
    for left, right in pairwise(lines[start].cells):
        low, high, end, both = left.right, right.left, start, 0
        while end < min(len(lines), start + MOST_LINES) and (narrowed := _narrowed(lines, end, start, low, high)):
            low, high = narrowed
            both += _is_on_both_sides(lines[end], low, high)
            end += 1
        middle = (low + high) / 2
        is_listed = _begins_item(left) and _begins_item(right)
        enough = 1 if is_listed else COLUMN_LINES
        if both >= enough and end > best[0] and _are_columns(lines[start:end], middle, level, is_listed=is_listed):
            best = end, middle
    return best


def _narrowed(lines: list[Line], at: int, start: int, low: float, high: float) -> tuple[float, float] | None:
    """The gap from `low` to `high` as far as one line more leaves it open; None where the line crosses it."""
    line = lines[at]
    if at > start and not 0 < lines[at - 1].base - line.base < FARTHEST * line.size:
        return None
    for cell in line.cells:
        middle = (cell.left + cell.right) / 2
        if middle < (low + high) / 2:
            low = max(low, cell.right)
        else:
            high = min(high, cell.left)
    return (low, high) if high - low >= 0.5 * line.size else None


def _is_on_both_sides(line: Line, low: float, high: float) -> bool:
    return line.cells[0].right <= low and line.cells[-1].left >= high


def _begins_item(cell: LineCell) -> bool:
    """Whether a bullet and a text stand in a cell."""
    return cell.text[0] in BULLETS and MARKER.match(cell.text) is not None


def _are_columns(lines: Sequence[Line], gap: float, level: Sequence[Rule], *, is_listed: bool) -> bool:
    """Whether both sides are running text, or lists, and no rule crosses the gap."""
    top, bottom = lines[0].base, lines[-1].base
    if any(rule.start < gap < rule.end and bottom <= rule.at <= top for rule in level):
        return False
    if is_listed:
        return True
    left = [cell for line in lines for cell in line.cells if cell.right <= gap]
    right = [cell for line in lines for cell in line.cells if cell.right > gap]
    return all(sum(cell.text.count(" ") + 1 for cell in side) >= COLUMN_WORDS * len(side) for side in (left, right))


def _sides(lines: Sequence[Line], gap: float) -> tuple[list[Line], list[Line]]:
    left, right = [], []
    for line in lines:
        before = [cell for cell in line.cells if cell.right <= gap]
        behind = [cell for cell in line.cells if cell.right > gap]
        if before:
            left.append(line.part(before))
        if behind:
            right.append(line.part(behind))
    return left, right
