"""Owns tables in files: CSV, and workbooks through calamine."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta

from embedmill.shared.errors import EncryptedDocument, UnreadableDocument
from embedmill.workers.parsing import detect
from embedmill.workers.parsing.archive import Archive
from embedmill.workers.parsing.draft import Draft
from embedmill.workers.parsing.package import note_parts
from embedmill.workers.parsing.text import read_text

DELIMITERS = ",;\t|"
SNIFFED_LINES = 20
CHARTS = ("xl/charts/chart", "chart")
COMMENTS = ("xl/comments", "xl/threadedComments/")

Cell = str | int | float | bool | date | datetime | time | timedelta | None


def read_csv(data: bytes, draft: Draft) -> None:
    """Rows in the delimiter that splits the first lines most evenly; formulas stay text."""
    text = draft.decode(data).replace("\0", "")
    csv.field_size_limit(draft.limits.output_chars)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text, draft.name)))
    except csv.Error:
        draft.note("not valid CSV; kept as plain text")
        read_text(text, draft)
        return
    table = draft.table()
    for number, row in enumerate(rows):
        add = table.row if number else table.head
        add(row)


def read_workbook(data: bytes, draft: Draft) -> None:
    """Every sheet with cells: its name as a heading, then its rows."""
    from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetTypeEnum

    if draft.media_type != detect.XLS:
        archive = Archive(data, draft.limits)
        archive.require_honest_sizes()
        note_parts(archive, [CHARTS], draft)
        if archive.count(*COMMENTS):
            draft.note("comments were left out")
    try:
        with CalamineWorkbook.from_filelike(io.BytesIO(data)) as workbook:
            for sheet in workbook.sheets_metadata:
                if sheet.typ == SheetTypeEnum.ChartSheet:
                    draft.note(f"sheet left out: {sheet.name}: it is a chart")
            for name in workbook.sheet_names:
                _read_sheet(name, workbook.get_sheet_by_name(name).iter_rows(), draft)
    except PasswordError:
        raise EncryptedDocument("the workbook is protected with a password") from None
    except CalamineError:
        raise UnreadableDocument("the workbook is damaged or cut short") from None


def _read_sheet(name: str, rows: Iterable[Sequence[Cell]], draft: Draft) -> None:
    filled = (cells for row in rows if any(cells := [_cell_text(cell) for cell in row]))
    if (first := next(filled, None)) is None:
        return
    draft.part()
    draft.heading(name, level=1)
    table = draft.table()
    table.head(first)
    for cells in filled:
        table.row(cells)


def _cell_text(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case bool():
            return str(cell).upper()
        case float() if cell.is_integer() and abs(cell) < 1e15:
            return str(int(cell))
        case datetime():
            return cell.isoformat(" ")
        case _:
            return str(cell)


def _delimiter(text: str, name: str) -> str:
    if detect.suffix_of(name) == ".tsv":
        return "\t"
    lines = [re.sub('"[^"]*"', "", line) for line in text[:65536].splitlines()[:SNIFFED_LINES] if line.strip()]
    return max(DELIMITERS, key=lambda delimiter: _evenness(lines, delimiter))


def _evenness(lines: list[str], delimiter: str) -> tuple[int, int]:
    counts = [line.count(delimiter) for line in lines]
    return (sum(1 for count in counts if count and count == counts[0]), min(counts, default=0))
