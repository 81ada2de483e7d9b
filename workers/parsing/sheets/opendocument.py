"""Owns OpenDocument spreadsheets, whose cells keep the text that they show beside the value."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from embedmill.workers.parsing.archive import Archive
from embedmill.workers.parsing.draft import Draft
from embedmill.workers.parsing.odt_blocks import OdtBlocks
from embedmill.workers.parsing.odt_styles import OdtStyles, raised
from embedmill.workers.parsing.odt_text import OdtMarks
from embedmill.workers.parsing.open_document import CONTENT, open_package
from embedmill.workers.parsing.package import read_embedded
from embedmill.workers.parsing.scripts import MarkedPiece, marked
from embedmill.workers.parsing.sheets.far_cells import column_name
from embedmill.workers.parsing.sheets.merges import Merged, Merges
from embedmill.workers.parsing.sheets.shaping import SheetRow, add_rows
from embedmill.workers.parsing.sheets.workbook import comment_line, note_unvalued
from embedmill.workers.parsing.xml import Element, attribute, local_name, stream_xml

REPEATED = 1000
"""A cell or row that stands for many, as a column filled to its end, is read so often at most."""
COLUMNS = 16_384

_DRAWN = frozenset(("frame", "custom-shape", "rect", "ellipse", "g"))
_CELLS = ("table-cell", "covered-table-cell")


def read(data: bytes, draft: Draft) -> None:
    """Every sheet with cells as a part: its name as a heading, its tables and comments."""
    archive = open_package(data, draft, what="workbook")
    with archive.open(CONTENT) as stream:
        _Sheets(draft, archive).read(stream_xml(stream, ("style", "table", "table-row", "shapes")))


@dataclass(slots=True)
class _Beside:
    """What a sheet has beside its values."""

    comments: list[str] = field(default_factory=list)
    unvalued: list[str] = field(default_factory=list)
    drawings: list[Element] = field(default_factory=list)


class _Sheets:
    """Follows the stream; styles come before the sheets, and say which of these are hidden."""

    def __init__(self, draft: Draft, archive: Archive) -> None:
        self._draft = draft
        self._archive = archive
        self._hidden: set[str] = set()
        self._scripts: dict[str, str] = {}
        self._marks = OdtMarks()

    def read(self, events: Iterator[tuple[str, Element]]) -> None:
        for event, element in events:
            name = local_name(element)
            if name == "style" and event == "end":
                self._read_style(element)
            elif name == "table" and event == "start":
                self._read_sheet(element, events)
        read_embedded(self._archive, self._marks.embedded, self._draft)
        for thing in self._marks.left_out:
            self._draft.note(f"{thing} left out")

    def _read_style(self, style: Element) -> None:
        if any(attribute(found, "display") == "false" for found in style.iterfind("{*}table-properties")):
            self._hidden.add(attribute(style, "name"))
        for found in style.iterfind("{*}text-properties"):
            if mark := raised(attribute(found, "text-position")):
                self._scripts[attribute(style, "name")] = mark

    def _read_sheet(self, sheet: Element, events: Iterator[tuple[str, Element]]) -> None:
        name, beside = attribute(sheet, "name"), _Beside()
        rows = _rows(events, beside, self._scripts)
        first = next((row for row in rows if any(row.cells)), None)
        if first is None and not beside.drawings:
            return
        if attribute(sheet, "style-name") in self._hidden:
            self._draft.note(f"a hidden sheet was read: {name}")
        self._draft.part()
        self._draft.heading(name, level=1)
        if first is not None:
            add_rows(_with_first(first, rows), self._draft)
        for comment in beside.comments:
            self._draft.paragraph(comment)
        blocks = OdtBlocks(self._archive, self._draft, styles=OdtStyles(), marks=self._marks)
        blocks.read_drawings(beside.drawings)
        note_unvalued(beside.unvalued, name, self._draft)


def _with_first(first: SheetRow, rows: Iterator[SheetRow]) -> Iterator[SheetRow]:
    yield first
    yield from rows


def _rows(events: Iterator[tuple[str, Element]], beside: _Beside, scripts: Mapping[str, str]) -> Iterator[SheetRow]:
    """The rows up to the end of their table; tables within cells are words of these."""
    merges = Merges((), first_column=0)
    depth, number = 1, 0
    for event, element in events:
        match local_name(element):
            case "table":
                depth += 1 if event == "start" else -1
                if not depth:
                    return
            case "shapes" if event == "end" and depth == 1:
                beside.drawings += element
            case "table-row" if event == "end" and depth == 1:
                cells, beginning = _read_cells(element, number, beside, scripts)
                for _ in range(_times(element, "number-rows-repeated") if any(cells) else 1):
                    yield merges.place_with(number, list(cells), beginning)
                    number += 1
                element.clear()


def _read_cells(
    row: Element, number: int, beside: _Beside, scripts: Mapping[str, str]
) -> tuple[list[str], list[Merged]]:
    """The texts up to the last one, and the merged cells that begin in the row."""
    cells: list[str] = []
    beginning: list[Merged] = []
    column = 0
    for cell in row:
        if local_name(cell) not in _CELLS or column >= COLUMNS:
            continue
        times, text = int(attribute(cell, "number-columns-repeated") or 1), _cell_text(cell, scripts)
        if text:
            cells += [""] * (column - len(cells)) + [text] * min(times, REPEATED)
            beginning += _spanning(cell, column, number)
        if len(cell) or attribute(cell, "formula"):
            _look_beside(cell, f"{column_name(column + 1).decode()}{number + 1}", beside, text)
        column += times
    reach = max((merged.columns.stop for merged in beginning), default=0)
    return cells + [""] * (min(reach, COLUMNS) - len(cells)), beginning


def _look_beside(cell: Element, address: str, beside: _Beside, text: str) -> None:
    for note in cell.iterfind("{*}annotation"):
        author = note.findtext("{http://purl.org/dc/elements/1.1/}creator") or ""
        words = "\n".join("".join(paragraph.itertext()) for paragraph in note.iterfind("{*}p"))  # type: ignore[arg-type]
        beside.comments.append(comment_line(address, author, words))
    beside.drawings += (child for child in cell if local_name(child) in _DRAWN)
    if attribute(cell, "formula") and not text and not attribute(cell, "value-type"):
        beside.unvalued.append(address)


def _spanning(cell: Element, column: int, row: int) -> list[Merged]:
    columns, rows = _times(cell, "number-columns-spanned"), _times(cell, "number-rows-spanned")
    return [Merged(range(column, column + columns), row + rows - 1)] if columns > 1 or rows > 1 else []


def _times(element: Element, name: str) -> int:
    told = attribute(element, name)
    return min(int(told), REPEATED) if told.isdecimal() and int(told) else 1


def _cell_text(cell: Element, scripts: Mapping[str, str]) -> str:
    return "\n".join(
        marked(_words(paragraph, scripts, "")) if len(paragraph) else paragraph.text or ""
        for paragraph in cell.iterfind("{*}p")
    )


def _words(element: Element, scripts: Mapping[str, str], mark: str) -> Iterator[MarkedPiece]:
    match local_name(element):
        case "annotation" | "":
            return
        case "s":
            yield mark, " " * _times(element, "c")
        case "tab" | "line-break":
            yield mark, " "
        case name:
            if name == "span":
                mark = scripts.get(attribute(element, "style-name"), mark)
            yield mark, element.text or ""
            for child in element:
                yield from _words(child, scripts, mark)
                yield mark, child.tail or ""
