"""A cell that lies far from all others costs nothing, and is read."""

import io
import re
import string
from collections.abc import Mapping
from datetime import date
from random import Random
from typing import Any
from zipfile import ZipFile

import pytest
import xlsxwriter

from embedmill.workers.parsing.sheets import far_cells, far_records
from embedmill.workers.parsing.sheets.far_cells import column_name, column_number, draw_together
from tests.workers.parsing.making import read, texts
from tests.workers.parsing.old_workbooks import Value, old_workbook


def workbook(sheets: Mapping[str, Mapping[str, Any]], *, comment: str = "") -> bytes:
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream) as book:
        money, day = book.add_format({"num_format": "0.00 €"}), book.add_format({"num_format": "dd.mm.yyyy"})
        for name, cells in sheets.items():
            sheet = book.add_worksheet(name)
            for address, value in cells.items():
                form = money if isinstance(value, float) else day if isinstance(value, date) else None
                sheet.write(address, value, form)
            if comment:
                sheet.write_comment(comment, "look here")
    return stream.getvalue()


TABLE = {"A1": "name", "B1": "price", "A2": "plum", "B2": 2.5, "A3": "pear", "B3": 3.0}
ROWS = ["name | price", "plum | 2.50 €", "pear | 3.00 €"]


def moved(data: bytes, places: Mapping[str, str]) -> bytes:
    """The workbook with cells at other addresses: who writes one far away writes a million rows."""

    def move(xml: bytes) -> bytes:
        for before, after in places.items():
            row = before.lstrip("ABCZ"), after.lstrip(string.ascii_uppercase)
            xml = re.sub(rf'<row r="{row[0]}"'.encode(), f'<row r="{row[1]}"'.encode(), xml)
            xml = re.sub(rf'="{before}(?=[":])'.encode(), f'="{after}'.encode(), xml)
            xml = re.sub(rf':{before}"'.encode(), f':{after}"'.encode(), xml)
        return xml

    return edited(data, move)


def texts_of(data: bytes) -> list[str]:
    return texts(read(data, "a.xlsx"))


@pytest.mark.parametrize("far", ["XFD1048576", "AZ1048576", "B1048576"])
def test_a_stray_cell_far_from_all_others_is_a_remark(far: str) -> None:
    data = moved(workbook({"One": {**TABLE, "Z99": "stray"}, "Two": TABLE}, comment="Z99"), {"Z99": far})
    assert texts_of(data) == [
        "One",
        *ROWS,
        "stray",
        f"Comment on {far}: look here",
        "Two",
        *ROWS,
        f"Comment on {far}: look here",
    ]


def test_a_far_cell_keeps_its_format_and_stands_beside_its_row() -> None:
    data = workbook({"One": {**TABLE, "XFD2": 9.0, "Z99": date(2026, 2, 1)}})
    found = texts_of(moved(data, {"Z99": "Z1048576"}))
    assert found == ["One", *ROWS, "plum | 9.00 €", "01.02.2026"]


def test_formulas_without_a_value_are_named_by_their_own_addresses() -> None:
    data = workbook({"One": {**TABLE, "Z99": "=A1"}})
    cut = edited(moved(data, {"Z99": "XFD1048576"}), lambda xml: re.sub(rb"</f><v>[^<]*</v>", b"</f>", xml))
    assert read(cut, "a.xlsx").notes == ("1 formula without a stored value in One: XFD1048576",)


def test_merged_cells_reach_as_far_as_what_they_cover() -> None:
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream) as book:
        sheet = book.add_worksheet("One")
        sheet.write_row("A1", ["region", "sales"])
        sheet.merge_range("A50:A51", "North")
        sheet.write("B50", "1")
        sheet.write("B51", "2")
        sheet.write("Z99", "stray")
    places = {"A50": "A500000", "B50": "B500000", "A51": "A500001", "B51": "B500001", "Z99": "XFD1048576"}
    assert texts_of(moved(stream.getvalue(), places)) == ["One", "region | sales", "North | 1", "North | 2", "stray"]


def test_a_sheet_whose_cells_are_scattered_is_left_out_with_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(far_cells, "MOST_PLACES", 1000)
    random = Random(0)
    scattered = {f"{column_name(random.randrange(1, 16_000)).decode()}{row}": "x" for row in range(1, 3000, 30)}
    found = read(workbook({"One": scattered, "Two": TABLE}), "a.xlsx")
    assert texts(found) == ["Two", *ROWS]
    assert found.notes == ("the cells of a sheet were left out, which lie too far apart: One",)


def test_sheets_without_far_cells_are_left_as_they_are() -> None:
    xml = ZipFile(io.BytesIO(workbook({"One": TABLE}))).read("xl/worksheets/sheet1.xml")
    assert draw_together(xml) is xml
    styled = b'<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576" s="1"/></row>'
    assert draw_together(styled) is styled


def test_far_cells_of_old_workbooks_are_brought_nearer() -> None:
    table: dict[tuple[int, int], Value] = {(0, 0): "name", (0, 1): "price", (1, 0): "plum", (1, 1): 2.5}
    far: dict[tuple[int, int], Value] = {(65_535, 255): "stray", (300, 200): [float(number) for number in range(30)]}
    data = old_workbook({"One": {**table, **far}, "Two": table})
    near = far_records.draw_together(data).data
    assert near != data
    assert texts(read(data, "a.xls")) == [
        *("One", "name | price", "plum | 2.5", " | ".join(map(str, range(30))), "stray"),
        *("Two", "name | price", "plum | 2.5"),
    ]  # fmt: skip
    assert far_records.draw_together(near).data == near


def test_an_old_sheet_whose_cells_lie_too_far_apart_is_left_out_by_name() -> None:
    scattered: dict[tuple[int, int], Value] = {(20 * row, row): float(row) for row in range(256)}
    scattered |= {(20 * row + 5000, 255 - row): float(row) for row in range(256)}
    found = read(old_workbook({"One": scattered, "Two": {(0, 0): "a", (0, 1): "b"}}), "a.xls")
    assert texts(found) == ["Two", "a | b"]
    assert found.notes == ("the cells of a sheet were left out, which lie too far apart: One",)


@pytest.mark.parametrize("value", [b"\x07", b"\x02\x07"])
def test_errors_of_old_workbooks_are_shown(value: bytes) -> None:
    data = old_workbook({"One": {(0, 0): "name", (0, 1): "x", (1, 0): "plum", (1, 1): value}})
    assert texts(read(data, "a.xls"))[-1] == "plum | #DIV/0!"


@pytest.mark.parametrize("small", [False, True])
def test_values_of_old_workbooks_are_shown_as_a_person_sees_them(*, small: bool) -> None:
    formats = {0: "General", 164: "0.0%", 165: '#,##0.00 "€"', 12: "# ?/?"}
    cells: dict[tuple[int, int], Value] = {(0, at): name for at, name in enumerate(("item", "share", "price", "size"))}
    cells |= {(1, 0): "plum", (1, 1): 0.125, (1, 2): 1234.5, (1, 3): 1.5, (2, 0): [7, 1, 2, 3]}
    data = old_workbook({"One": cells, "Two": {(0, 0): "a", (0, 1): b"\x07"}}, formats=formats, small=small)
    assert texts(read(data, "a.xls"))[1:] == [
        *("item | share | price | size", "plum | 12.5% | 1,234.50 € | 1 1/2", "7 | 100.0% | 2.00 € | 3"),
        *("Two", "a | #DIV/0!"),
    ]  # fmt: skip


@pytest.mark.parametrize("cut", [0, 40, 513, 1100, 2100])
def test_an_old_workbook_of_another_layout_is_left_as_it_is(cut: int) -> None:
    data = old_workbook({"One": {(0, 0): "a", (65_535, 255): "stray"}})[:cut]
    assert far_records.draw_together(data).data == data


def test_columns_have_names() -> None:
    assert [column_name(number) for number in (1, 26, 27, 702, 703, 16_384)] == [
        b"A",
        b"Z",
        b"AA",
        b"ZZ",
        b"AAA",
        b"XFD",
    ]
    assert [column_number(name) for name in (b"A", b"AZ", b"XFD")] == [1, 52, 16_384]


def edited(data: bytes, edit: Any) -> bytes:
    out = io.BytesIO()
    with ZipFile(io.BytesIO(data)) as archive, ZipFile(out, "w") as made:
        for name in archive.namelist():
            content = archive.read(name)
            made.writestr(name, edit(content) if name.startswith(("xl/worksheets/", "xl/comments")) else content)
    return out.getvalue()
