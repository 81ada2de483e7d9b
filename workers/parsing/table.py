"""Owns a table while it is read: its header, the rows that wait, and the bands that a wide table is cut into."""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import NamedTuple, Protocol

from embedmill.workers.parsing.document import Block, BlockKind
from embedmill.workers.parsing.grid import WIDE_COLUMNS, bands

WAITING_ROWS = 256
"""Rows that wait until the table's width is judged, and that stand together in each band of a wide table."""

SEPARATOR = " | "


class _Line(NamedTuple):
    cells: Sequence[str]
    page: int | None

    def of(self, columns: Sequence[int]) -> Sequence[str]:
        """The texts in some columns, in ascending order; those at the end may be missing where they are empty."""
        if columns[-1] == len(columns) - 1:
            return self.cells[: len(columns)]
        missing = columns[-1] + 1 - len(self.cells)
        cells = [*self.cells, *("",) * missing] if missing > 0 else self.cells
        return itemgetter(*columns)(cells) if len(columns) > 1 else (cells[columns[0]],)

    def says_more_than_its_key(self, columns: Sequence[int]) -> bool:
        return any(self.of(columns)[not columns[0] :])

    def block(self, columns: Sequence[int], head: tuple[int, int] | None = None) -> Block:
        """Some columns of it."""
        texts = _trimmed(list(self.of(columns)))
        return Block(BlockKind.TABLE_ROW, SEPARATOR.join(texts), 0, self.page, 0, head)

    def beyond(self, columns: Container[int]) -> list[int]:
        """The columns of its other cells."""
        return [number for number, cell in enumerate(self.cells) if cell and number not in columns]


@dataclass(slots=True)
class _Band:
    """Some columns of a table, or all, with the blocks of its head, once that stands in the text."""

    columns: Sequence[int]
    head: tuple[int, int] | None = None


class TableDraft(Protocol):
    """What a table is read into (`draft.py`)."""

    @property
    def blocks(self) -> int:
        """How many blocks stand there."""

    def cells(self, texts: Sequence[str]) -> list[str]:
        """Texts as cells have them."""

    def turn_to(self, table: "Table | None") -> None:
        """Close the table that is open, and open this one."""

    def add(self, block: Block) -> None:
        """Take a block."""


class Table:
    """Takes rows of cells, those of the header first; an empty cell keeps its place, an empty row is left out.

    Its blocks stand where the rows were read: what a draft takes next closes the table, and another row opens it again.
    """

    def __init__(self, draft: "TableDraft", *, caption: str, page: int | None) -> None:
        self._draft = draft
        self._caption = caption
        self._page = page
        self._heads: list[_Line] = []
        self._rows: list[_Line] = []
        self._bands: list[_Band] = []
        self._columns: Container[int] = ()
        self._rest = _Band(())

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
        """Hands the rows that wait to the draft, band by band, and what stands beyond these; for the draft to call."""
        if not self._bands:
            self._judge()
        for band in self._bands:
            self._add_band(band)
        self._add_rest()
        self._rows = []

    def _judge(self) -> None:
        found = bands([line.cells for line in self._heads + self._rows])
        if len(found) == 1:
            # Rows that come later may be a little longer.
            found = [list(range(len(found[0]) + WIDE_COLUMNS))]
        self._bands = [_Band(columns) for columns in found]
        self._columns = frozenset(chain.from_iterable(found))

    def _take(self, lines: list[_Line], cells: Sequence[str], page: int | None) -> None:
        texts = _trimmed(self._draft.cells(cells))
        if texts:
            self._draft.turn_to(self)
            lines.append(_Line(texts, self._page if page is None else page))

    def _add_band(self, band: _Band) -> None:
        is_first = band is self._bands[0]
        if band.head is None and is_first:
            self._add_head(band, self._heads)
        heads = [line for line in self._heads if line.says_more_than_its_key(band.columns)]
        rows = [line for line in self._rows if self._stands_in(line, band, is_first=is_first)]
        if band.head is None and (heads or rows):
            self._add_head(band, heads)
        for line in rows:
            self._draft.add(line.block(band.columns, band.head))

    def _stands_in(self, line: _Line, band: _Band, *, is_first: bool) -> bool:
        """Whether a row has cells in a band beside its key; the first has the rows that are nowhere else, too."""
        return line.says_more_than_its_key(band.columns) or (is_first and len(line.cells) == 1)

    def _add_rest(self) -> None:
        """Cells of columns in which nothing stood when the table was judged, each row's behind its key."""
        for line in self._rows:
            if columns := line.beyond(self._columns):
                if self._rest.head is None:
                    self._add_head(self._rest, ())
                self._draft.add(line.block([0, *columns] if line.cells[0] else columns, self._rest.head))

    def _add_head(self, band: _Band, lines: Sequence[_Line]) -> None:
        caption = Block(BlockKind.CAPTION, self._caption, page=self._page)
        blocks = [block for block in (caption, *(line.block(band.columns) for line in lines)) if block.text]
        band.head = self._draft.blocks, self._draft.blocks + len(blocks)
        for block in blocks:
            self._draft.add(block.headed(band.head))


def _trimmed(texts: list[str]) -> list[str]:
    """Without the empty ones at the end."""
    while texts and not texts[-1]:
        texts.pop()
    return texts
