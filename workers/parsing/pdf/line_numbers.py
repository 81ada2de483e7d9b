"""Owns numbers of lines in a page's margin, as courts, editors and listings set them: they count and are no text."""

from collections.abc import Container, Iterable, Sequence
from itertools import pairwise

from embedmill.workers.parsing.pdf.drawings import Rule
from embedmill.workers.parsing.pdf.lines import Line, LineCell

ENOUGH = 5
"""Numbers that count line by line, at the least."""
EVERY = frozenset({2, 3, 5, 10})
"""Steps in which others count; so many lines lie between two."""
SAME_EDGE = 2.0
"""Points: numbers whose left or right edges differ less stand below one another."""
PROSE = 0.6
"""Of the lines beside them: so many fill their column and go on in the next, or the numbers are those of items."""
LONGEST = 4
FULL = 0.8
"""Of the column's width."""

_ENDS = (".", "!", "?", ":", ";")


def without_line_numbers(lines: list[Line], level: Sequence[Rule]) -> list[Line]:
    """The lines without numbers that count them; `level` are the page's rules, which tables have."""
    found = [line for line in lines if line.cells[0].text.isdecimal() and len(line.cells[0].text) <= LONGEST]
    if len(found) < 2:
        return lines
    for numbers in (_aligned(found, "right"), _aligned(found, "left")):
        counted = set(map(id, numbers))
        others = [cells for line in lines if (cells := _without(line, counted))]
        if len(numbers) > 1 and others and _count_lines(numbers, others) and not _are_ruled(numbers, level):
            return [_bare(line) if id(line) in counted else line for line in lines if _without(line, counted)]
    return lines


def _aligned(lines: Sequence[Line], edge: str) -> list[Line]:
    """The most lines whose numbers stand below one another, from above."""
    groups: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: float(getattr(line.cells[0], edge))):
        if groups and getattr(line.cells[0], edge) - getattr(groups[-1][0].cells[0], edge) < SAME_EDGE:
            groups[-1].append(line)
        else:
            groups.append([line])
    most = max(groups, key=len)
    return sorted(most, key=lambda line: -line.base)


def _without(line: Line, counted: Container[int]) -> Sequence[LineCell]:
    """The cells of a line but the number that counts it; `counted` are the ids of lines with one."""
    return line.cells[1:] if id(line) in counted else line.cells


def _bare(line: Line) -> Line:
    return line.part(line.cells[1:])


def _count_lines(numbers: Sequence[Line], others: Sequence[Sequence[LineCell]]) -> bool:
    values = [int(line.cells[0].text) for line in numbers]
    steps = {other - one for one, other in pairwise(values)}
    edge = max(line.cells[0].right for line in numbers)
    beside = [cells for cells in others if cells[0].left > edge]
    if len(steps) != 1 or len(beside) < FULL * len(others):
        return False
    (step,) = steps
    if step == 1:
        return len(numbers) >= ENOUGH and _is_prose(beside)
    return step in EVERY and values[0] <= step and abs(len(beside) - step * len(numbers)) < step


def _is_prose(lines: Sequence[Sequence[LineCell]]) -> bool:
    left, right = min(cells[0].left for cells in lines), max(cells[-1].right for cells in lines)
    full = sum(cells[-1].right - left > FULL * (right - left) for cells in lines)
    going_on = sum(not cells[-1].text.endswith(_ENDS) for cells in lines)
    return min(full, going_on) > PROSE * len(lines)


def _are_ruled(numbers: Sequence[Line], level: Iterable[Rule]) -> bool:
    """Whether rules part the numbers, as they do rows."""
    top, bottom = numbers[0].base, numbers[-1].base
    place = numbers[0].cells[0].left
    return any(bottom < rule.at < top and rule.start <= place <= rule.end for rule in level)
