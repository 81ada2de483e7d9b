"""Owns what a table is on a page: rows of cells in columns, where they come from, and which of them head it."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from statistics import median

from embedmill.workers.parsing.measures import is_one_of
from embedmill.workers.parsing.pdf.hyphens import DocumentWords
from embedmill.workers.parsing.pdf.lines import Line, LineCell
from embedmill.workers.parsing.pdf.markers import BULLETS, TICKS

NUMBER = re.compile(r"^[(+\u2212-]?[$€£¥]?\s?\d[\d.,'\s]*\s?[%‰$€£¥)]*$")

_BULLET = re.compile(f"(?![{TICKS}])[{BULLETS}](?: +(?=\\S)|$)")
_YEAR = re.compile(r"(?:19|20)\d\d")
_DIGIT = re.compile(r"\d")
NEARER = 0.85
"""Of the usual distance between rows: a line that is nearer to the one above belongs to its row."""


FEW_BLANKS = 2
"""A line with fewer is no text that was cut for want of room, but a name."""


@dataclass(slots=True)
class PdfTable:
    """`rows` have as many texts as there are columns; the first `heads` of them are its header.

    `columns` are where those of a table without rules begin and end.
    """

    rows: list[list[str]]
    heads: int
    columns: Sequence[tuple[float, float]] = ()


Part = Line | PdfTable
"""What a page consists of, in reading order."""


def join_cells(cells: Iterable[LineCell], words: DocumentWords) -> str:
    """The lines of one cell as one text; its bullets are those of lists."""
    return reduce(words.join, (_as_listed(cell.text) for cell in cells), "")


def _as_listed(text: str) -> str:
    found = _BULLET.match(text)
    return f"- {text[found.end() :]}".rstrip() if found else text


def count_heads(rows: Sequence[Sequence[str]], bold: Sequence[bool]) -> int:
    """How many rows head a table: bold ones, or a first one of words over columns with numbers."""
    emphasised = next((number for number, is_bold in enumerate(bold) if not is_bold), len(bold))
    heads = emphasised if 0 < emphasised < len(rows) else int(len(rows) > 1 and _is_header(rows[0], rows[1:]))
    return heads + 1 if heads and len(rows) > heads + 1 and _is_under(rows[heads - 1], rows[heads]) else heads


def _is_under(head: Sequence[str], row: Sequence[str]) -> bool:
    """Whether a row parts what one name of the row above reaches over, and says the other names again, or nothing."""
    spanned = [bool(text) and head.count(text) > 1 for text in head]
    parts = [text for text, is_spanned in zip(row, spanned, strict=True) if is_spanned]
    others = [text in {"", name} for text, name, is_spanned in zip(row, head, spanned, strict=True) if not is_spanned]
    return bool(parts) and all(parts) and len(set(parts)) == len(parts) and bool(others) and all(others)


def _is_header(first: Sequence[str], others: Sequence[Sequence[str]]) -> bool:
    """All words, none empty but over the first column, and below stand numbers, or nothing looks like another row."""
    if any(NUMBER.match(text) and not _YEAR.fullmatch(text) for text in first) or not all(first[1:]):
        return False
    columns = list(zip(*others, strict=True))
    if any(is_one_of(head, column) for head, column in zip(first, columns, strict=True)):
        return False
    if any(_is_measured(head, column) for head, column in zip(first, columns, strict=True)):
        return True
    return _is_shorter(first, others)


def _is_measured(head: str, column: Sequence[str]) -> bool:
    """Whether numbers stand below a word, or something with a digit in every cell that is filled."""
    if any(NUMBER.match(text) for text in column):
        return True
    filled = [text for text in column if text]
    return bool(filled) and not _DIGIT.search(head) and all(_DIGIT.search(text) for text in filled)


def _is_shorter(first: Sequence[str], others: Sequence[Sequence[str]]) -> bool:
    """Names of columns begin with capitals and are no longer than what stands in them."""
    longest = max(map(len, first))
    below = max(len(text) for row in others for text in row)
    return all(not text or not text[0].islower() for text in first) and longest <= below


@dataclass(slots=True)
class Row:
    """A row while its table is put together: for each column the lines of its cell; `reach` is that of its line."""

    base: float
    size: float
    cells: list[list[LineCell]]
    bold: bool
    reach: float = 0.0

    @property
    def is_filled(self) -> list[bool]:
        return [bool(cell) for cell in self.cells]

    def take(self, row: "Row") -> None:
        """The row below goes on with this one's cells."""
        for cell, more in zip(self.cells, row.cells, strict=True):
            cell.extend(more)
        self.base = min(self.base, row.base)

    def texts(self, words: DocumentWords) -> list[str]:
        return [join_cells(cell, words) for cell in self.cells]


PADDED = 1.25
"""Of a line's height: lines of one cell are not so far apart, rows with room around their text are."""


def without_wraps(rows: Sequence[Row], rules: Sequence[float]) -> list[Row]:
    """Rows whose cells have more than one line are one row each. `rules` are the heights of level rules among them."""
    rows = _with_keys(rows)
    parted = [any(row.base < rule < above.base for rule in rules) for above, row in pairwise(rows)]
    is_ruled = sum(parted) > 2 and len(parted) > sum(parted)
    edges = _edges(rows)
    usual = _usual_gap(rows)
    merged = list(rows[:1])
    for (above, row), is_parted in zip(pairwise(rows), parted, strict=True):
        whole = merged[-1]
        is_own = is_parted or _is_own_row(row, whole)
        is_rest = not is_own and (is_ruled or _goes_on(above, row, whole, usual, edges))
        if is_rest or (not is_parted and _begins(whole, row, usual, edges)):
            merged[-1] = _taken(whole, row)
        else:
            merged.append(row)
    return merged


def _with_keys(rows: Sequence[Row]) -> list[Row]:
    """A first cell that stands beside several rows, drawn before them and lower than the first, is of that one."""
    kept: list[Row] = []
    for row in rows:
        key = kept[-1] if kept else None
        if key and key.cells[0] and sum(key.is_filled) == 1 and key.base < row.base and not row.cells[0]:
            kept[-1] = Row(row.base, row.size, [key.cells[0], *row.cells[1:]], row.bold, row.reach)
        else:
            kept.append(row)
    return kept


def _is_own_row(row: Row, whole: Row) -> bool:
    """Whether a line has several cells, and numbers in the same ones as the row above, but for the first."""
    numbers = any(NUMBER.match(cell[0].text) for cell in row.cells[1:] if cell)
    is_alike = row.is_filled[1:] == whole.is_filled[1:] and row.is_filled[0] <= whole.is_filled[0]
    return numbers and is_alike and sum(row.is_filled) > 1


def _taken(above: Row, row: Row) -> Row:
    both = Row(above.base, above.size, [list(cell) for cell in above.cells], above.bold and row.bold, above.reach)
    both.take(row)
    return both


def _usual_gap(rows: Sequence[Row]) -> float:
    """From a row's beginning to the line before it, as most rows have it whose first cell is filled."""
    gaps = [_gap(above, row) for above, row in pairwise(rows) if row.cells[0] and sum(row.is_filled) > 1]
    return median(gaps) if gaps else 0.0


def _gap(above: Row, row: Row) -> float:
    """From the last line of one row to the first of the next."""
    return above.base - above.reach - row.base - row.reach


def _edges(rows: Sequence[Row]) -> list[float]:
    columns = zip(*(row.cells for row in rows), strict=True)
    return [max((cell.right for cells in column for cell in cells), default=0.0) for column in columns]


def _goes_on(above: Row, row: Row, whole: Row, usual: float, edges: Sequence[float]) -> bool:
    """Whether a line is the rest of the row above: nearer than rows are, or cut where its next word had no room."""
    filled = [number for number, cell in enumerate(row.cells) if cell]
    if row.base >= whole.base and not row.cells[0]:
        return True
    if any(not whole.cells[number] for number in filled) or (row.cells[0] and len(filled) > 1):
        return False
    gap = min(_gap(above, row), _gap(whole, row))
    if gap < NEARER * usual:
        return True
    if usual and gap > min(usual * 1.1, PADDED * row.size):
        return False
    return all(_had_no_room(whole.cells[number][-1], row.cells[number][0], edges[number]) for number in filled)


def _begins(above: Row, row: Row, usual: float, edges: Sequence[float]) -> bool:
    """Whether a first cell alone is the beginning of the row below, whose cells stand as low as its last line."""
    if above.is_filled != [True, *[False] * (len(edges) - 1)] or sum(row.is_filled) < 2 or not row.cells[0]:
        return False
    is_near = 0 < _gap(above, row) < NEARER * usual and above.cells[0][-1].text.count(" ") >= FEW_BLANKS
    return is_near and _had_no_room(above.cells[0][-1], row.cells[0][0], edges[0])


def _had_no_room(cell: LineCell, following: LineCell, edge: float) -> bool:
    if NUMBER.match(following.text):
        return False
    first = following.text.partition(" ")[0]
    width = (following.right - following.left) * (len(first) + 1) / max(len(following.text), 1)
    return cell.right + width > edge + 1
