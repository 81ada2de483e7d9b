"""Owns tables that are drawn: rules around their cells say what is a row, a column, and a cell over several of them."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from embedmill.workers.parsing.pdf.drawings import Drawings, Rule
from embedmill.workers.parsing.pdf.hyphens import DocumentWords
from embedmill.workers.parsing.pdf.lines import Line, LineCell
from embedmill.workers.parsing.pdf.tables import Part, PdfTable, Row, count_heads, join_cells, without_wraps

NEAR = 3.0
"""Points: rules that are nearer touch or are one."""
MOST_CROSSINGS = 200_000
"""Of level and upright rules: a page with more is a drawing."""
MOST_WORK = 5_000_000
"""Comparisons of a table's cells with its rules: a grid with more is a drawing."""
WORDS_OF_CELL = 40
"""Words that a cell has on average, at the most: boxes with more are the page's layout."""
FEW_BANDS = 3
CROWDED = 3
"""A table of few bands between level rules has no rules between its rows, if there are so many lines in a band."""


@dataclass(slots=True)
class RuledGrid:
    """The rules of one table: `columns` from left to right, `rows` from top to bottom, and all its pieces of rules."""

    columns: list[float]
    rows: list[float]
    level: list[Rule]
    upright: list[Rule]

    def holds(self, line: Line) -> bool:
        middle = line.base + line.size / 4
        across = (line.left + line.right) / 2
        return self.rows[-1] < middle < self.rows[0] and self.columns[0] - NEAR < across < self.columns[-1] + NEAR


def with_ruled_tables(parts: Sequence[Line], drawings: Drawings, words: DocumentWords) -> list[Part]:
    """The lines, and in their place the tables whose rules lie around them."""
    found: list[Part] = list(parts)
    for grid in map(partial(_with_open_band, found), find_grids(drawings)):
        inside = [part for part in found if isinstance(part, Line) and grid.holds(part)]
        if inside and (table := _table(grid, inside, words)):
            first = next(at for at, part in enumerate(found) if part is inside[0])
            chosen = set(map(id, inside))
            found[first] = table
            found = [part for part in found if id(part) not in chosen]
    return found


def _with_open_band(parts: Sequence[Part], grid: RuledGrid) -> RuledGrid:
    """The grid with a row above its first level rule, where an upright one goes on and something stands there."""
    top = max(rule.end for rule in grid.upright)
    if top <= grid.rows[0] + NEAR:
        return grid
    opened = RuledGrid(grid.columns, [top, *grid.rows], grid.level, grid.upright)
    is_used = any(isinstance(part, Line) and opened.holds(part) and not grid.holds(part) for part in parts)
    return opened if is_used else grid


def find_grids(drawings: Drawings) -> Iterator[RuledGrid]:
    """Rules that touch one another and form at least two columns and two rows."""
    if not drawings.upright or len(drawings.level) * len(drawings.upright) > MOST_CROSSINGS:
        return
    for level, upright in _touching(drawings.level, drawings.upright):
        outer = min(rule.start for rule in level), max(rule.end for rule in level)
        columns = _merged([*(rule.at for rule in upright), *outer])
        rows = _merged([*(rule.at for rule in level), *_shared_ends(upright)])[::-1]
        work = len(columns) * len(rows) * max(len(level), len(upright))
        if len(columns) > 2 and len(rows) > 1 and work < MOST_WORK:
            yield RuledGrid(columns, rows, level, upright)


def _touching(level: Sequence[Rule], upright: Sequence[Rule]) -> Iterator[tuple[list[Rule], list[Rule]]]:
    """Level and upright rules in groups that hang together."""
    groups = _Groups(len(level) + len(upright))
    order = sorted(range(len(level)), key=lambda other: level[other].at)
    heights = [level[other].at for other in order]
    for number, rule in enumerate(upright, start=len(level)):
        reached = bisect_left(heights, rule.start - NEAR), bisect_right(heights, rule.end + NEAR)
        for other in order[slice(*reached)]:
            if level[other].start - NEAR <= rule.at <= level[other].end + NEAR:
                groups.unite(number, other)
    for rules, first in ((level, 0), (upright, len(level))):
        for one, other in _continued(rules):
            groups.unite(first + one, first + other)
    members: dict[int, tuple[list[Rule], list[Rule]]] = defaultdict(lambda: ([], []))
    for number, rule in enumerate([*level, *upright]):
        members[groups.of(number)][number >= len(level)].append(rule)
    yield from (group for group in members.values() if all(group))


def _continued(rules: Sequence[Rule]) -> Iterator[tuple[int, int]]:
    """Pairs of rules, by number, of which one goes on where the other ends."""
    order = sorted(range(len(rules)), key=lambda number: (round(rules[number].at), rules[number].start))
    for one, other in pairwise(order):
        if abs(rules[one].at - rules[other].at) <= NEAR and rules[other].start <= rules[one].end + NEAR:
            yield one, other


class _Groups:
    """Numbers that are united, as a forest."""

    def __init__(self, count: int) -> None:
        self._above = list(range(count))

    def of(self, number: int) -> int:
        while self._above[number] != number:
            self._above[number] = self._above[self._above[number]]
            number = self._above[number]
        return number

    def unite(self, one: int, other: int) -> None:
        self._above[self.of(one)] = self.of(other)


def _shared_ends(upright: Sequence[Rule]) -> Iterator[float]:
    """Where upright rules at several places end: pieces of them, drawn row by row, tell rows without level rules."""
    ends: dict[int, set[int]] = defaultdict(set)
    for rule in upright:
        for end in (rule.start, rule.end):
            ends[round(end)].add(round(rule.at))
    yield from (end for end, places in ends.items() if len(places) > 1)


def _merged(places: Iterable[float]) -> list[float]:
    """Ascending places, of those that are near one another the first."""
    merged: list[float] = []
    for place in sorted(places):
        if not merged or place - merged[-1] > NEAR:
            merged.append(place)
    return merged


def _table(grid: RuledGrid, lines: Sequence[Line], words: DocumentWords) -> PdfTable | None:
    cells = _fill(grid, lines)
    if not _is_oblong(grid, cells):
        return None
    distinct = {id(held): held for held in cells.values() if held}.values()
    texts = [join_cells(held, words) for held in distinct]
    if len(texts) < 2 or sum(len(text.split()) for text in texts) > WORDS_OF_CELL * len(texts):
        return None
    bands = range(len(grid.rows) - 1)
    rows = [row for band in bands for row in _rows_of_band(grid, cells, band, lines) if any(row.cells)]
    if not any(sum(row.is_filled) > 1 for row in rows):
        return None
    told = [row.texts(words) for row in rows]
    return PdfTable(told, count_heads(told, [row.bold for row in rows]))


def _fill(grid: RuledGrid, lines: Sequence[Line]) -> dict[int, list[LineCell]]:
    """The lines of each cell, by its number row by row; what cells share that no rule parts stands in the first."""
    groups = _spans(grid)
    width = len(grid.columns) - 1
    held: dict[int, list[LineCell]] = defaultdict(list)
    for line in sorted(lines, key=lambda line: -line.base):
        band = _place([-row for row in grid.rows], -(line.base + line.size / 4))
        for cell in line.cells:
            column = _place(grid.columns, (cell.left + cell.right) / 2)
            held[groups.of(band * width + column)].append(cell)
    return {number: held[groups.of(number)] for number in range(width * (len(grid.rows) - 1))}


def _is_oblong(grid: RuledGrid, cells: dict[int, list[LineCell]]) -> bool:
    """Whether every cell that is filled is a rectangle; between the lines of a chart it is none."""
    width = len(grid.columns) - 1
    places: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for number, held in cells.items():
        if held:
            places[id(held)].append(divmod(number, width))
    return all(
        len(own) == len({band for band, _ in own}) * len({column for _, column in own}) for own in places.values()
    )


def _place(edges: Sequence[float], at: float) -> int:
    """The number of the gap between ascending edges in which a place lies, or of the nearest."""
    return min(max(bisect_right(edges, at) - 1, 0), len(edges) - 2)


def _spans(grid: RuledGrid) -> _Groups:
    """Cells that no rule parts are united."""
    width, height = len(grid.columns) - 1, len(grid.rows) - 1
    groups = _Groups(width * height)
    for band in range(height):
        middle = (grid.rows[band] + grid.rows[band + 1]) / 2
        for column in range(width - 1):
            if not _stands(grid.upright, grid.columns[column + 1], middle):
                groups.unite(band * width + column + 1, band * width + column)
    for column in range(width):
        middle = (grid.columns[column] + grid.columns[column + 1]) / 2
        for band in range(height - 1):
            if _is_ruled(grid, band) and not _stands(grid.level, grid.rows[band + 1], middle):
                groups.unite((band + 1) * width + column, band * width + column)
    return groups


def _is_ruled(grid: RuledGrid, band: int) -> bool:
    """Whether there is a level rule below a band, so that it is missing where a cell reaches over it."""
    return any(abs(rule.at - grid.rows[band + 1]) <= NEAR for rule in grid.level)


def _stands(rules: Sequence[Rule], at: float, along: float) -> bool:
    return any(abs(rule.at - at) <= NEAR and rule.start <= along <= rule.end for rule in rules)


def _rows_of_band(grid: RuledGrid, cells: dict[int, list[LineCell]], band: int, lines: Sequence[Line]) -> list[Row]:
    """What lies between two level rules: a row, or several where the table has no rules between its rows."""
    width = len(grid.columns) - 1
    inside = [line for line in lines if grid.rows[band + 1] < line.base + line.size / 4 < grid.rows[band]]
    bold = bool(inside) and all(line.bold for line in inside)
    rows = _rows_by_base(grid, inside) if len(grid.rows) - 1 <= FEW_BANDS else []
    if sum(bool(row.cells[0]) for row in rows) >= CROWDED:
        return without_wraps(rows, [])
    return [Row(grid.rows[band], 0.0, [cells[band * width + column] for column in range(width)], bold)]


def _rows_by_base(grid: RuledGrid, lines: Sequence[Line]) -> list[Row]:
    """Lines at one height are one row."""
    rows: list[Row] = []
    for line in sorted(lines, key=lambda line: -line.base):
        if not rows or rows[-1].base - line.base > NEAR:
            rows.append(Row(line.base, line.size, [[] for _ in grid.columns[1:]], line.bold))
        rows[-1].bold = rows[-1].bold and line.bold
        for cell in line.cells:
            rows[-1].cells[_place(grid.columns, (cell.left + cell.right) / 2)].append(cell)
    return rows
