"""Owns a table while it is read: its header, the rows that wait, and the bands that a wide table is cut into."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from embedmill.workers.parsing.document import Block, BlockKind
from embedmill.workers.parsing.grid import bands

if TYPE_CHECKING:
    from embedmill.workers.parsing.draft import Draft

WAITING_ROWS = 256
"""Rows that wait until the table's width is judged, and that stand together in each band of a wide table."""

SEPARATOR = " | "


@dataclass(frozen=True, slots=True)
class _Line:
    cells: Sequence[str]
    page: int | None

    def says_more_than_its_key(self, columns: Sequence[int]) -> bool:
        return any(self.cells[column] for column in columns[1:] if column < len(self.cells))

    def block(self, columns: Sequence[int] | None, head: tuple[int, int] | None = None) -> Block:
        """Some columns of it; all of them where none are named."""
        cells = self.cells
        texts = list(cells) if columns is None else [cells[n] if n < len(cells) else "" for n in columns]
        while texts and not texts[-1]:
            texts.pop()
        return Block(BlockKind.TABLE_ROW, SEPARATOR.join(texts), page=self.page, head=head)


@dataclass(slots=True)
class _Band:
    """Some columns of a table, or all, with the blocks of its head, once that stands in the text."""

    columns: list[int] | None
    head: tuple[int, int] | None = None


class Table:
    """Takes rows of cells, those of the header first; an empty cell keeps its place, an empty row is left out.

    Its blocks stand where the rows were read: what a draft takes next closes the table, and another row opens it again.
    """

    def __init__(self, draft: "Draft", *, caption: str, page: int | None) -> None:
        self._draft = draft
        self._caption = caption
        self._page = page
        self._heads: list[_Line] = []
        self._rows: list[_Line] = []
        self._bands: list[_Band] = []

    def head(self, cells: Sequence[str], *, page: int | None = None) -> None:
        """A row of the header; one that comes behind other rows is a row like them."""
        if self._rows or self._bands:
            self.row(cells, page=page)
        else:
            self._take(self._heads, cells, page)

    def row(self, cells: Sequence[str], *, page: int | None = None) -> None:
        self._take(self._rows, cells, page)
        if len(self._rows) >= WAITING_ROWS:
            self._draft.turn_to(None)

    def close(self) -> None:
        """Hands the rows that wait to the draft, band by band; for the draft to call."""
        if not self._bands:
            found = bands([line.cells for line in self._heads + self._rows])
            self._bands = [_Band(columns if len(found) > 1 else None) for columns in found]
        for band in self._bands:
            self._add_band(band)
        self._rows = []

    def _take(self, lines: list[_Line], cells: Sequence[str], page: int | None) -> None:
        texts = [self._draft.cell(cell) for cell in cells]
        if any(texts):
            self._draft.turn_to(self)
            lines.append(_Line(texts, self._page if page is None else page))

    def _add_band(self, band: _Band) -> None:
        if band.head is None:
            band.head = self._add_head(band.columns)
        columns, head = band.columns, band.head
        for line in self._rows:
            if columns is None or band is self._bands[0] or line.says_more_than_its_key(columns):
                self._draft.add(line.block(columns, head))

    def _add_head(self, columns: list[int] | None) -> tuple[int, int]:
        caption = Block(BlockKind.CAPTION, self._caption, page=self._page)
        blocks = [block for block in (caption, *(line.block(columns) for line in self._heads)) if block.text]
        head = self._draft.blocks, self._draft.blocks + len(blocks)
        for block in blocks:
            self._draft.add(replace(block, head=head))
        return head
