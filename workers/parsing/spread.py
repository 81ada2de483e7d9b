"""Owns a table between its file and its rows: cells are collected, then laid out on the grid with what stands below."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from embedmill.workers.parsing.draft import Draft
from embedmill.workers.parsing.grid import Cell, place
from embedmill.workers.parsing.measures import is_one_of

HEADER_CHARS = 80
"""A longer cell is a text, and no name of a column."""

_YEAR = re.compile(r"(?:19|20)\d\d")
_NUMBER = re.compile(r"[\W\d_]*\d[\W\d_]*")


@dataclass(slots=True)
class Spread:
    """A table's cells row by row. The first `heads` rows are its header, and None leaves that to the first row's looks.

    `below` has what is to be read behind a row: tables in its cells, which the row's key heads, and other things.
    """

    caption: str = ""
    rows: list[list[Cell]] = field(default_factory=list)
    heads: int | None = None
    below: "dict[int, list[Below]]" = field(default_factory=dict)

    def then(self, thing: "Below") -> None:
        """Reads something behind the row that was begun last."""
        self.below.setdefault(len(self.rows) - 1, []).append(thing)

    def lay_out(self, draft: Draft, *, page: int | None = None) -> None:
        table = draft.table(self.caption, page=page)
        lines = place(self.rows)
        heads = _heads(lines, self.rows) if self.heads is None else self.heads
        for number, line in enumerate(lines):
            add = table.head if number < heads else table.row
            add(line)
            for thing in self.below.get(number, ()):
                if isinstance(thing, Spread):
                    thing.caption = ": ".join(filter(None, (_key(line), thing.caption)))
                    thing.lay_out(draft, page=page)
                else:
                    thing()


Below = Spread | Callable[[], None]
"""A table in a cell, or what reads another thing that stands there."""


def _key(line: Sequence[str]) -> str:
    """What a row is about: its first cell, or else a later one, unless that is a text."""
    key = next((cell.strip() for cell in line if cell.strip()), "")
    return key if len(key) <= HEADER_CHARS else ""


def in_line(rows: Sequence[Sequence[str]]) -> str | None:
    """A table of one row or one column as a passage of the cell around it; None for any other."""
    filled = [cells for row in rows if (cells := [cell for cell in row if cell.strip()])]
    if len(filled) > 1 and any(len(cells) > 1 for cells in filled):
        return None
    return ", ".join(cell for cells in filled for cell in cells)


def _heads(lines: Sequence[Sequence[str]], rows: Sequence[Sequence[Cell]]) -> int:
    """The first row heads the others when each of its cells is a short name and no two of them are the same.

    Where some of these span others, a second row of names goes on with it.
    """
    if len(lines) < 2 or len(lines[0]) < 2:
        return 0
    first = [cell.strip() for cell in lines[0]]
    own = [cell.text.strip() for cell in rows[0]]
    named = own if own[0] else own[1:]
    reaches = len(first if first[0] else first[1:])
    is_header = len(set(named)) == len(named) and reaches >= len(max(lines, key=len)) - 1 and _are_names(named)
    if not is_header or _has_its_like_below(first, lines[1:]):
        return 0
    goes_on = any(cell.columns > 1 for cell in rows[0]) and len(lines) > 2 and _are_names(filter(None, lines[1]))
    return 1 + goes_on


def _has_its_like_below(first: Sequence[str], lines: Sequence[Sequence[str]]) -> bool:
    """Whether a measure stands above measures, as in the second column of a data sheet."""
    return any(
        is_one_of(head, (line[number] for line in lines if number < len(line))) for number, head in enumerate(first)
    )


def _are_names(cells: Iterable[str]) -> bool:
    """Numbers are none, but for years that go up."""
    found = [cell.strip() for cell in cells]
    years = [cell for cell in found if _YEAR.fullmatch(cell)]
    are_years = len(years) > 1 and years == sorted(set(years))
    return all(
        0 < len(cell) <= HEADER_CHARS and (not _NUMBER.fullmatch(cell) or (are_years and cell in years))
        for cell in found
    ) and len(years) < len(found)
