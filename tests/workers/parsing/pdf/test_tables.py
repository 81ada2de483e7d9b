"""Tables keep their rows, their empty cells and their header, whether rules are drawn around them or not."""

from collections.abc import Sequence

import pytest

from embedmill.workers.parsing.document import BlockKind, ParsedDocument
from tests.workers.parsing.making import shape, texts
from tests.workers.parsing.pdf.drawing import Page, read

ROWS = [
    ["Product", "Q1", "Q2", "Note"],
    ["Apples", "10", "", "good"],
    ["Pears", "", "30", "bad"],
    ["Plums", "5", "6", ""],
]
TOLD = ["Product | Q1 | Q2 | Note", "Apples | 10 |  | good", "Pears |  | 30 | bad", "Plums | 5 | 6"]
COLUMNS = (80, 180, 230, 280, 380)


def put(
    page: Page,
    rows: Sequence[Sequence[str]],
    *,
    top: float = 690,
    leading: float = 18,
    columns: Sequence[int] = COLUMNS,
) -> Page:
    for number, row in enumerate(rows):
        for column, text in zip(columns, row, strict=False):
            if text:
                page.text(column, top - leading * number, text)
    return page


def grid(page: Page, levels: Sequence[float], columns: Sequence[int] = COLUMNS) -> Page:
    for y in levels:
        page.rule(columns[0] - 4, y, columns[-1] - 4, y)
    for x in columns:
        page.rule(x - 4, levels[0], x - 4, levels[-1])
    return page


def rows(document: ParsedDocument) -> list[str]:
    return texts(document, BlockKind.TABLE_ROW)


def heads(document: ParsedDocument) -> set[tuple[int, int] | None]:
    return {block.head for block in document.blocks if block.kind is BlockKind.TABLE_ROW}


def test_a_table_without_rules_is_rows_with_empty_cells_in_place() -> None:
    document = read(put(Page(), ROWS))
    assert rows(document) == TOLD
    assert heads(document) == {(0, 1)}


def test_a_table_that_is_drawn_column_by_column_is_rows() -> None:
    page = Page().text(80, 720, "Above it stands a line.")
    for x, column in zip(COLUMNS, zip(*ROWS, strict=True), strict=False):
        page.lines(x, 690, *column, leading=18)
    document = read(page.text(80, 600, "Below it, too."))
    assert rows(document) == TOLD
    assert texts(document, BlockKind.PARAGRAPH) == ["Above it stands a line.", "Below it, too."]


def test_numbers_that_are_set_flush_right_are_one_column() -> None:
    page = Page()
    for number, (name, amount) in enumerate([("Tea", "1,250"), ("Coffee", "90"), ("Milk", "7")]):
        page.text(80, 690 - 18 * number, name).text(250 - 6.67 * len(amount), 690 - 18 * number, amount)
    assert rows(read(page)) == ["Tea | 1,250", "Coffee | 90", "Milk | 7"]


def test_a_grid_is_read_cell_by_cell() -> None:
    document = read(grid(put(Page(), ROWS), [705, 687, 669, 651, 633]))
    assert rows(document) == TOLD
    assert heads(document) == {(0, 1)}


def test_names_of_columns_that_are_turned_upward_or_downward_head_them() -> None:
    columns = (80, 180, 230, 280)
    page = grid(put(Page(), [["Ann", "x", ""], ["Bob", "", "x"]], top=630), [705, 645, 627, 609], columns)
    page.text(80, 650, "Name", font="Helvetica-Bold")
    page.draw("BT /F1 12 Tf 0 1 -1 0 192 650 Tm (Monday) Tj 0 -1 1 0 242 700 Tm (Friday) Tj ET")
    assert rows(read(page)) == ["Name | Monday | Friday", "Ann | x", "Bob |  | x"]


def test_cells_of_several_lines_are_one_cell_where_rules_part_the_rows() -> None:
    page = put(Page(), [["Item", "What it is for"]], columns=(80, 180))
    page.lines(80, 670, "Long name", "of it").lines(180, 670, "It opens the", "valve.").text(80, 630, "B").text(
        180, 630, "Shuts it."
    )
    grid(page, [705, 687, 645, 620], columns=(80, 180, 300))
    assert rows(read(page)) == ["Item | What it is for", "Long name of it | It opens the valve.", "B | Shuts it."]


def test_a_list_in_a_cell_has_the_signs_of_one() -> None:
    page = grid(put(Page(), [["Visit", "Paid"]], columns=(80, 180)), [705, 687, 640], columns=(80, 180, 300))
    page.lines(80, 675, "\x95 of oil", "\x95").text(104, 663, "of air").text(180, 675, "yes")
    assert rows(read(page)) == ["Visit | Paid", "- of oil - of air | yes"]


def test_rows_that_begin_at_one_height_are_rows_though_they_are_drawn_cell_by_cell() -> None:
    page = Page().text(80, 718, "Date").text(140, 718, "Text").text(300, 718, "Amount")
    page.text(80, 690, "03.11.").lines(140, 690, "Transfer of money", "by a client").text(300, 690, "15,852")
    page.text(80, 648, "04.11.").lines(140, 648, "Card", "at a hotel", "in Oslo").text(300, 648, "2,310")
    assert rows(read(page)) == [
        *("Date | Text | Amount", "03.11. | Transfer of money by a client | 15,852"),
        "04.11. | Card at a hotel in Oslo | 2,310",
    ]  # fmt: skip


def test_rows_between_rules_are_rows_though_they_end_at_one_height() -> None:
    page = Page().text(80, 700, "Question").text(200, 700, "Answer").text(80, 660, "What is it?")
    page.lines(200, 674, "It is long and goes", "over two lines").text(80, 640, "Why?").text(200, 640, "Because.")
    for y in (715, 692, 652, 632):
        page.rule(76, y, 400, y)
    told = ["Question | Answer", "What is it? | It is long and goes over two lines", "Why? | Because."]
    assert rows(read(page)) == told


def test_a_column_of_single_letters_that_is_drawn_alone_is_no_word() -> None:
    page = Page().lines(300, 690, *"BABABA", leading=15)
    assert texts(read(page)) == ["B A B A B A"]


@pytest.mark.parametrize("leading", [14, 22])
def test_rows_whose_cells_are_centred_on_one_height_are_rows(leading: int) -> None:
    page = Page()
    for number, (name, texts_, price) in enumerate(
        [
            ("Pos.", ["Description"], "Price"),
            ("1", ["A pump of steel,", "for hot water"], "1,250"),
            ("2", ["Seal"], "35"),
        ]
    ):
        middle = 690 - 2 * leading * number
        page.text(80, middle, name)
        for at, text in enumerate(texts_):
            page.text(120, middle + leading / 2 * (len(texts_) - 1) - leading * at, text)
        page.text(300, middle, price)
    page.text(250, 670 - 4 * leading, "Sum").text(300, 670 - 4 * leading, "1,285")
    assert rows(read(page)) == [
        *("Pos. | Description |  | Price", "1 | A pump of steel, for hot water |  | 1,250", "2 | Seal |  | 35"),
        " |  | Sum | 1,285",
    ]  # fmt: skip


def test_names_of_columns_with_narrow_gaps_stand_over_their_columns() -> None:
    page = Page()
    for number, row in enumerate([("Year", "Sales", "Turnover"), ("2021", "1,250", "110"), ("2022", "1,375", "119")]):
        for text, left in zip(row, (80, 120, 152) if not number else (80, 122, 170), strict=True):
            page.text(left, 690 - 18 * number, text, size=10)
    assert rows(read(page)) == ["Year | Sales | Turnover", "2021 | 1,250 | 110", "2022 | 1,375 | 119"]


def test_names_of_columns_stand_over_numbers_that_are_set_flush_right_beside_them() -> None:
    page = Page()
    for number, row in enumerate(
        [("Item", "Size", "When"), ("Red", "12", "7"), ("Blue", "13", "9"), ("Grey", "2", "8")]
    ):
        for text, left, right in zip(row, (80, 120, 180), (0, 170, 230), strict=True):
            place = left if not number or not right else right - 5.56 * len(text)
            page.text(place, 690 - 14 * number, text, size=10)
    assert rows(read(page)) == ["Item | Size | When", "Red | 12 | 7", "Blue | 13 | 9", "Grey | 2 | 8"]


def test_cells_of_several_lines_are_one_cell_without_rules() -> None:
    page = put(Page(), [["Item", "Purpose"]], columns=(80, 180))
    page.text(80, 660, "A").lines(180, 660, "It opens the valve and", "shuts the other", leading=13)
    page.text(80, 617, "B").lines(180, 617, "It shuts the valve and", "opens the other", leading=13)
    page.text(80, 574, "C").text(180, 574, "Nothing")
    assert rows(read(page))[1:] == [
        "A | It opens the valve and shuts the other",
        "B | It shuts the valve and opens the other",
        "C | Nothing",
    ]


def test_a_cell_over_two_columns_stands_in_both() -> None:
    page = Page().text(80, 690, "Item").text(200, 690, "Sales").text(180, 672, "2023").text(230, 672, "2024")
    page.text(80, 654, "Tea").text(180, 654, "1").text(230, 654, "2")
    for y in (705, 651):
        page.rule(76, y, 276, y)
    page.rule(176, 687, 276, 687).rule(76, 669, 276, 669)
    for x, top in ((76, 705), (176, 705), (226, 687), (276, 705)):
        page.rule(x, top, x, 651)
    assert rows(read(page)) == ["Item | Sales | Sales", "Item | 2023 | 2024", "Tea | 1 | 2"]


def test_rules_above_and_below_the_header_say_what_it_is() -> None:
    page = put(
        Page(), [["Name", "Kind"], ["Alpha", "first"], ["Beta", "second"], ["Gamma", "third"]], columns=(80, 180)
    )
    document = read(page.rule(76, 705, 260, 705).rule(76, 684, 260, 684).rule(76, 630, 260, 630))
    assert rows(document)[0] == "Name | Kind"
    assert heads(document) == {(0, 1)}


def test_a_caption_above_belongs_to_its_table() -> None:
    for font in ("Helvetica", "Helvetica-Bold"):
        document = read(put(Page().text(80, 715, "Table 3: Fruit by quarter", font=font), ROWS))
        assert shape(document)[0] == (BlockKind.CAPTION, "Table 3: Fruit by quarter")
        assert heads(document) == {(0, 2)}


def test_a_table_that_goes_on_over_the_page_keeps_its_header_and_says_it_once() -> None:
    document = read(put(Page(), ROWS), put(Page(), [ROWS[0], ["Figs", "1", "2", "new"], ["Nuts", "3", "", "old"]]))
    assert rows(document) == [*TOLD, "Figs | 1 | 2 | new", "Nuts | 3 |  | old"]
    assert heads(document) == {(0, 1)}


def test_prose_lists_code_and_contents_are_no_tables() -> None:
    wide = [" ".join(["text"] * number) + "    and behind a gap there is more of it" for number in (4, 7, 5, 9)]
    code = Page().lines(72, 700, "x <- 0;    y <- 1", "a <- 2;    b <- 3", "c <- 4;    d <- 5", font="Courier")
    items = put(Page(), [["1.", "Open it"], ["2.", "Shut it"], ["3.", "Wait"]], columns=(80, 110))
    articles = [["Article 2.", "Term"], ["2.1", "It ends"], ["Article 5.", "Fees"], ["5.1", "None"]]
    levels = put(Page(), articles, columns=(80, 150))
    contents = put(Page(), [["Aim", "1"], ["Method", "4"], ["Results", "9"], ["Index", "12"]], columns=(80, 400))
    pages = (Page().lines(72, 700, *wide), code, items, levels, contents)
    assert [rows(read(page)) for page in pages] == [[]] * 5


def test_a_box_around_text_is_no_table() -> None:
    page = Page().lines(80, 690, "A note in a box", "of two lines").rule(70, 710, 300, 710).rule(70, 660, 300, 660)
    page.rule(70, 660, 70, 710).rule(300, 660, 300, 710)
    assert shape(read(page)) == [(BlockKind.PARAGRAPH, "A note in a box of two lines")]


def test_the_lines_of_a_chart_make_no_grid() -> None:
    chart = Page().rule(80, 700, 400, 700).rule(80, 500, 400, 500).rule(80, 500, 80, 700).rule(200, 500, 200, 640)
    chart.rule(80, 640, 220, 640).rule(80, 580, 200, 580).text(100, 660, "Sales").text(100, 600, "May").text(
        320, 540, "1"
    )
    assert texts(read(chart), BlockKind.PARAGRAPH) == ["Sales", "May", "1"]


def test_a_line_below_a_table_is_not_of_the_one_that_follows() -> None:
    page = grid(put(Page(), ROWS), [708, 684, 666, 648, 630]).text(80, 612, "After it.")
    put(page, [["x", "y"], ["p", "q"], ["u", "v"]], top=594, columns=(80, 380))
    assert "After it." in texts(read(page), BlockKind.PARAGRAPH)


def test_a_cell_in_the_middle_of_the_height_of_another_is_in_its_row() -> None:
    page = put(Page(), [["Item", "2023", "Comment"]], columns=(80, 180, 250))
    for top, item in ((660, "Paper"), (612, "Ink")):
        page.text(80, top, item).text(180, top, "1.50").lines(
            250, top + 7, "Bought from several people", "over the year"
        )
    comment = "Bought from several people over the year"
    assert rows(read(page)) == ["Item | 2023 | Comment", f"Paper | 1.50 | {comment}", f"Ink | 1.50 | {comment}"]


def test_rules_between_columns_alone_make_a_grid() -> None:
    page = put(Page(), ROWS)
    for x in COLUMNS[1:-1]:
        for top in (705, 687, 669, 651):
            page.rule(x - 4, top, x - 4, top - 18)
    page.rule(COLUMNS[0] - 4, 687, COLUMNS[-1] - 4, 687)
    assert rows(read(page)) == TOLD


def test_a_last_row_on_the_next_page_is_a_row() -> None:
    document = read(put(Page(), ROWS), put(Page(), [["Figs", "1", "2", "new"]]).text(80, 600, "After it."))
    assert rows(document) == [*TOLD, "Figs | 1 | 2 | new"]
    assert heads(document) == {(0, 1)}


def test_two_tables_with_one_header_are_two() -> None:
    document = read(put(put(Page(), ROWS).text(80, 590, "And once more, with other numbers:"), ROWS, top=560))
    assert rows(document) == TOLD * 2


def test_a_caption_right_below_is_no_row() -> None:
    page = put(Page(), [["Name", "Top-1", "Top-5"], ["Gold", "44.9", "66.8"], ["Silver", "43.9", "65.3"]])
    page.text(80, 636, "Table 2:").text(140, 636, "A caption below,").text(250, 636, "set with wide gaps")
    assert rows(read(page)) == ["Name | Top-1 | Top-5", "Gold | 44.9 | 66.8", "Silver | 43.9 | 65.3"]


def test_rules_between_groups_of_rows_join_no_rows() -> None:
    groups = [[f"{name}{number}", str(number), "1.5"] for name in "ABC" for number in range(3)]
    page = put(Page(), [["Name", "N", "Bar"], *groups], columns=(80, 180, 230))
    for y in (705, 684, 630, 576, 522):
        page.rule(76, y, 260, y)
    assert rows(read(page))[1:] == [" | ".join(row) for row in groups]


def test_a_row_that_parts_a_merged_name_is_of_the_header() -> None:
    merged = [
        ["Item", "Year", "", "Note"],
        ["", "2020", "2021", ""],
        ["Pump", "10", "12", "ok"],
        ["Hose", "7", "9", "old"],
    ]
    page = put(Page(), merged)
    for y in (705, 669, 651, 633):
        page.rule(76, y, 376, y)
    page.rule(176, 687, 276, 687)
    for x, top in ((76, 705), (176, 705), (226, 687), (276, 705), (376, 705)):
        page.rule(x, top, x, 633)
    document = read(page)
    assert rows(document)[:2] == ["Item | Year | Year | Note", "Item | 2020 | 2021 | Note"]
    assert heads(document) == {(0, 2)}


SMALL = (("City", "Year"), ("Oslo", "1954"))


def placed(page: Page, rows: Sequence[Sequence[str]], *, font: str = "Helvetica") -> Page:
    for number, row in enumerate(rows):
        for column, cell in enumerate(row):
            page.text(72 + 150 * column, 600 - 16 * number, cell, font="Helvetica" if number else font)
    return page.text(72, 500, "A sentence that stands below and says nothing of cities.")


def test_two_rows_of_two_cells_are_a_table_where_something_shows_it() -> None:
    bold = placed(Page(), SMALL, font="Helvetica-Bold")
    ruled = placed(Page().rule(72, 596, 300, 596), SMALL)
    named = placed(Page().text(72, 620, "Table 1. Cities"), SMALL)
    for page in (bold, ruled, named):
        assert texts(read(page), BlockKind.TABLE_ROW) == ["City | Year", "Oslo | 1954"]
    assert texts(read(placed(Page(), SMALL)), BlockKind.TABLE_ROW) == []


def test_a_row_of_its_key_alone_is_one_among_padded_rows_and_at_their_end() -> None:
    bare = [*ROWS, ["Medlars"], ["Quinces", "1", "2", "on request"], ["Figs"]]
    document = read(put(Page(), bare).text(80, 520, "A passage below the table that says where the numbers are from."))
    assert rows(document) == [*TOLD, "Medlars", "Quinces | 1 | 2 | on request", "Figs"]
    assert heads(document) == {(0, 1)}


BOLD = "Helvetica-Bold"
SALES = ["North | 10 | 12 | 14 | 9", "South | 7 | 8 | 11 | 15"]


def names(page: Page, *placed: tuple[float, float, str]) -> Page:
    """Names of columns, each at its column's place and so many rows above the last line of the header."""
    for left, line, name in placed:
        page.text(left, 690 + 18 * line, name, font=BOLD)
    return page


def body(page: Page, rows_: Sequence[str], columns: Sequence[int]) -> Page:
    return put(page, [row.split(" | ") for row in rows_], top=672, columns=columns)


QUARTERS = tuple((left, 0, name) for left, name in zip((150, 200, 250, 300), ("Q1", "Q2", "Q1", "Q2"), strict=True))
PLACES = ["Norway | Oslo | 410", "Sweden | Lund | 130"]
HEADERS: dict[str, tuple[Page, list[str]]] = {
    "a first cell over two lines": (
        body(
            names(Page(), (80, 0.5, "Region"), (150, 1, "2024"), (250, 1, "2025"), *QUARTERS),
            SALES,
            (80, 150, 200, 250, 300),
        ),
        ["Region | 2024 | 2024 | 2025 | 2025", "Region | Q1 | Q2 | Q1 | Q2", *SALES],
    ),
    "a first cell over two columns": (
        body(
            names(Page(), (80, 1, "Place"), (250, 0.5, "Sales"), (80, 0, "Country"), (160, 0, "City")),
            PLACES,
            (80, 160, 250),
        ),
        ["Place | Place | Sales", "Country | City | Sales", *PLACES],
    ),
    "a name centred over all but the first": (
        body(
            names(Page(), (80, 1, "Item"), (193, 2, "Measured"), (164, 1, "Cold"), (268, 1, "Hot"), *QUARTERS),
            SALES,
            (80, 150, 200, 250, 300),
        ),
        [
            *("Item | Measured | Measured | Measured | Measured", "Item | Cold | Cold | Hot | Hot"),
            *("Item | Q1 | Q2 | Q1 | Q2", *SALES),
        ],
    ),
}


@pytest.mark.parametrize("case", HEADERS)
def test_merged_names_of_columns_without_rules_stand_over_all_their_columns(case: str) -> None:
    page, told = HEADERS[case]
    document = read(page.text(80, 560, "A passage below the table that says where the numbers are from."))
    assert rows(document) == told
    assert heads(document) == {(0, len(told) - 2)}


def test_an_upright_rule_above_the_first_level_one_parts_merged_names() -> None:
    page = body(
        names(Page(), (80, 0.5, "Region"), (190, 1, "Sales"), (150, 0, "2023"), (220, 0, "2024")),
        ["North | 1 | 2", "South | 3 | 4"],
        (80, 150, 220),
    )
    for y, left in ((705, 146), (686, 76), (668, 76), (650, 76)):
        page.rule(left, y, 290, y)
    page.rule(146, 650, 146, 722).rule(216, 650, 216, 705)
    document = read(page)
    assert rows(document) == ["Region | Sales | Sales", "Region | 2023 | 2024", "North | 1 | 2", "South | 3 | 4"]
    assert heads(document) == {(0, 2)}


def test_a_bold_line_above_a_table_is_its_heading() -> None:
    page = names(Page(), (80, 1.5, "Sales of 2024"), (80, 0, "Region"), (150, 0, "Q1"), (200, 0, "Q2"))
    document = read(body(page, ["North | 10 | 12", "South | 7 | 8"], (80, 150, 200)))
    assert shape(document)[0] == (BlockKind.HEADING, "Sales of 2024")
    assert rows(document) == ["Region | Q1 | Q2", "North | 10 | 12", "South | 7 | 8"]


def test_a_passage_over_all_columns_between_rows_is_a_row() -> None:
    odd = [ROWS[0], ROWS[1], ["All of these were measured again in the summer"], ROWS[2], ROWS[3]]
    assert rows(read(put(Page(), odd))) == [*TOLD[:2], odd[2][0], *TOLD[2:]]


def test_a_first_cell_beside_several_rows_is_of_the_first() -> None:
    page = put(Page(), [["Group", "Item", "Price"]], columns=(80, 150, 220))
    for top, group, fruits in ((672, "Fruit", ("Apple", "Pear")), (636, "Nuts", ("Hazel", "Walnut"))):
        page.text(80, top - 9, group)
        for number, fruit in enumerate(fruits):
            page.text(150, top - 18 * number, fruit).text(220, top - 18 * number, f"1.{top + number}")
    assert rows(read(page)) == [
        *("Group | Item | Price", "Fruit | Apple | 1.672", " | Pear | 1.673"),
        *("Nuts | Hazel | 1.636", " | Walnut | 1.637"),
    ]


def test_a_first_cell_beside_a_group_between_rules_is_of_its_first_row() -> None:
    groups = [("Single", ("26.5", "33.3", "28.1")), ("Multi", ("41.5", "38.8"))]
    page, top = put(Page(), [["Training", "Model", "NQ"]], columns=(80, 160, 260), top=690), 668.0
    for group, scores in groups:
        page.rule(76, top + 15, 290, top + 15).text(80, top - 7 * (len(scores) - 1), group, size=11)
        for number, score in enumerate(scores):
            page.text(160, top, f"Model {number}", size=11).text(260, top, score, size=11)
            top -= 14
        top -= 6
    page.rule(76, top + 15, 290, top + 15).text(80, top - 6, "Table 4: Scores of five models.")
    document = read(page)
    assert rows(document) == [
        *("Training | Model | NQ", "Single | Model 0 | 26.5", " | Model 1 | 33.3", " | Model 2 | 28.1"),
        *("Multi | Model 0 | 41.5", " | Model 1 | 38.8"),
    ]
    assert shape(document)[0] == (BlockKind.CAPTION, "Table 4: Scores of five models.")


def test_a_bibliography_with_wide_gaps_is_no_table() -> None:
    page = Page()
    for left, name in zip((80, 142, 199, 265), ("Tim Klinger,", "Wei Zhang,", "Shiyu Chang,", "Gerry"), strict=True):
        page.text(left, 690, name, size=9)
    page.text(80, 679, "Tesauro, Bowen Zhou, and Jing Jiang. 2018.", size=9).text(271, 679, "Ranks:", size=9)
    assert rows(read(page.text(80, 668, "Reinforced readers for questions that are open.", size=9))) == []


def test_names_that_stand_a_blank_apart_are_cells_below_those_of_the_row_above() -> None:
    people = [["Name", "Family", "Town"], ["Anna", "Berg", "Oslo"], ["Bartholomew", "Featherstone", "London"]]
    page = put(Page(), people, columns=(80, 153, 227)).text(80, 600, "Bartholomew came from there, and stayed.")
    assert rows(read(page)) == ["Name | Family | Town", "Anna | Berg | Oslo", "Bartholomew | Featherstone | London"]


def test_a_first_cell_of_several_lines_whose_row_stands_as_low_as_its_last_one_is_one_cell() -> None:
    columns = (80, 230, 280)
    page = put(Page(), [["Class", "2024", "2025"], ["Adults", "12.0", "13"]], leading=20, columns=columns)
    page.text(80, 650, "Groups of more than")
    put(page, [["nine", "9.0", "9"], ["Seniors", "free", "free"]], top=638, leading=20, columns=columns)
    assert rows(read(page))[2:] == ["Groups of more than nine | 9.0 | 9", "Seniors | free | free"]


def test_names_of_two_lines_that_are_drawn_one_by_one_head_their_columns() -> None:
    page = Page()
    names_ = (80, ("Name of", "the pier")), (200, ("Mean depth", "in metres")), (320, ("First year", "of all"))
    for x, names in names_:
        page.lines(x, 700, *names, font="Helvetica-Bold", leading=13)
    put(page, [["North", "12.5", "1951"], ["South", "8.0", "1967"]], top=667, columns=(80, 200, 320))
    found = read(page)
    assert rows(found)[0] == "Name of the pier | Mean depth in metres | First year of all"
    assert heads(found) == {(0, 1)}


def test_a_value_above_values_heads_nothing() -> None:
    page = put(Page(), [["Power", "750 W"], ["Voltage", "230 V"], ["Weight", "12 kg"]], columns=(80, 200))
    assert heads(read(page)) == {(0, 0)}
