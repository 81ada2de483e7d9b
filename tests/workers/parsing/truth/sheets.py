"""Workbooks of the truth, made by xlsxwriter or from their XML."""

import io
import zipfile
from collections.abc import Callable
from datetime import date, datetime, time, timedelta

import xlsxwriter
from xlsxwriter.workbook import Workbook

from tests.workers.parsing.making import zipped

MADE: dict[str, Callable[[], bytes]] = {}


def made(name: str, **options: object) -> Callable[[Callable[[Workbook], None]], None]:
    """Has a function fill the workbook of that name."""

    def register(fill: Callable[[Workbook], None]) -> None:
        def save() -> bytes:
            stream = io.BytesIO()
            with xlsxwriter.Workbook(stream, options) as book:
                fill(book)
            return stream.getvalue()

        MADE[name] = save

    return register


@made("formats.xlsx")
def _formats(book: Workbook) -> None:
    sheet = book.add_worksheet("Values")
    sheet.write_row(0, 0, ["what", "value"])
    values = [
        ("percent", 0.25, "0%"), ("percent of ten thousand", 0.12345, "0.00%"), ("dollars", 1234.5, "$#,##0.00"),
        ("euros", 1234.5, "#,##0.00 €"), ("negative", -5, "#,##0;(#,##0)"), ("padded", 7, "000"),
        ("text before", 5, '"No. "0'), ("thousands", 1234567, "#,##0"), ("plain", 1234567.25, "General"),
        ("rounded", 2.71828, "0.00"), ("scientific", 12345, "0.00E+00"), ("in thousands", 1234567, "#,##0,"),
        ("zero", 0, '0;-0;"none"'), ("unit", 12.5, '0.0" kg"'), ("fraction", 0.5, "# ?/?"),
    ]  # fmt: skip
    for row, (what, value, form) in enumerate(values, start=1):
        sheet.write(row, 0, what)
        sheet.write_number(row, 1, value, book.add_format({"num_format": form}))


@made("dates.xlsx")
def _dates(book: Workbook) -> None:
    sheet = book.add_worksheet("Dates")
    sheet.write_row(0, 0, ["what", "when"])
    values = [
        ("iso", date(2026, 2, 1), "yyyy-mm-dd"), ("german", date(2026, 2, 1), "dd.mm.yyyy"),
        ("american", date(2026, 2, 1), "m/d/yy"), ("month", date(2026, 2, 1), "mmm yyyy"),
        ("long", date(2026, 2, 1), "dddd, d mmmm yyyy"),
        ("moment", datetime.fromisoformat("2026-02-01T14:05"), "yyyy-mm-dd hh:mm"),
        ("time", time(14, 5, 9), "hh:mm:ss"), ("afternoon", time(14, 5), "h:mm AM/PM"),
        ("duration", timedelta(hours=30, minutes=5), "[h]:mm"), ("minutes", timedelta(minutes=75, seconds=3), "mm:ss"),
    ]  # fmt: skip
    for row, (what, when, form) in enumerate(values, start=1):
        sheet.write(row, 0, what)
        sheet.write_datetime(row, 1, when, book.add_format({"num_format": form}))


@made("sheets.xlsx")
def _sheets(book: Workbook) -> None:
    first, hidden, empty, last = (book.add_worksheet(name) for name in ("Stock", "Old prices", "Empty", "Sites"))
    first.write_row(0, 0, ["item", "count"])
    first.write_row(1, 0, ["tea", 3])
    hidden.hide()
    hidden.write_row(0, 0, ["item", "price"])
    hidden.write_row(1, 0, ["tea", 2])
    last.write_row(0, 0, ["site", "city"])
    last.write_row(1, 0, ["north", "Oslo"])
    del empty


@made("merged.xlsx")
def _merged(book: Workbook) -> None:
    sheet = book.add_worksheet("Sales")
    sheet.merge_range(0, 0, 0, 4, "Sales by region, 2026")
    sheet.merge_range(1, 0, 2, 0, "region")
    sheet.merge_range(1, 1, 1, 2, "first half")
    sheet.merge_range(1, 3, 1, 4, "second half")
    sheet.write_row(2, 1, ["Q1", "Q2", "Q3", "Q4"])
    sheet.merge_range(3, 0, 4, 0, "North")
    sheet.write_row(3, 1, [1, 2, 3, 4])
    sheet.write_row(4, 1, [5, 6, 7, 8])


@made("formulas.xlsx")
def _formulas(book: Workbook) -> None:
    sheet = book.add_worksheet("Sums")
    sheet.write_row(0, 0, ["a", "b", "sum"])
    sheet.write_row(1, 0, [1, 2])
    sheet.write_formula(1, 2, "=A2+B2", None, 30)
    sheet.write_row(2, 0, [3, 4])
    sheet.write_formula(2, 2, "=T(A3)", None, "none")
    sheet.write_comment(1, 0, "counted twice", {"author": "Ann"})


def _unvalued() -> bytes:
    """As programs write it that compute nothing; the second formula's value is stored, and is the empty text."""
    plain = zipfile.ZipFile(io.BytesIO(MADE["formulas.xlsx"]()))
    parts: dict[str, bytes | str] = {name: plain.read(name) for name in plain.namelist()}
    sheet = plain.read("xl/worksheets/sheet1.xml")
    parts["xl/worksheets/sheet1.xml"] = sheet.replace(b"<v>30</v></c>", b"<v></v></c>").replace(
        b"<v>none</v>", b"<v></v>"
    )
    return zipped(parts)


MADE["unvalued.xlsx"] = _unvalued


@made("chart.xlsx")
def _chart(book: Workbook) -> None:
    sheet = book.add_worksheet("Birds")
    sheet.write_column(0, 0, ["month", "January", "February"])
    sheet.write_column(0, 1, ["owls", 4, 5])
    chart = book.add_chart({"type": "bar"})
    assert chart is not None
    chart.add_series({"name": "=Birds!$B$1", "categories": "=Birds!$A$2:$A$3", "values": "=Birds!$B$2:$B$3"})
    chart.set_title({"name": "Owls by month"})
    sheet.insert_chart(5, 0, chart)
    sheet.insert_textbox(20, 0, "Counted at dawn.")


@made("two-tables.xlsx")
def _two_tables(book: Workbook) -> None:
    sheet = book.add_worksheet("Report")
    sheet.write(0, 0, "Quarterly report of the northern harbours")
    sheet.write_row(2, 0, ["port", "ships"])
    sheet.write_row(3, 0, ["Oslo", 12])
    sheet.write_row(4, 0, ["Bergen", 9])
    sheet.write_row(7, 1, ["crew", "age"])
    sheet.write_row(8, 1, ["Ann", 41])
    sheet.write(10, 0, "All counts are from the harbour master.")


@made("wide.xlsx")
def _wide(book: Workbook) -> None:
    sheet = book.add_worksheet("Wide")
    sheet.write_row(0, 0, ["key", *(f"measurement number {column} of the series" for column in range(1, 17))])
    for row in (1, 2):
        sheet.write_row(row, 0, [f"k{row}", *(f"value {row} in column {column}" for column in range(1, 17))])


ODF = "urn:oasis:names:tc:opendocument:xmlns"


def _spreadsheet() -> bytes:
    def cell(text: str, more: str = "") -> str:
        return f"<table:table-cell {more}><text:p>{text}</text:p></table:table-cell>"

    comment = "<office:annotation><dc:creator>Ann</dc:creator><text:p>not yet</text:p></office:annotation>"
    formula = '<table:table-cell table:formula="of:=[.B1]"/>'
    rest = '<table:table-cell table:number-columns-repeated="16380"/>'
    rows = [
        cell("region", 'table:number-rows-spanned="2"')
        + cell("2026", 'table:number-columns-spanned="2"')
        + "<table:covered-table-cell/>",
        "<table:covered-table-cell/>" + cell("Q1") + cell("Q2"),
        cell("North") + cell("25 %", 'office:value-type="percentage" office:value="0.25"') + cell("1.234,50 €"),
        f"<table:table-cell>{comment}<text:p>South</text:p></table:table-cell>{formula}{rest}",
    ]
    sheet = "".join(f"<table:table-row>{row}</table:table-row>" for row in rows)
    spaces = "".join(f' xmlns:{name}="{ODF}:{name}:1.0"' for name in ("office", "table", "text", "style"))
    styles = '<style:style style:name="off"><style:table-properties table:display="false"/></style:style>'
    hidden = f"<table:table-row>{cell('old')}{cell('1')}</table:table-row>"
    empty = '<table:table-row table:number-rows-repeated="1048570"><table:table-cell/></table:table-row>'
    content = (
        f'<office:document-content{spaces} xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<office:automatic-styles>{styles}</office:automatic-styles><office:body><office:spreadsheet>"
        f'<table:table table:name="Sales">{sheet}{empty}</table:table>'
        f'<table:table table:name="Old" table:style-name="off">{hidden}</table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    return zipped({"mimetype": "application/vnd.oasis.opendocument.spreadsheet", "content.xml": content})


MADE["spreadsheet.ods"] = _spreadsheet
