"""Owns RTF's tables: rows of cells that end where their definitions say, laid out on the edges of the whole table."""

from dataclasses import dataclass, field

from embedmill.workers.parsing.draft import Draft
from embedmill.workers.parsing.grid import Cell
from embedmill.workers.parsing.spread import Below, Spread

# In twips: edges that are nearer to each other are meant to be one.
SAME_EDGE = 30


@dataclass(slots=True)
class _Defined:
    """A cell as its row defines it, up to its right edge in twips."""

    edge: int = 0
    goes_on_right: bool = False
    goes_on_down: bool = False


@dataclass(slots=True)
class _Row:
    cells: list[_Defined]
    texts: list[str]
    is_head: bool


@dataclass(slots=True)
class RowDefinition:
    r"""What stands between `\\trowd` and the row's end."""

    cells: list[_Defined] = field(default_factory=list)
    is_head: bool = False
    _next: _Defined = field(default_factory=_Defined)

    def flag(self, word: str) -> None:
        r"""`\\clmrg`, `\\clvmrg` of the cell that is defined next, or `\\trhdr` of the row."""
        self._next.goes_on_right |= word == "clmrg"
        self._next.goes_on_down |= word == "clvmrg"
        self.is_head |= word == "trhdr"

    def end_cell(self, edge: int) -> None:
        self._next.edge = edge
        self.cells.append(self._next)
        self._next = _Defined()


class TableReader:
    """Collects the rows of one table."""

    def __init__(self) -> None:
        self._rows: list[_Row] = []
        self._below: dict[int, list[Below]] = {}

    def add(self, definition: RowDefinition, texts: list[str], below: list[Below]) -> None:
        """`below` is what is to be read behind the row. Empty cells that it does not define are none."""
        while len(texts) > len(definition.cells) > 0 and not texts[-1].strip():
            texts.pop()
        if below:
            self._below[len(self._rows)] = below
        self._rows.append(_Row(list(definition.cells), texts, definition.is_head))

    @property
    def is_empty(self) -> bool:
        return not self._rows

    def lay_out(self, draft: Draft, *, caption: str) -> None:
        edges = _edges(self._rows)
        above: dict[int, str] = {}
        lines = [_line(row, edges, above) for row in self._rows]
        heads = next((number for number, row in enumerate(self._rows) if not row.is_head), len(self._rows))
        Spread(caption, lines, heads or None, self._below).lay_out(draft)
        self._rows, self._below = [], {}


def _edges(rows: list[_Row]) -> list[int]:
    found: list[int] = []
    for edge in sorted({cell.edge for row in rows for cell in row.cells}):
        if not found or edge - found[-1] > SAME_EDGE:
            found.append(edge)
    return found


def _line(row: _Row, edges: list[int], above: dict[int, str]) -> list[Cell]:
    """The row's cells with the columns that they span; a cell that goes on repeats what it goes on from."""
    cells: list[Cell] = []
    column = 0
    for number, text in enumerate(row.texts):
        defined = row.cells[number] if number < len(row.cells) else _Defined()
        if defined.goes_on_right and cells:
            text = cells[-1].text  # noqa: PLW2901 - the cell has no text of its own
        elif defined.goes_on_down:
            text = above.get(column, text)  # noqa: PLW2901 - nor has this one
        columns = max(1, sum(edge <= defined.edge + SAME_EDGE for edge in edges) - column) if defined.edge else 1
        cells.append(Cell(text, columns))
        above.update(dict.fromkeys(range(column, column + columns), text))
        column += columns
    return cells
