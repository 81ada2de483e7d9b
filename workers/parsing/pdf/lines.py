"""Owns lines: words on one baseline, in cells where wide gaps part them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from embedmill.workers.parsing.pdf.drawings import Rule
from embedmill.workers.parsing.pdf.fonts import Font, Fonts
from embedmill.workers.parsing.pdf.initial_letters import is_initial
from embedmill.workers.parsing.pdf.markers import is_marker
from embedmill.workers.parsing.pdf.scripts import is_script, is_stacked, written
from embedmill.workers.parsing.pdf.tags import Tag, Tags, tag_of
from embedmill.workers.parsing.pdf.words import PARTING, Break, Stretch, Word

T = TypeVar("T")

CELL_GAP = 0.75
"""Of the line's height: a wider gap between words parts cells."""
SAME_BASE = 0.3
"""Of the line's height: stretches that differ less are on one line."""
BLANK = 0.1
"""Of the line's height: a narrower gap is none."""
SCRIPT_GAP = 0.3
"""Of the line's height: so near a script stands to its base."""
STACK = 2.0
"""Of the line's height: so far from the line's end a script begins that stands below or above another one."""
LONGEST_SCRIPT = 8
OVERLAP = 0.25
"""Of the line's height: what begins so much before the end of the piece before goes on with it."""
UNDER_SCRIPT = 0.6
"""The same of a comma or a point, which may stand below the script before it."""
RAISED = 0.6
"""Of the line's height: so far a word of one stretch, as a footnote's mark, may stand from the line."""


@dataclass(slots=True)
class LineCell:
    """Text without wide gaps, and where it begins and ends on the line, in points; `breaks` are the widest it has.

    `lefts` tells where its words begin, if it has few.
    """

    left: float
    right: float
    text: str
    breaks: Sequence[Break] = ()
    lefts: Sequence[float] = ()

    def parts(self, found: Break) -> "tuple[LineCell, LineCell]":
        """The two cells that a gap parts."""
        behind = found.at + 1
        before = [other for other in self.breaks if other.at < found.at]
        after = [other._replace(at=other.at - behind) for other in self.breaks if other.at > found.at]
        return (
            LineCell(self.left, found.left, self.text[: found.at], before),
            LineCell(found.right, self.right, self.text[behind:], after),
        )


@dataclass(slots=True)
class Line:
    """One line of a page. `base` is the height of its baseline, `size` its words' median height, in points.

    `bold` and `fixed` hold for the whole line; by its `tag`, what heads a table is bold. `alone`: it is no part of
    running text. A row of cells with several lines has `reach` so many points above and below its baseline.
    """

    cells: list[LineCell]
    base: float
    size: float
    bold: bool = False
    fixed: bool = False
    alone: bool = False
    backward: bool = False
    tag: Tag | None = None
    reach: float = 0.0

    @property
    def left(self) -> float:
        return self.cells[0].left if len(self.cells) == 1 else min(cell.left for cell in self.cells)

    @property
    def right(self) -> float:
        return self.cells[0].right if len(self.cells) == 1 else max(cell.right for cell in self.cells)

    @property
    def text(self) -> str:
        return self.cells[0].text if len(self.cells) == 1 else " ".join([cell.text for cell in self.cells])

    def part(self, cells: list[LineCell]) -> "Line":
        """The same line with only these of its cells."""
        return Line(cells, self.base, self.size, self.bold, self.fixed, self.alone, self.backward, self.tag, self.reach)


def from_place(parts: Sequence[T], at: int) -> Iterator[T]:
    """The rest of a sequence, without a copy of it."""
    return (parts[place] for place in range(at, len(parts)))


def build_lines(
    stretches: Iterable[Stretch], text_page: Any, fonts: Fonts, walls: Sequence[Rule] = (), tags: Tags | None = None
) -> list[Line]:
    """Lines in the order of the page's content; upright rules, the `walls`, part cells too."""
    lines: list[Line] = []
    last: Line | None = None
    for stretch in stretches:
        for words in _runs(stretch.words):
            line = _line(words, text_page, fonts, walls)
            if tags and (tag := tag_of(text_page, words[0].place, tags)):
                line.tag, line.bold = tag, line.bold or tag.is_header_cell
            if last and line.size < lines[-1].size and _is_stacked(last, lines[-1], line):
                _take_script(lines[-1], line, of=last)
            else:
                _append(lines, line, walls)
            last = line
    return lines


def _is_stacked(last: Line, before: Line, line: Line) -> bool:
    """Whether a few signs are a script at the end of the line before, which has another one there, or one of that."""
    if len(line.cells) > 1 or len(line.text) > LONGEST_SCRIPT or before.backward or line.backward:
        return False
    is_near = -STACK * before.size < line.left - before.right < SCRIPT_GAP * before.size
    if not is_near or line.left < before.left + SCRIPT_GAP * before.size:
        return False
    return any(is_stacked(line.size, line.base, of_size=of.size, of_base=of.base) for of in (before, last))


def _append(lines: list[Line], line: Line, walls: Sequence[Rule]) -> None:
    """Cells that are drawn one by one, from left to right, are one line."""
    before = lines[-1] if lines else None
    if not before or abs(before.base - line.base) > RAISED * max(before.size, line.size):
        lines.append(line)
    elif _is_beside(before, line):
        _take_script(before, line)
    elif _goes_on(before, line):
        gap = line.left - before.right
        if line.size < before.size and len(before.cells) == 1 and is_marker(before.text):
            before.size = line.size
        if gap <= CELL_GAP * max(before.size, line.size) and not _parted(walls, before.right, line.left, line.base):
            before.cells[-1] = _joined(before.cells[-1], line.cells[0], line.size)
            before.cells += line.cells[1:]
        else:
            before.cells += line.cells
        before.bold, before.fixed = before.bold and line.bold, before.fixed and line.fixed
    else:
        lines.append(line)


def _is_beside(before: Line, line: Line) -> bool:
    """Whether one of two lines is a script of the other, right behind it."""
    size = max(before.size, line.size)
    if before.size == line.size or is_initial(before.text, before.size, line.size):
        return False
    if not -SCRIPT_GAP * size < line.left - before.right < SCRIPT_GAP * size:
        return False
    small, other = (line, before) if line.size < before.size else (before, line)
    if not is_script(small.size, small.base, of_size=other.size, of_base=other.base):
        return False
    return not (before.backward or line.backward)


def _take_script(before: Line, line: Line, *, of: Line | None = None) -> None:
    """Joins a script with the line before; where that is a mark alone, as of a footnote, the line's place is theirs.

    `of` is what it is a script of, if that is not the line.
    """
    cell, following = before.cells[-1], line.cells[0]
    if line.size < before.size:
        text = cell.text + written(cell.text, following.text, raised=line.base > (of or before).base)
    else:
        text = f"{written('', before.text, raised=True)} {following.text}"
        before.size, before.base = line.size, line.base
        before.bold, before.fixed = line.bold, line.fixed
    before.cells[-1] = LineCell(cell.left, max(cell.right, following.right), text, cell.breaks)
    before.cells += line.cells[1:]


def _goes_on(before: Line, line: Line) -> bool:
    if before.backward or abs(before.base - line.base) > SAME_BASE * min(before.size, line.size):
        return False
    overlap = UNDER_SCRIPT if line.cells[0].text[0] in ".,;:" else OVERLAP
    return line.left >= before.right - overlap * line.size


def _joined(cell: LineCell, following: LineCell, size: float) -> LineCell:
    """Two pieces of one cell, with a blank where there is room for one."""
    gap = following.left - cell.right
    blank = " " if gap > BLANK * size else ""
    begin = len(cell.text) + len(blank)
    breaks = [*cell.breaks, *(found._replace(at=found.at + begin) for found in following.breaks)]
    if gap > PARTING * size:
        breaks.append(Break(len(cell.text), cell.right, following.left))
    lefts = (*cell.lefts, *following.lefts) if blank and cell.lefts and following.lefts else ()
    return LineCell(cell.left, max(cell.right, following.right), f"{cell.text}{blank}{following.text}", breaks, lefts)


def _runs(words: Sequence[Word]) -> Iterator[Sequence[Word]]:
    """Words of a stretch that are on one line: pdfium goes on behind a hyphen as if there were no line's end."""
    if len(words) == 1:
        yield words
        return
    run: list[Word] = []
    for word in words:
        if run and _breaks(run[-1], word):
            yield run
            run = []
        run.append(word)
    if run:
        yield run


def _breaks(before: Word, word: Word) -> bool:
    if before.base == word.base and word.left >= before.left:
        return False
    if is_initial(before.text, before.size, word.size):
        return True
    size = max(before.size, word.size)
    is_apart = word.left - before.right > CELL_GAP * size and before.size == word.size
    if abs(before.base - word.base) > (SAME_BASE if is_apart else RAISED) * size:
        return True
    return word.left < before.left and not (word.backward or before.backward)


def _line(words: Sequence[Word], text_page: Any, fonts: Fonts, walls: Sequence[Rule]) -> Line:
    bold, fixed = _style(words, text_page, fonts)
    if len(words) == 1:
        (word,) = words
        cells = [LineCell(word.left, word.right, word.text, word.breaks, word.lefts)]
        return Line(cells, word.base, word.size, bold=bold, fixed=fixed, backward=word.backward)
    if _is_mark(words[0], words[1]):
        words = [words[0]._replace(text=f"[{words[0].text}]"), *words[1:]]
    size = _size(words)
    base = words[0].base if words[0].size >= size else max(words, key=lambda word: word.size).base
    walls = [wall for wall in walls if wall.start <= base + 1 and base <= wall.end] if walls else ()
    cells = cells_of(words, CELL_GAP * size, walls)
    return Line(cells, base, size, bold=bold, fixed=fixed, backward=True in [word.backward for word in words])


def _is_mark(word: Word, following: Word) -> bool:
    """Whether a number that opens a line is a footnote's mark, which stands apart from its text."""
    if not word.text.isdecimal() or word.base <= following.base:
        return False
    return is_script(word.size, word.base, of_size=following.size, of_base=following.base)


def _size(words: Sequence[Word]) -> float:
    """The height of a line: that of its words in the middle, without an item's number that is larger than its text."""
    while len(words) > 1 and words[0].size > words[-1].size and is_marker(words[0].text):
        words = words[1:]
    sizes = sorted([word.size for word in words])
    return sizes[len(sizes) // 2]


def _style(words: Sequence[Word], text_page: Any, fonts: Fonts) -> Font:
    """What the first, the middle and the last word have in common."""
    style = fonts.at(text_page, words[0].place)
    if not (style.bold or style.fixed):
        return style
    for place in words[0].places or (words[len(words) // 2].place, words[-1].place):
        other = fonts.at(text_page, place)
        style = Font(style.bold and other.bold, style.fixed and other.fixed)
    return style


def _parted(walls: Sequence[Rule], right: float, left: float, base: float) -> bool:
    """Whether a wall stands between two words at that height."""
    return any(right - 1 <= wall.at <= left + 1 and wall.start <= base + 1 <= wall.end + 2 for wall in walls)


def cells_of(words: Sequence[Word], widest: float, walls: Sequence[Rule] = ()) -> list[LineCell]:
    """Words of a line as cells, parted by gaps wider than `widest` points and by walls."""
    if len(words) == 1:
        return [LineCell(words[0].left, words[0].right, words[0].text)]
    cells: list[LineCell] = []
    text: list[str] = []
    breaks: list[Break] = []
    lefts: list[float] = []
    narrow = widest * PARTING / CELL_GAP
    left = right = 0.0
    for word in words:
        near = text and (word.left - right <= widest if word.left >= left else left - word.right <= widest)
        if near and not (walls and _parted(walls, right, word.left, word.base)):
            if word.left - right > narrow:
                breaks.append(Break(len(" ".join(text)), right, word.left))
            left, right = min(left, word.left), max(right, word.right)
        else:
            if text:
                cells.append(LineCell(left, right, " ".join(text), breaks, lefts))
            text, left, right, breaks, lefts = [], word.left, word.right, [], []
        if word.breaks:
            begin = len(" ".join([*text, ""]))
            breaks += [found._replace(at=found.at + begin) for found in word.breaks] if begin else word.breaks
        text.append(word.text)
        lefts += word.lefts or (word.left,)
    cells.append(LineCell(left, right, " ".join(text), breaks, lefts))
    return cells
