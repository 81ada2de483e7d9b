"""Owns names of columns that a page has before a table's first line of several cells: merged cells of its header."""

from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise

from embedmill.workers.parsing.pdf.drawings import Rule
from embedmill.workers.parsing.pdf.lines import Line, LineCell
from embedmill.workers.parsing.pdf.tables import Part, PdfTable, Row

MOST_LINES = 6
"""Lines of one cell each that may stand before the table."""
NEAR = 1.3
"""Of the distance of rows: a name stands no farther above the next line of the header."""
LEVEL = 0.25
"""Of the distance of rows: names that differ less are in one row."""
SAME_SIZE = 0.1
SLACK = 0.6
"""Of a line's height: a name so near to the middle of its columns is centred over them."""
ABOVE = 2.0
"""Of a line's height: so near above a header the rule is that opens its table."""
WIDTH = 0.8
"""Of the table's width: so long is that rule."""

Span = tuple[float, float]


def with_head_above(rows: list[Row], above: list[Part], columns: Sequence[Span], level: Sequence[Rule]) -> list[Row]:
    """The rows with those of the header that stand `above`, which lose what belongs to them."""
    near = _names(rows, above, columns)
    for count in range(len(near), 0, -1):
        names = sorted(near[:count], key=lambda name: -name.base)
        # The rule above them is then that table's last one.
        is_below_table = len(above) > count and isinstance(above[-count - 1], PdfTable)
        if whole := _with_names(rows, names, columns, () if is_below_table else level):
            del above[-count:]
            return whole
    return rows


def _with_names(
    rows: list[Row], names: Sequence[Line], columns: Sequence[Span], level: Sequence[Rule]
) -> list[Row] | None:
    """The rows with these names over them, the highest first; None where nothing shows that they are of the table."""
    pitch = _pitch(rows)
    upper = [name for name in names if _is_row_above(name, rows[0], pitch)]
    beside = {_column(name.cells[0], columns): name for name in names if name not in upper}
    if any(rows[0].cells[column] for column in beside) or len(upper) + len(beside) < len(names):
        return None
    if not _is_opened(names, columns, level) and not _is_emphasised(rows, names, upper, beside):
        return None
    free = [column for column in range(len(columns)) if column not in beside]
    heads = [_as_row(list(line), columns, free) for _, line in groupby(upper, key=lambda name: round(name.base))]
    whole = [*heads, *rows]
    for column, name in beside.items():
        _fill_down(whole, name, column, pitch)
    return whole


def spread_names(heads: Sequence[list[str]]) -> None:
    """A name over several others stands in each of their columns, and one over nothing in the row below, too."""
    for row, below in reversed(list(pairwise(heads))):
        for column in range(1, len(row)):
            if not row[column] and below[column] and row[column - 1] and below[column - 1] != row[column - 1]:
                row[column] = row[column - 1]
    for row, below in pairwise(heads):
        for column, name in enumerate(row):
            below[column] = below[column] or name


def _names(rows: Sequence[Row], above: Sequence[Part], columns: Sequence[Span]) -> list[Line]:
    """Lines right above a table and within its width, the nearest first."""
    names: list[Line] = []
    pitch, lowest = _pitch(rows), rows[0].base
    for part in above[: -MOST_LINES - 1 : -1]:
        if not isinstance(part, Line) or part.fixed or part.alone or part.backward or len(part.text) > 60:
            break
        reach = max((name.base for name in names), default=lowest)
        inside = part.left >= columns[0][0] - part.size and part.right <= columns[-1][1] + part.size
        if not inside or not rows[-1].base < part.base < max(reach, lowest) + NEAR * pitch:
            break
        names.append(part)
    return names


def _pitch(rows: Sequence[Row]) -> float:
    gaps = sorted(above.base - row.base for above, row in pairwise(rows))
    return gaps[len(gaps) // 2]


def _is_row_above(name: Line, first: Row, pitch: float) -> bool:
    """Whether a name is as high above the first row as rows are; else it stands beside several rows of the header."""
    rows = (name.base - first.base) / pitch
    return rows > 1 - LEVEL and abs(rows - round(rows)) < LEVEL


def _column(cell: LineCell, columns: Sequence[Span]) -> int:
    """The column in which most of a cell stands, or to which it is nearest."""
    return max(range(len(columns)), key=lambda at: min(columns[at][1], cell.right) - max(columns[at][0], cell.left))


def _is_opened(names: Sequence[Line], columns: Sequence[Span], level: Sequence[Rule]) -> bool:
    """Whether a rule of the table's width stands above its names, and none between them and the rest."""
    top, bottom = names[0].base, names[-1].base
    least = WIDTH * (columns[-1][1] - columns[0][0])
    long = [rule.at for rule in level if min(rule.end, columns[-1][1]) - max(rule.start, columns[0][0]) >= least]
    return any(top < at < top + ABOVE * names[0].size for at in long) and not any(bottom < at < top for at in long)


def _is_emphasised(
    rows: Sequence[Row], names: Sequence[Line], upper: Sequence[Line], beside: Mapping[int, Line]
) -> bool:
    """Whether the names are bold as the header below them is, and no heading: several, or beside the header."""
    is_bold = rows[0].bold and not rows[-1].bold and all(name.bold for name in names)
    alike = all(abs(name.size - rows[0].size) < SAME_SIZE * name.size for name in names)
    return is_bold and alike and (bool(beside) or sum(len(name.cells) for name in upper) > 1)


def _as_row(lines: Sequence[Line], columns: Sequence[Span], free: Sequence[int]) -> Row:
    cells: list[list[LineCell]] = [[] for _ in columns]
    for cell in (cell for line in lines for cell in line.cells):
        for column in _under(cell, columns, free, lines[0].size):
            cells[column].append(cell)
    return Row(lines[0].base, lines[0].size, cells, all(line.bold for line in lines))


def _under(cell: LineCell, columns: Sequence[Span], free: Sequence[int], size: float) -> Sequence[int]:
    """The `free` columns over which a cell is centred; else the one in which it stands."""
    middle, own = (cell.left + cell.right) / 2, _column(cell, columns)
    best, nearest = [own], SLACK * size
    for first in range(own + 1):
        for end in range(max(own, first + 1) + 1, len(columns) + 1):
            left, right = columns[first][0], columns[end - 1][1]
            off = abs(middle - (left + right) / 2)
            if off < nearest and left < cell.left and cell.right < right and set(range(first, end)) <= set(free):
                best, nearest = list(range(first, end)), off
    return best


def _fill_down(rows: Sequence[Row], name: Line, column: int, pitch: float) -> None:
    """A name over several rows of the header stands in each of them."""
    for row in rows:
        if row.cells[column] or name.base - row.base > NEAR * pitch:
            break
        if row.base - name.base < NEAR * pitch:
            row.cells[column].append(name.cells[0])
