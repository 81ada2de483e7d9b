"""Values come as people expect them, and an odd one costs no other row."""

from typing import Any

import pytest

from embedmill.producers.sources.base import Item, RowItem
from embedmill.producers.sources.sql.documents import Maker
from embedmill.producers.sources.sql.layouts import Wanted, lay_out
from embedmill.producers.sources.sql.values import Column, ColumnKind, as_id, as_metadata, as_text, is_set
from tests.producers.sources.sql.databases import Database


def row(items: list[Item]) -> RowItem:
    (item,) = items
    assert isinstance(item, RowItem), item
    return item


POSTGRES = {
    "numeric": ("1.10", "1.10", 1.1),
    "numeric(30,3)": ("12345678901234567890.100", "12345678901234567890.100", "12345678901234567890.100"),
    "date": ("infinity", "infinity", "infinity"),
    "timestamp": ("0044-03-15 10:00:00 BC", "0044-03-15 10:00:00 BC", "0044-03-15 10:00:00 BC"),
    "timestamptz": (
        "2026-06-01 12:00:00.123456+05:45",
        "2026-06-01 06:15:00.123456+00",
        "2026-06-01 06:15:00.123456+00",
    ),
    "time": ("24:00:00", "24:00:00", "24:00:00"),
    "interval": ("100 hours", "100:00:00", "100:00:00"),
    "boolean": ("true", "true", True),
    "bytea": ("\\x c3a4", "ä", "ä"),
    "json": ('{"a": 1.10}', '{"a": 1.10}', {"a": 1.1}),
    "text[]": ("{a,NULL,b}", "a, b", ["a", "b"]),
    "int[]": ("{{1,2},{3,4}}", "1, 2, 3, 4", [["1", "2"], ["3", "4"]]),
    "uuid": ("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",) * 3,
    "bigint": ("9223372036854775807", "9223372036854775807", "9223372036854775807"),
    "float8": ("0.1", "0.1", 0.1),
    "inet": ("10.0.0.1/8", "10.0.0.1/8", "10.0.0.1/8"),
    "tsrange": ("[2026-01-01,2026-02-01)", '["2026-01-01 00:00:00","2026-02-01 00:00:00")', None),
    "money": ("12.5", "$12.50", "$12.50"),
}


def test_postgres_prints_its_values(postgresql: Database) -> None:
    columns = ", ".join(f"c{n} {name}" for n, name in enumerate(POSTGRES))
    values = ", ".join(f"'{written}'::{name}" for name, (written, *_) in POSTGRES.items())
    postgresql.execute(f"CREATE TABLE odd (id int PRIMARY KEY, {columns})")
    postgresql.execute(f"INSERT INTO odd SELECT 1, {values}")
    names = tuple(f"c{n}" for n in range(len(POSTGRES)))
    item = row(postgresql.read(table="odd", text=names, metadata=names))
    assert item.text.split("\n\n") == [text for _, text, _ in POSTGRES.values()]
    for number, (name, (_, text, meta)) in enumerate(POSTGRES.items()):
        assert item.metadata[f"c{number}"] == (text if meta is None else meta), name


MYSQL = {
    "decimal(5,2)": ("1.10", "1.10", 1.1),
    "date": ("0000-00-00", "0000-00-00", "0000-00-00"),
    "datetime(6)": ("2026-06-01 12:00:00.600001", "2026-06-01 12:00:00.600001", "2026-06-01 12:00:00.600001"),
    "time": ("838:59:59", "838:59:59", "838:59:59"),
    "bit(9)": ("257", "257", 257),
    "tinyint(1)": ("1", "1", 1),
    "json": ('{"a": 1.10}', '{"a": 1.10}', '{"a": 1.10}'),
    "set('x','y')": ("x,y", "x,y", "x,y"),
    "varbinary(9)": ("ä", "ä", "ä"),
    "bigint unsigned": ("18446744073709551615", "18446744073709551615", "18446744073709551615"),
    "varchar(9) character set latin1": ("ä", "ä", "ä"),
}


def test_mysql_prints_its_values(mysql: Database) -> None:
    columns = ", ".join(f"c{n} {name}" for n, name in enumerate(MYSQL))
    values = ", ".join(written if "bit" in name else f"'{written}'" for name, (written, *_) in MYSQL.items())
    mysql.execute("SET GLOBAL sql_mode = ''")
    mysql.execute(f"CREATE TABLE odd (id int PRIMARY KEY, {columns})")
    mysql.execute(f"INSERT INTO odd VALUES (1, {values})")
    names = tuple(f"c{n}" for n in range(len(MYSQL)))
    item = row(mysql.read(table="odd", text=names, metadata=names))
    assert item.text.split("\n\n") == [text for _, text, _ in MYSQL.values()]
    for number, (name, (_, _, meta)) in enumerate(MYSQL.items()):
        assert item.metadata[f"c{number}"] == meta, name


def test_sqlites_values_keep_the_types_that_they_have_each(sqlite: Database) -> None:
    sqlite.execute("CREATE TABLE odd (id, body)")
    sqlite.execute("INSERT INTO odd VALUES (1, 1.5), ('1', 'text'), (1.0, x'c3a4'), (x'31', cast(x'ff41' AS TEXT))")
    items = sqlite.read(table="odd", id=("id",))
    assert {item.uri.rpartition("/")[2]: item.text for item in items if isinstance(item, RowItem)} == {
        "1": "1.5",
        "'1'": "text",
        "1.0": "ä",
        "x'31'": "\ufffdA",
    }


def test_bytes_that_are_no_text_are_skipped_with_the_reason(database: Database) -> None:
    kind = {"postgresql": "bytea"}.get(database.kind, "blob")
    value = {"postgresql": r"'\xff00'"}.get(database.kind, "x'ff00'")
    database.execute(f"CREATE TABLE odd (id int PRIMARY KEY, body {kind})")
    database.execute(f"INSERT INTO odd VALUES (1, {value})")
    (item,) = database.read(table="odd")
    assert getattr(item, "reason", "") == "its text is binary"


@pytest.mark.parametrize(
    ("value", "kind", "part"),
    [
        (1, ColumnKind.TEXT, "1"),
        ("1", ColumnKind.INTEGER, "1"),
        ("1", ColumnKind.TEXT, "'1'"),
        ("'1'", ColumnKind.TEXT, "''1''"),
        ("x'31'", ColumnKind.TEXT, "'x'31''"),
        (b"1", ColumnKind.TEXT, "x'31'"),
        ("NULL", ColumnKind.TEXT, "'NULL'"),
        ("1e+16", ColumnKind.TEXT, "'1e+16'"),
        ("2024-report", ColumnKind.TEXT, "2024-report"),
        ("0eb3f2c1-9c0b-4ef8-bb6d-6bb9bd380a11", ColumnKind.TEXT, "0eb3f2c1-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("a/b c", ColumnKind.TEXT, "a%2Fb%20c"),
        ("a%2Fb", ColumnKind.TEXT, "a%252Fb"),
        ("é", ColumnKind.TEXT, "é"),
    ],
)
def test_ids_that_differ_have_parts_that_differ(value: Any, kind: ColumnKind, part: str) -> None:
    assert as_id(value, kind) == part


@pytest.mark.parametrize("value", [True, 1, "t", "yes", "2026-01-01", b"\x01", "1"])
def test_a_mark_of_deletion_is_set(value: Any) -> None:
    assert is_set(value)


@pytest.mark.parametrize("value", [None, False, 0, "f", "no", "", "0000-00-00 00:00:00", b"\x00", b"", "0", 0.0])
def test_a_mark_of_deletion_is_not_set(value: Any) -> None:
    assert not is_set(value)


def test_numbers_that_floats_cannot_keep_stay_as_they_are_written() -> None:
    assert (
        as_metadata("0.1000000000000000055511151231257827", ColumnKind.DECIMAL)
        == "0.1000000000000000055511151231257827"
    )
    assert as_metadata("NaN", ColumnKind.DECIMAL) == "NaN"
    written = ("1.10", "-0.50", "-0", "5.000", "123456789012.34", "0.12345678901234", ".5", "1e3", "9" * 16, "9" * 15)
    numbers = [1.1, -0.5, 0, 5, 123456789012.34, 0.12345678901234, 0.5, 1000, "9" * 16, 10**15 - 1]
    assert [as_metadata(text, ColumnKind.DECIMAL) for text in written] == numbers
    assert as_text("t", ColumnKind.BOOLEAN) == "true"


DEEP = "[" * 300 + "]" * 300
ROWS: list[tuple[Any, ...]] = [
    (1, "title", "text", "1.10"),
    ("2", None, "text", None),
    (None, "title", "text", "1"),
    (3, "", "", "1"),
    (4, "t", " \n ", "1"),
    (5, b"title", b"text", "1"),
    (6, b"\xff", b"\xff\xfe", b"\xff"),
    (7, 7, 7.5, 7),
    (8, "title", b"%PDF-1.7", "1"),
    (9, "t", "text", DEEP),
]


@pytest.mark.parametrize("kind", [ColumnKind.TEXT, ColumnKind.INTEGER, ColumnKind.JSON, ColumnKind.BOOLEAN])
@pytest.mark.parametrize("wanted", [{}, {"title": "b"}, {"title": "b", "metadata": ("d",)}, {"uri": "{b}"}])
def test_rows_together_are_what_each_of_them_is(kind: ColumnKind, wanted: dict[str, Any]) -> None:
    ids = ColumnKind.INTEGER if kind is ColumnKind.INTEGER else ColumnKind.TEXT
    columns = [Column("a", ids), Column("b", kind), Column("c", kind), Column("d", ColumnKind.JSON)]
    layout = lay_out(Wanted(ids=("a",), texts=("c",), **wanted), columns, ["a"])
    order = ["abcd".index(column.name) for column in layout.columns]
    rows = [[row[place] for place in order] for row in ROWS]
    one, all_ = (Maker("base", layout, is_unique=True) for _ in range(2))
    assert list(all_.make_all(rows)) == [one.make(row) for row in rows]
