"""Owns workbooks (XLSX, XLS): values through calamine, and what it does not tell from the parts of the package."""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING

from embedmill.shared.errors import EncryptedDocument, UnreadableDocument
from embedmill.workers.parsing import detect
from embedmill.workers.parsing.draft import Draft, count
from embedmill.workers.parsing.number_formats import Moment, shown
from embedmill.workers.parsing.package import core_title
from embedmill.workers.parsing.sheets.excel_parts import ExcelPackage, SheetParts
from embedmill.workers.parsing.sheets.far_records import Formats, Near, draw_together
from embedmill.workers.parsing.sheets.merges import Merges
from embedmill.workers.parsing.sheets.shaping import SheetRow, add_rows

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook

NAMED_CELLS = 5
"""So many cells a note names."""

Cell = str | int | float | bool | Moment | None


def read(data: bytes, draft: Draft) -> None:
    """Every sheet with cells as a part: its name as a heading, its tables, its comments, its charts."""
    from python_calamine import CalamineError, CalamineWorkbook, PasswordError

    package = _package(data, draft)
    near = Near(package.draw_together(data)) if package else draw_together(data)
    if package:
        draft.archive(data).require_honest_sizes()
    try:
        with CalamineWorkbook.from_filelike(io.BytesIO(near.data)) as workbook:
            names = workbook.sheet_names
            _note_sheets(workbook, draft)
            scripted = package.scripted if package else {}
            _note_scattered(package.scattered if package else _named(near.scattered, names), draft)
            for number, name in enumerate(names):
                parts = package.sheet(name) if package else _old_parts(near, number, len(names))
                _read_sheet(workbook.get_sheet_by_name(name), parts, scripted, draft)
        if package:
            package.add_embedded(draft)
    except PasswordError:
        raise EncryptedDocument("the workbook is protected with a password") from None
    except CalamineError:
        raise UnreadableDocument("the workbook is damaged or cut short") from None


def _old_parts(near: Near, number: int, count: int) -> SheetParts:
    """What was found of one of so many sheets; of all of them nothing where some were not found."""
    if len(near.errors) != count:
        return SheetParts()
    return SheetParts(errors=near.errors[number], formats=near.formats[number])


def _named(numbers: Sequence[int], names: Sequence[str]) -> list[str]:
    return [names[number] if number < len(names) else f"number {number + 1}" for number in numbers]


def _note_scattered(names: Sequence[str], draft: Draft) -> None:
    for name in names:
        draft.note(f"the cells of a sheet were left out, which lie too far apart: {name}")


def _package(data: bytes, draft: Draft) -> ExcelPackage | None:
    """None for the format from before 2007, which is no package."""
    if draft.media_type == detect.XLS:
        return None
    archive = draft.archive(data)
    draft.title = core_title(archive)
    return ExcelPackage(archive)


def _note_sheets(workbook: "CalamineWorkbook", draft: Draft) -> None:
    from python_calamine import SheetVisibleEnum

    for sheet in workbook.sheets_metadata:
        if sheet.visible != SheetVisibleEnum.Visible:
            draft.note(f"a hidden sheet was read: {sheet.name}")


def _read_sheet(sheet: "CalamineSheet", parts: SheetParts, scripted: Mapping[str, str], draft: Draft) -> None:
    rows = _rows(sheet, parts)
    if scripted:
        rows = (row._replace(cells=[scripted.get(cell, cell) for cell in row.cells]) for row in rows)
    first = next((row for row in rows if any(row.cells)), None)
    comments = [comment_line(*comment) for comment in parts.comments()]
    drawn = Draft(draft.media_type, name=draft.name, limits=draft.room, depth=draft.depth)
    parts.add_drawings(drawn)
    if first is None and not comments and drawn.is_empty:
        return
    draft.part()
    draft.heading(sheet.name, level=1)
    if first is not None:
        add_rows(chain([first], rows), draft)
    for comment in comments:
        draft.paragraph(comment)
    draft.extend(drawn.finish())
    for line in parts.running():
        draft.paragraph(line)
    note_unvalued(parts.unvalued(), sheet.name, draft)


def note_unvalued(cells: Sequence[str], sheet: str, draft: Draft) -> None:
    """Names the formulas whose value no program has stored."""
    if cells:
        named = ", ".join(cells[:NAMED_CELLS]) + (", …" if len(cells) > NAMED_CELLS else "")
        draft.note(f"{count(len(cells), 'formula')} without a stored value in {sheet}: {named}")


def comment_line(cell: str, author: str, text: str) -> str:
    """A comment as a line of text."""
    by = f" by {author.strip()}" if author.strip() else ""
    return f"Comment{by} on {cell}: {text.strip()}"


def _rows(sheet: "CalamineSheet", parts: SheetParts) -> Iterator[SheetRow]:
    if not sheet.height:
        return
    _, first_column = sheet.start or (0, 0)
    merges = Merges(sheet.merged_cell_ranges or (), first_column=first_column)
    formats, errors = parts.formats(), parts.errors()
    for number, values in enumerate(sheet.iter_rows()):
        texts = _texts(values, formats.of_row(number), first_column)
        if number in errors:
            _put_errors(texts, errors[number], first_column)
        yield merges.place(number, texts)


def _put_errors(texts: list[str], errors: Mapping[int, str], first_column: int) -> None:
    for column, text in errors.items():
        if 0 <= column - first_column < len(texts):
            texts[column - first_column] = text


def _texts(values: Iterable[Cell], formats: Formats, first_column: int) -> list[str]:
    if not formats:
        return [value if isinstance(value, str) else _text(value) for value in values]
    return [
        value if isinstance(value, str) else _text(value, formats.get(column))
        for column, value in enumerate(values, first_column)
    ]


def _text(value: float | Moment | None, form: str | None = None) -> str:
    """A value other than a text as its cell shows it; without a known format numbers in full, moments in ISO's form."""
    if form and value is not None and type(value) is not bool and (text := shown(value, form)) is not None:
        return text
    match value:
        case None:
            return ""
        case bool():
            return str(value).upper()
        case float():
            return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.15g}"
        case datetime():
            return value.isoformat(" ")
        case timedelta():
            seconds = int(value.total_seconds())
            return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        case _:
            return str(value)
