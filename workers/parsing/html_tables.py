"""Owns tables of HTML: cells are collected with what stands in them, then told as data or as a page's arrangement."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from embedmill.workers.parsing.document import BlockKind
from embedmill.workers.parsing.draft import Draft, one_line
from embedmill.workers.parsing.grid import Cell
from embedmill.workers.parsing.spread import Spread, in_line

DEEPEST = 8
"""A table that lies in more tables than this arranges a page."""

LONG_CELL = 800
"""Characters from which on a cell is a text, and no value."""

_MANY_PIECES = 6
_DOMINANT = 0.7
_FEW = 500
_SECTIONS = {"thead": 0, "tfoot": 2}


@dataclass(slots=True)
class HtmlPiece:
    """One block of a page: `level` as in Block, `marker` for the item of a list."""

    kind: BlockKind
    text: str
    level: int = 0
    marker: str = ""

    def add_to(self, draft: Draft) -> None:
        add_piece(draft, self.kind, self.text, self.level, self.marker)


def add_piece(draft: Draft, kind: BlockKind, text: str, level: int, marker: str) -> None:
    """Adds a piece that lies in no table."""
    if kind is BlockKind.PARAGRAPH:
        draft.paragraph(text)
    elif kind is BlockKind.LIST_ITEM:
        draft.list_item(text, marker=marker, depth=level)
    elif kind is BlockKind.HEADING:
        draft.heading(text, level=level)
    elif kind is BlockKind.CODE:
        draft.code(text)
    else:
        draft.caption(text)


@dataclass(slots=True)
class HtmlCell:
    """`rows` 0 reaches to the end of its section."""

    is_name: bool
    columns: int
    rows: int
    pieces: "list[HtmlPiece | HtmlTable]" = field(default_factory=list)

    @property
    def characters(self) -> int:
        return sum(len(piece.text) for piece in self.pieces if isinstance(piece, HtmlPiece))

    @property
    def is_text(self) -> bool:
        """Rather a part of a page than a value."""
        return (
            self.characters > LONG_CELL
            or len(self.pieces) >= _MANY_PIECES
            or any(isinstance(piece, HtmlTable) or piece.kind is BlockKind.HEADING for piece in self.pieces)
        )


@dataclass(slots=True)
class HtmlRow:
    """`section` orders head, body and foot, and parts one body from the next."""

    section: tuple[int, int]
    cells: list[HtmlCell] = field(default_factory=list)

    @property
    def is_head(self) -> bool:
        return self.section[0] == 0 or all(cell.is_name for cell in self.cells)


class HtmlTable:
    """A table while its page is read: `over` stands over it, `arranges` says that it is no data by its own word."""

    def __init__(self, *, over: str = "", arranges: bool = False) -> None:
        self.over = over
        self.caption = ""
        self.rows: list[HtmlRow] = []
        self._arranges = arranges
        self._section = (1, 0)

    def begin_section(self, tag: str) -> None:
        self._section = _SECTIONS.get(tag, 1), self._section[1] + 1

    def begin_row(self) -> None:
        self.rows.append(HtmlRow(self._section))

    def begin_cell(self, cell: HtmlCell) -> HtmlCell:
        if not self.rows:
            self.begin_row()
        self.rows[-1].cells.append(cell)
        return cell

    @property
    def cells(self) -> Iterator[HtmlCell]:
        return (cell for row in self.rows for cell in row.cells)

    @property
    def is_data(self) -> bool:
        """By its names and caption; without them by its shape, and by cells that are mostly values."""
        cells = list(self.cells)
        if self._arranges or len(cells) < 2 or self._has_one_column_of_many:
            return False
        if self.caption or any(cell.is_name for cell in cells):
            return True
        if max(len(row.cells) for row in self.rows) < 2:
            return False
        texts = sum(cell.is_text for cell in cells)
        if len(self.rows) == 1:
            return not texts and all(len(cell.pieces) < 2 for cell in cells)
        return texts * 2 <= len(cells) and not self._is_dominated(cells)

    @property
    def _has_one_column_of_many(self) -> bool:
        """Cells beside those with words are there for a picture or a margin."""
        filled = max(sum(bool(cell.pieces) for cell in row.cells) for row in self.rows)
        return filled < 2 <= max(len(row.cells) for row in self.rows)

    def pieces(self) -> "Iterator[HtmlPiece | HtmlTable]":
        """What stands in the cells of a table that arranges a page."""
        return (piece for row in self.rows for cell in row.cells for piece in cell.pieces)

    def lay_out(self, draft: Draft) -> None:
        self.spread(draft).lay_out(draft)

    def spread(self, draft: Draft) -> Spread:
        """A table in a cell stays there where it is one row or column, and else follows the row."""
        rows = sorted(self.rows, key=lambda row: row.section)
        spread = Spread(" ".join(filter(None, (self.over, self.caption))), heads=self._heads(rows))
        sections = Counter(row.section for row in rows)
        for row in rows:
            left = sections[row.section]
            sections[row.section] -= 1
            spread.rows.append([])
            for cell in row.cells:
                text = " ".join(filter(None, self._texts(cell, spread, draft)))
                spread.rows[-1].append(Cell(text, cell.columns, min(cell.rows or left, left)))
        return spread

    def _texts(self, cell: HtmlCell, spread: Spread, draft: Draft) -> Iterator[str]:
        for piece in cell.pieces:
            if isinstance(piece, HtmlPiece):
                yield f"{piece.marker} {one_line(piece.text)}".strip()
                continue
            inner = piece.spread(draft)
            text = in_line([[found.text for found in row] for row in inner.rows])
            if text is None:
                spread.then(inner)
            yield text or ""

    def _is_dominated(self, cells: list[HtmlCell]) -> bool:
        lengths = [cell.characters for cell in cells]
        return max(lengths) > max(_FEW, _DOMINANT * sum(lengths))

    def _heads(self, rows: list[HtmlRow]) -> int | None:
        """Where cells are called names, that is trusted; else the first row's looks decide."""
        heads = next((number for number, row in enumerate(rows) if not row.is_head), len(rows))
        if heads == len(rows):
            return min(heads, 1)
        return heads if any(cell.is_name for row in rows for cell in row.cells) or heads else None
