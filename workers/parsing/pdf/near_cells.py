"""Owns rows whose cells stand a blank apart, as two long names do: the row above tells where they begin."""

from collections.abc import Iterator, Sequence

from embedmill.workers.parsing.pdf.lines import Line, LineCell

FARTHEST = 2.5
"""Of a line's height: the row above is no farther."""
SAME_LEFT = 0.1
"""Of a line's height: words that begin so near to a cell of the row above begin below it."""


def parted_like(above: Line, line: Line) -> Line:
    """The line with a cell below each of the row above, if it has a word below each; else as it is."""
    if not len(line.cells) < len(above.cells) or not 0 < above.base - line.base < FARTHEST * line.size or line.backward:
        return line
    wanted = [cell.left for cell in above.cells]
    cells = [part for cell in line.cells for part in _parts(cell, wanted, SAME_LEFT * line.size)]
    begins_there = (abs(cell.left - left) < SAME_LEFT * line.size for cell, left in zip(cells, wanted, strict=False))
    return line.part(cells) if len(cells) == len(wanted) and all(begins_there) else line


def _parts(cell: LineCell, wanted: Sequence[float], slack: float) -> Iterator[LineCell]:
    """A cell, parted before each word that begins at a wanted place."""
    words = cell.text.split(" ")
    if len(words) != len(cell.lefts):
        yield cell
        return
    since = 0
    for at in range(1, len(words) + 1):
        if at == len(words) or any(abs(cell.lefts[at] - left) < slack for left in wanted):
            right = cell.right if at == len(words) else cell.lefts[at]
            yield LineCell(cell.lefts[since], right, " ".join(words[since:at]), (), cell.lefts[since:at])
            since = at
