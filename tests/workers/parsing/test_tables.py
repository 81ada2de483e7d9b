"""Tables on the way from a parser to blocks: heads, spans on a grid, wide tables in bands, parts and lists."""

import io

import pytest
import xlsxwriter

from embedmill.workers.chunking import normalise
from embedmill.workers.parsing.document import Block, BlockKind, ParsedDocument
from embedmill.workers.parsing.draft import Draft
from embedmill.workers.parsing.grid import COLUMNS, Cell, bands, place
from embedmill.workers.parsing.spread import Spread
from embedmill.workers.parsing.table import WAITING_ROWS
from tests.workers.parsing.making import LIMITS, read, shape, texts

H, P, L, T, C = (
    BlockKind.HEADING, BlockKind.PARAGRAPH, BlockKind.LIST_ITEM, BlockKind.TABLE_ROW, BlockKind.CAPTION,
)  # fmt: skip


PICTURE = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108020000009077"
    "53de0000000c49444154789c63f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
)


def draft() -> Draft:
    return Draft("text/plain", name="a", limits=LIMITS)


def heads(document: ParsedDocument) -> list[list[str]]:
    """For each block of a table, the texts of its head."""
    return [[one.text for one in document.blocks[slice(*block.head)]] for block in document.blocks if block.head]


def test_rows_know_the_head_of_their_table() -> None:
    made = draft()
    made.paragraph("before")
    table = made.table("Table 1: fruit")
    table.head(["name", "price"])
    table.row(["plum", "2"])
    table.row(["", ""])
    table.row(["", "3", ""])
    made.paragraph("after")
    found = made.finish()
    assert shape(found) == [
        (P, "before"), (C, "Table 1: fruit"), (T, "name | price"), (T, "plum | 2"), (T, " | 3"), (P, "after"),
    ]  # fmt: skip
    assert heads(found) == [["Table 1: fruit", "name | price"]] * 4
    stored = normalise(found)
    assert stored.text == "before\n\nTable 1: fruit\nname | price\nplum | 2\n| 3\n\nafter"
    assert [block.head and stored.text[slice(*block.head)] for block in stored.blocks] == [
        None, *["Table 1: fruit\nname | price"] * 4, None,
    ]  # fmt: skip
    assert [block.in_head for block in stored.blocks] == [False, True, True, False, False, False]


def test_tables_beside_each_other_stay_apart() -> None:
    made = draft()
    for name in "ab":
        made.table().row([name, "1"])
    found = made.finish()
    assert [block.head for block in found.blocks] == [(0, 0), (1, 1)]
    assert normalise(found).text == "a | 1\n\nb | 1"


def test_a_table_goes_on_after_what_stands_between_its_rows() -> None:
    made = draft()
    table = made.table()
    table.head(["k"])
    table.row(["1"])
    made.table().row(["inner"])
    table.row(["2"])
    table.head(["k again"])
    found = made.finish()
    assert texts(found) == ["k", "1", "inner", "2", "k again"]
    assert [block.head for block in found.blocks] == [(0, 1), (0, 1), (2, 2), (0, 1), (0, 1)]


def test_a_table_may_end_without_rows() -> None:
    made = draft()
    made.table()
    made.table("Only a caption")
    made.table().head(["only", "a head"])
    assert texts(made.finish()) == ["Only a caption", "only | a head"]


def test_a_wide_table_is_cut_by_columns_and_repeats_the_first() -> None:
    made = draft()
    table = made.table("Wide")
    table.head([f"column number {n}" for n in range(60)])
    for row in range(WAITING_ROWS + 1):
        table.row([f"row {row}", *(f"value {row} of {n}" if n % 7 else "" for n in range(1, 60))])
    found = made.finish()
    for block in found.blocks:
        assert block.head is not None
        head = found.blocks[block.head[1] - 1]
        assert len(block.text) <= 600
        for cell in block.text.split(" | ")[1:]:
            if cell.startswith("value"):
                place_ = block.text.split(" | ").index(cell)
                assert head.text.split(" | ")[place_].split()[-1] == cell.split()[-1]
        assert block.kind is C or block.text.startswith(("column number 0 | ", "row "))
    assert sum(block.text.count("value") for block in found.blocks) == (WAITING_ROWS + 1) * 51


def test_few_columns_and_short_rows_are_one_band() -> None:
    assert bands([["x" * 900] * 8]) == [list(range(8))]
    assert bands([["x"] * 60]) == [list(range(60))]
    assert bands([]) == [[]]
    assert bands([["k" * 900, *["v"] * 9], ["k" * 900]]) == [[0, *range(1, 10)]]


def test_a_remark_far_to_the_right_is_a_short_row_of_its_own() -> None:
    made = draft()
    table = made.table()
    table.head(["name", "price"])
    table.row(["plum", "2", *[""] * 700, "check this"])
    table.row(["pear", "3"])
    table.row(["fig"])
    table.row([*[""] * 900, "alone"])
    found = made.finish()
    assert texts(found) == ["name | price", "plum | 2", "pear | 3", "fig", "plum | check this", " | alone"]
    assert heads(found) == [["name | price"]] * 4 + [[]] * 2


def test_a_remark_far_to_the_right_is_kept_however_late_it_comes() -> None:
    made = draft()
    table = made.table("Prices")
    table.head(["name", "price"])
    for number in range(WAITING_ROWS + 1):
        table.row([f"n{number}", "1"])
    table.row(["late", "2", "near", *[""] * 40, "far", "", "off"])
    table.row([*[""] * 50, "alone"])
    found = made.finish()
    assert texts(found)[-5:] == [f"n{WAITING_ROWS} | 1", "late | 2 | near", "Prices", "late | far | off", "alone"]
    assert heads(found)[-2:] == [["Prices"]] * 2


def test_no_band_holds_the_key_alone() -> None:
    made = draft()
    table = made.table()
    table.head(["key", *(f"a rather long name of column {n}" for n in range(1, 30)), *[""] * 60])
    table.row(["k1", *(f"value {n}" for n in range(1, 30)), *[""] * 59, "stray"])
    table.row(["k2", *[""] * 25, "only here"])
    found = texts(made.finish())
    assert all(text.count(" | ") for text in found)
    assert "key" not in found
    assert found[-1] == "k1 | stray"
    assert sum("k2" in text for text in found) == 1


def test_columns_without_cells_cost_a_wide_table_nothing() -> None:
    spread = [["k", *(cell for n in range(20) for cell in ("", "", f"a value of many words, number {n}"))]]
    dense = [[cell for cell in spread[0] if cell]]
    assert len(bands(spread)) == len(bands(dense))


def test_spans_are_placed_on_a_grid() -> None:
    assert place([
        [Cell("Region", rows=2), Cell("Sales", columns=2)],
        [Cell("Q1"), Cell("Q2")],
        [Cell("North", rows=2), Cell("1"), Cell("2")],
        [Cell("3"), Cell("4")],
        [Cell("South"), Cell("sold out", columns=2)],
    ]) == [
        ["Region", "Sales", "Sales"],
        ["Region", "Q1", "Q2"],
        ["North", "1", "2"],
        ["North", "3", "4"],
        ["South", "sold out", "sold out"],
    ]  # fmt: skip


def test_spans_without_an_end_stay_within_the_table() -> None:
    assert place([[Cell("a", columns=10**9), Cell("b")], [Cell("c"), Cell("d", rows=0)], [Cell("e")]]) == [
        ["a", "a", "b"],
        ["c", "d"],
        ["e", "d"],
    ]  # fmt: skip
    assert place([[Cell("a", columns=10**9)]]) == [["a"]]
    assert len(place([[Cell("x") for _ in range(COLUMNS + 5)]])[0]) == COLUMNS + 5


def test_list_items_show_their_marker_and_depth() -> None:
    made = draft()
    made.list_item("Open valve B.", marker="2.")
    made.list_item("nested", marker="-", depth=1)
    made.list_item(" ", marker="3.")
    found = made.finish()
    assert [(block.kind, block.text, block.level) for block in found.blocks] == [
        (L, "2. Open valve B.", 0), (L, "  - nested", 1),
    ]  # fmt: skip
    assert normalise(found).text == "2. Open valve B.\n  - nested"


def test_another_document_keeps_its_parts_and_heads_where_it_is_taken_over() -> None:
    inner = draft()
    inner.part()
    inner.table().head(["k"])
    inner.part()
    inner.heading("H", level=1)
    made = draft()
    made.paragraph("mail")
    made.part()
    made.extend(inner.finish(), below=1)
    made.part()
    made.caption("last")
    assert made.finish().blocks == (
        Block(P, "mail"),
        Block(T, "k", part=1, head=(1, 2), under=1),
        Block(H, "H", 2, part=2, under=1),
        Block(C, "last", part=3),
    )


def test_what_a_formula_failed_with_stands_in_its_cell() -> None:
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream) as book:
        sheet = book.add_worksheet("One")
        sheet.write_row("B2", ["name", "share"])
        sheet.write("B3", "plum")
        sheet.write_formula("C3", "=1/0", book.add_format({"num_format": "0%"}), "#DIV/0!")
        sheet.write_formula("C4", "=NA()", None, "#N/A")
    assert texts(read(stream.getvalue(), "a.xlsx")) == ["One", "name | share", "plum | #DIV/0!", " | #N/A"]


def test_a_header_is_known_by_its_looks_where_cells_span_others_and_where_years_go_up() -> None:
    def heads_of(*rows: list[Cell]) -> int:
        made = draft()
        Spread(rows=list(rows)).lay_out(made)
        head = made.finish().blocks[0].head
        assert head
        return head[1]

    values = [Cell("North"), Cell("1"), Cell("2")]
    assert heads_of([Cell("Shop"), Cell("Sales", columns=2)], values, values) == 1
    assert heads_of([Cell("Shop", rows=2), Cell("Sales", columns=2)], [Cell("H1"), Cell("H2")], values) == 2
    assert heads_of([Cell("Shop"), Cell("2025"), Cell("2026")], values) == 1
    assert heads_of([Cell("Ada"), Cell("1815"), Cell("1852")], values) == 0
    assert heads_of([Cell("Ada"), Cell("1952"), Cell("2")], values) == 0
    assert heads_of([Cell("Shop"), Cell("Sales"), Cell("Sales")], values) == 0


@pytest.mark.parametrize(
    ("source", "rows"),
    [
        (b"a;b;c\n1;2\n1;2;3;4\n1;2;3;4;5\n", ["a | b | c", "1 | 2", "1 | 2 | 3 | 4", "1 | 2 | 3 | 4 | 5"]),
        (b"List\n\na;b;c\n1;x;\n2;y;z;w\n3;q\n", ["List", "a | b | c", "1 | x", "2 | y | z | w", "3 | q"]),
    ],
)
def test_rows_of_different_lengths_make_no_text_of_a_table(source: bytes, rows: list[str]) -> None:
    found = read(source, "a.csv")
    assert (texts(found), found.notes) == (rows, ())


def test_a_sheet_keeps_scripts_pictures_words_and_what_runs_over_its_pages() -> None:
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream) as book:
        sheet = book.add_worksheet("One")
        up, down = book.add_format({"font_script": 1}), book.add_format({"font_script": 2})
        sheet.write_rich_string("A1", "10", up, "-3", " m of H", down, "2", "O")
        sheet.write_rich_string("A2", "1", up, "2")
        sheet.write("A3", "12")
        sheet.insert_image("A5", "p.png", {"image_data": io.BytesIO(PICTURE), "description": "A mill"})
        sheet.set_header('&L&"Arial,Bold"&14Ledger of R&&D &D&CPage &P of &N')
        sheet.set_footer("&LLedger of R&&D")
    found = texts(read(stream.getvalue(), "a.xlsx"))
    assert found == ["One", "10^-3 m of H_2O", "12", "12", "A mill", "Ledger of R&D Page of", "Ledger of R&D"]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.csv", b"Power,750 W\nVoltage,230 V\nWeight,12 kg\n"),
        ("a.html", b"<table><tr><td>Power<td>750 W<tr><td>Voltage<td>230 V<tr><td>Weight<td>12 kg</table>"),
    ],
)
def test_a_measure_above_measures_heads_nothing(name: str, data: bytes) -> None:
    assert {block.head for block in read(data, name).blocks} == {(0, 0)}
    named = read(data.replace(b"750 W", b"1st"), name)
    assert {block.head for block in named.blocks} == {(0, 1)}
