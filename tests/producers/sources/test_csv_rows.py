"""Each row of a CSV file is a document or a problem with a row and a line number, in every common dialect."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from embedmill.producers.sources import csv_rows
from embedmill.producers.sources.base import Item, Problem, ReadContext, RowItem
from embedmill.producers.sources.csv_rows import CsvSource, holds_rows
from embedmill.producers.sources.options import FieldMap


def read(tmp_path: Path, data: str | bytes, fields: FieldMap | None = None) -> list[Item]:
    path = tmp_path / "a.csv"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return list(CsvSource(bytes(path), fields or FieldMap()))


def rows(items: list[Item]) -> list[RowItem]:
    return [item for item in items if isinstance(item, RowItem)]


def problems(items: list[Item]) -> list[tuple[int | None, str]]:
    return [(item.line, item.reason) for item in items if isinstance(item, Problem)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_every_dialect_gives_the_same_rows(tmp_path: Path, delimiter: str, newline: str, mark: str) -> None:
    table = [["id", "title", "text", "lang"], ["1", "T,;|", 'say "hi"\nthere', "de"], ["2", "", "b", ""]]
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, lineterminator=newline).writerows(table)
    one, two = rows(read(tmp_path, mark + out.getvalue()))
    assert (one.uri, one.title, one.text, one.metadata) == ("1", "T,;|", 'say "hi"\nthere', {"lang": "de"})
    assert (two.uri, two.title, two.text, two.metadata) == ("2", "", "b", {})


def test_formulas_stay_what_they_are(tmp_path: Path) -> None:
    row = rows(read(tmp_path, 'id,text,x\n1,"=HYPERLINK(""http://x"")",+1-2\n'))[0]
    assert row.text == '=HYPERLINK("http://x")'
    assert row.metadata == {"x": "+1-2"}


def test_columns_can_be_mapped_and_none_is_lost(tmp_path: Path) -> None:
    fields = FieldMap(id="key", text="body")
    row = rows(read(tmp_path, " key ,body,body,,id\nk,a,b,c,d\n", fields))[0]
    assert (row.uri, row.text) == ("k", "a")
    assert row.metadata == {"body 3": "b", "column 4": "c", "id": "d"}


def test_a_metadata_cell_is_json(tmp_path: Path) -> None:
    items = read(tmp_path, 'id|text|metadata\n1|a|{"k":[1]}\n2|b|\n3|c|oops\n4|d|[1]\n')
    assert [row.metadata for row in rows(items)] == [{"k": [1]}, {}]
    assert [line for line, _ in problems(items)] == [4, 5]


def test_problems_say_the_line_where_their_row_starts(tmp_path: Path) -> None:
    items = read(tmp_path, 'id,text\n1,"two\nlines"\n,x\n2\n3,a,b\n1,again\n4,fine,,\n\n,\n')
    assert [row.uri for row in rows(items)] == ["1", "4"]
    found = problems(items)
    assert [line for line, _ in found] == [4, 5, 6, 7]
    assert "3 cells under a header of 2" in found[2][1]


def test_a_quote_that_never_ends_is_a_problem_and_not_a_document(tmp_path: Path) -> None:
    items = read(tmp_path, 'id,text\n1,a\n2,"b\n3,c\n')
    assert [row.uri for row in rows(items)] == ["1"]
    assert problems(items)[0][0] == 3


def test_bytes_that_are_not_utf8_and_nul_bytes_spoil_their_row_only(tmp_path: Path) -> None:
    items = read(tmp_path, b"id,text\n1,\xff\n2,a\0b\n3,\xc3\xbc\n")
    assert [row.text for row in rows(items)] == ["ü"]
    assert [line for line, _ in problems(items)] == [2, 3]


def test_a_table_in_a_legacy_encoding_is_read_by_a_guess_that_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("id;text;größe\n1;El niño mañana;2\n2;São Paulo;3\n".encode("cp1252"))
    assert holds_rows(bytes(path), FieldMap())
    context = ReadContext()
    found = list(CsvSource(bytes(path)).read(context))
    assert [row.text for row in rows(found)] == ["El niño mañana", "São Paulo"]
    assert rows(found)[0].metadata == {"größe": "2"}
    (remark,) = context.remarks
    assert remark.reason == "it was read as rows: 2 of them; its encoding was guessed: windows-1252"


def test_a_cell_may_be_far_larger_than_the_csv_modules_default(tmp_path: Path) -> None:
    csv.field_size_limit(131_072)
    assert len(rows(read(tmp_path, "id,text\n1," + "x" * 2_000_000 + "\n"))[0].text) == 2_000_000


def test_an_over_long_line_is_a_problem_and_the_next_row_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_rows, "MAX_ROW_BYTES", 1000)
    items = read(tmp_path, "id,text\n1," + "x" * 5000 + "\n2,b\n3,c\n")
    assert [row.uri for row in rows(items)] == ["2", "3"]
    assert problems(items)[0][0] == 2


def test_a_line_of_exactly_the_limit_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_rows, "MAX_ROW_BYTES", 1000)
    assert len(rows(read(tmp_path, "id,text\n1," + "x" * 997 + "\n2,b\n"))) == 2


@pytest.mark.parametrize("data", [b"", b"\n", b"a,b\n1,2\n", "id,text\n1,a\n".encode("utf-16"), b'"id,text\n'])
def test_a_file_without_the_columns_is_one_problem(tmp_path: Path, data: bytes) -> None:
    assert [line for line, _ in problems(read(tmp_path, data))] == [1]
    assert not holds_rows(bytes(tmp_path / "a.csv"), FieldMap())


def test_a_missing_file_is_a_problem_and_holds_no_rows(tmp_path: Path) -> None:
    path = bytes(tmp_path / "missing.csv")
    assert isinstance(next(iter(CsvSource(path))), Problem)
    assert not holds_rows(path, FieldMap())


def test_rows_come_while_the_rest_is_still_unread(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,text\n" + "".join(f"{n},{'x' * 500}\n" for n in range(20_000)))
    stream = iter(CsvSource(bytes(path)))
    assert next(stream).uri == "0"
    with path.open("a") as end:
        end.write("late,x\n")
    assert [item.uri for item in stream][-1] == "late"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_stop_the_enumeration(tmp_path: Path, data: bytes) -> None:
    for item in read(tmp_path, b"id,text\n" + data):
        assert isinstance(item, RowItem | Problem)
