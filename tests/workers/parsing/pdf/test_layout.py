"""Places on a page become the structure that a reader sees: order, headings, paragraphs, lists, code, running lines."""

import pytest

from embedmill.workers.parsing.document import BlockKind
from tests.workers.parsing.making import headings, shape, texts
from tests.workers.parsing.pdf.drawing import Page, read

H, P, L, C = BlockKind.HEADING, BlockKind.PARAGRAPH, BlockKind.LIST_ITEM, BlockKind.CODE
LEFT = [f"the left side of line {number} ends" for number in range(8)]
RIGHT = [f"on the right line {number} goes on" for number in range(8)]
PROSE = [
    "In the matter of the estate the court has heard",
    "both parties and their counsel at length during the",
    "sitting of the second week of March and finds that",
    "the will was signed in the presence of two",
    "witnesses who are of age and of sound mind and",
    "that nothing in it offends against the law of this",
    "county. The claim of the nephew is therefore not",
    "allowed and he bears the costs of the",
    "proceedings.",
]
BODY = [
    "The body of this page has lines of text that run",
    "from one side to the other, and more of them below,",
    "so that it has a size.",
]


def test_columns_that_are_drawn_line_by_line_are_read_one_after_the_other() -> None:
    page = Page()
    for number, (left, right) in enumerate(zip(LEFT, RIGHT, strict=True)):
        page.text(72, 700 - 14 * number, left).text(320, 700 - 14 * number, right)
    assert " ".join(texts(read(page))) == " ".join(LEFT + RIGHT)


def test_columns_in_the_order_of_their_content_stay_as_they_are() -> None:
    page = Page().lines(72, 700, *LEFT).lines(320, 700, *RIGHT)
    assert " ".join(texts(read(page))) == " ".join(LEFT + RIGHT)


def test_a_page_that_is_written_from_its_end_is_read_from_its_beginning() -> None:
    page = Page().text(72, 600, "third.").text(72, 640, "second").text(72, 680, "first")
    assert texts(read(page)) == ["first", "second", "third."]


def test_headings_are_known_by_size_weight_and_number() -> None:
    page = Page().text(72, 740, "Report", size=20).text(72, 700, "1 Aim", size=15).lines(72, 670, *BODY)
    page.text(72, 600, "1.1 Scope", font="Helvetica-Bold").lines(72, 585, *BODY).text(72, 520, "2 Method", size=15)
    page.lines(72, 490, *BODY)
    assert headings(read(page)) == [(1, "Report"), (2, "1 Aim"), (3, "1.1 Scope"), (2, "2 Method")]


def test_a_heading_of_two_lines_is_one() -> None:
    page = (
        Page()
        .lines(72, 740, "A title that is so long that", "it takes two lines", size=20, leading=24)
        .lines(72, 670, *BODY)
    )
    assert shape(read(page)) == [(H, "A title that is so long that it takes two lines"), (P, " ".join(BODY))]


def test_lines_of_authors_are_no_headings() -> None:
    page = Page().text(72, 740, "On pumps", size=20).text(72, 712, "Ada Byron, Max Weber,", font="Times-Roman")
    for y, line in ((698, "Lise Meitner, Emmy Noether"), (670, "ada@example.com"), (640, "Ann*, Bea*")):
        page.text(72, y, line, font="Helvetica-Bold")
    assert headings(read(page.lines(72, 600, *BODY))) == [(1, "On pumps")]


def test_bold_words_within_a_paragraph_are_no_heading() -> None:
    bold = [f"Every one of these lines is set in bold, as the {number}th" for number in range(5)]
    page = Page().lines(72, 700, *BODY).lines(72, 600, *bold, font="Helvetica-Bold")
    assert headings(read(page)) == []


def test_paragraphs_are_told_apart_by_distance_and_by_indented_first_lines() -> None:
    apart = Page().lines(72, 700, *BODY[:2], "", *BODY)
    assert texts(read(apart)) == [" ".join(BODY[:2]), " ".join(BODY)]
    indented = (
        Page()
        .lines(72, 700, *BODY)
        .text(90, 658, "A first line stands farther right than those")
        .text(72, 644, "below.")
    )
    assert texts(read(indented)) == [" ".join(BODY), "A first line stands farther right than those below."]


def test_items_keep_their_markers_and_their_nesting() -> None:
    page = Page().lines(72, 700, "1. Open valve A.", "2. Open valve B, which is the one that has a red", "")
    page.text(86, 672, "handle.").text(90, 658, "\x95 slowly").text(90, 644, "\x95 with care").text(72, 630, "3. Wait.")
    assert shape(read(page)) == [
        (L, "1. Open valve A."),
        (L, "2. Open valve B, which is the one that has a red handle."),
        (L, "  - slowly"),
        (L, "  - with care"),
        (L, "3. Wait."),
    ]


def test_an_item_in_large_letters_is_no_heading() -> None:
    page = Page().text(72, 700, "\x96 large", size=20).lines(72, 660, *BODY)
    assert shape(read(page)) == [(L, "- large"), (P, " ".join(BODY))]


def test_a_number_that_a_line_begins_with_is_no_item() -> None:
    page = Page().lines(
        72, 700, "They met for the first time in Vienna on the", "12. of May, when nobody else was in the town."
    )
    assert [kind for kind, _ in shape(read(page))] == [P]


def test_code_keeps_its_lines_and_its_indentation() -> None:
    page = (
        Page()
        .lines(72, 720, *BODY)
        .lines(90, 660, "def f():", "    return 1", "", "f()", font="Courier", size=10, leading=12)
    )
    page.lines(72, 590, *BODY)
    code = [text for kind, text in shape(read(page)) if kind is C]
    assert code == ["def f():\n    return 1\n\nf()"]


def test_code_that_is_most_of_a_short_document_is_code() -> None:
    page = Page().text(72, 700, "The sum of two numbers is printed:")
    page.lines(72, 670, "def add(a, b):", "    return a + b", "", "print(add(1, 2))", font="Courier")
    assert [kind for kind, _ in shape(read(page))] == [P, C]


def test_a_typewritten_document_is_no_code() -> None:
    assert shape(read(Page().lines(72, 700, *BODY, font="Courier"))) == [(P, " ".join(BODY))]


def numbered(number: int) -> Page:
    page = (
        Page().text(72, 770, "Annual report").text(500, 770, f"Chapter {number}").text(300, 30, f"Page {number} of 5")
    )
    return page.lines(72, 700, *BODY, "", f"Paragraph {number} ends.")


def test_lines_that_run_through_the_pages_are_dropped_and_the_body_s_are_not() -> None:
    read_texts = texts(read(*map(numbered, range(1, 6))))
    assert read_texts == [text for number in range(1, 6) for text in (" ".join(BODY), f"Paragraph {number} ends.")]


def test_a_header_that_names_the_chapter_and_counts_the_pages_runs() -> None:
    names = ["Objects", "Objects", "Evaluation", "Functions", "Functions"]
    pages = [Page().text(72, 770, f"{name}   {at}").lines(72, 700, *BODY) for at, name in enumerate(names, 11)]
    assert texts(read(*pages)) == [" ".join(BODY)] * 5


def test_headings_at_one_height_stay_though_they_count() -> None:
    pages = [Page().text(72, 760, f"Chapter {at}", size=18).lines(72, 700, *BODY) for at in range(1, 5)]
    assert [text for _, text in headings(read(*pages))] == [f"Chapter {at}" for at in range(1, 5)]


def test_a_word_that_a_page_s_end_cuts_is_one_word() -> None:
    pages = [Page().lines(72, 700, *BODY[:2], "and this is in the docu-"), Page().lines(72, 700, "mentation as well.")]
    assert texts(read(*pages)) == [" ".join([*BODY[:2], "and this is in the documentation as well."])]


def test_text_outside_the_visible_box_is_another_page_s() -> None:
    page = Page(more="/CropBox[0 0 300 792]").text(72, 700, "Seen").text(400, 700, "Unseen")
    assert texts(read(page)) == ["Seen"]


def test_turned_text_is_read_as_it_is_turned() -> None:
    page = Page(more="/Rotate 90")
    for number, line in enumerate(BODY):
        page.draw(f"BT /F0 12 Tf 0 1 -1 0 {100 + 14 * number} 72 Tm ({line}) Tj ET")
    assert texts(read(page)) == [" ".join(BODY)]


def test_a_stamp_in_the_margin_comes_last_and_is_no_heading() -> None:
    page = Page().draw("BT /F0 20 Tf 0 1 -1 0 30 300 Tm (arXiv:1 [cs.CL] 30 Sep 2020) Tj ET").lines(72, 700, *BODY)
    assert shape(read(page)) == [(P, " ".join(BODY)), (P, "arXiv:1 [cs.CL] 30 Sep 2020")]


def test_lines_of_contents_keep_their_pages_without_the_dots() -> None:
    page = Page().lines(72, 700, "1 Aim . . . . . . . . . . . 3", "2 Method . . . . . . . . . 14")
    assert texts(read(page)) == ["1 Aim … 3", "2 Method … 14"]


def test_scripts_stand_apart_from_what_they_stand_by() -> None:
    page = Page().draw("BT /F0 12 Tf 72 700 Td (It is 10) Tj 5 Ts /F0 8 Tf (-3) Tj 0 Ts /F0 12 Tf ( of H) Tj ET")
    page.content[-1] = (
        page.content[-1][:-2] + "-3 Ts /F0 8 Tf (2) Tj 0 Ts /F0 12 Tf (O, as a note) Tj 5 Ts /F0 8 Tf (4) Tj ET"
    )
    page.draw("BT 5 Ts /F0 8 Tf 72 600 Td (4) Tj 0 Ts /F0 12 Tf (The note.) Tj ET")
    page.text(72, 500, "Names").text(109, 505, "4", size=8).text(109, 500, ", more")
    assert texts(read(page)) == ["It is 10^-3 of H_2O, as a note[4]", "[4] The note.", "Names[4], more"]


@pytest.mark.parametrize(
    ("signs", "text"),
    [
        ("x:i:y:j: and e:^-kt:, CO:2:-free or 2:^n+1:k", "x_iy_j and e^-kt, CO_2-free or 2^(n+1)k"),
        ("of SO:4::^2-:, of :^14:C and K:m:-values", "of SO_4^2-, of ^14C and K_m-values"),
        ("x:i::^2:y, m:^3:s:^-1:, a well-known, 1/2 and 2,000", "x_i^2y, m^3s^-1, a well-known, 1/2 and 2,000"),
    ],
)
def test_scripts_within_words_stand_apart(signs: str, text: str) -> None:
    """Each second part is one, raised behind `^`."""
    drawn = [
        f"{4 if part[0] == '^' else -3} Ts /F0 8 Tf ({part.lstrip('^')}) Tj 0 Ts /F0 12 Tf"
        if number % 2
        else f"({part}) Tj"
        for number, part in enumerate(signs.split(":"))
        if part
    ]
    assert texts(read(Page().draw(f"BT /F0 12 Tf 72 700 Td {' '.join(drawn)} ET"))) == [text]


def test_scripts_that_are_letters_or_stand_over_one_another_stay_in_the_line_of_their_base() -> None:
    page = Page().draw("BT /F0 12 Tf 72 700 Td (Let x) Tj -3 Ts /F0 7 Tf (i+1) Tj 0 Ts /F0 12 Tf ( be the 5) Tj ET")
    page.content[-1] = page.content[-1][:-2] + "4 Ts /F0 7 Tf (th) Tj ET"
    page.text(72, 600, "of p").text(92.7, 604, "+", size=7).text(92.7, 597, "i", size=7).text(97, 600, ", and q")
    page.text(72, 500, "42%", size=24).text(85, 489, "grown", size=8)
    assert texts(read(page)) == ["Let x_(i+1) be the 5th", "of p^+_i, and q", "42%", "grown"]


@pytest.mark.parametrize(
    ("drawn", "text"),
    [
        ("[(M) -111 (\xa8) 444 (uller fast)] TJ", "Müller fast"),
        ("(Sackinger) Tj 9.2 0 Td (\xa8) Tj", "Säckinger"),
        ("(Sack) Tj 9.2 0 Td (\xa8) Tj 17.5 0 Td (inger) Tj", "Säckinger"),
        ("(don\xb4t) Tj", "don\xb4t"),
    ],
)
def test_an_accent_that_is_drawn_over_a_letter_is_part_of_it(drawn: str, text: str) -> None:
    assert texts(read(Page().draw(f"BT /F0 12 Tf 72 700 Td {drawn} ET"))) == [text]


def test_a_star_alone_is_the_mark_of_a_footnote_and_two_are_bullets() -> None:
    lone = Page().lines(72, 700, "It grew by 5 %.*", "", "* Estimated.")
    both = Page().lines(72, 700, "Buy:", "* bread", "* milk")
    assert [block.kind for block in read(lone, both).blocks][-4:] == [
        BlockKind.PARAGRAPH, BlockKind.PARAGRAPH, BlockKind.LIST_ITEM, BlockKind.LIST_ITEM,
    ]  # fmt: skip


def test_bullets_that_are_drawn_after_the_text_stand_before_it() -> None:
    page = Page().text(90, 700, "open it").text(104, 686, "slowly").text(90, 672, "shut it")
    page.text(76, 700, "\x95").text(92, 686, "\x95").text(76, 672, "\x95")
    assert shape(read(page)) == [(L, "- open it"), (L, "  - slowly"), (L, "- shut it")]


def test_text_from_right_to_left_keeps_its_words_and_their_order() -> None:
    page = Page()
    for place, letters in ((500, "abc"), (460, "de"), (430, "bgh")):
        for number, letter in enumerate(letters):
            page.text(place - 7 * number, 700, letter, font="Hebrew")
    assert texts(read(page)) == ["\u05d0\u05d1\u05d2 \u05d3\u05d4 \u05d1\u05d6\u05d7"]


def test_a_header_right_above_the_text_runs_too() -> None:
    pages = [Page().text(72, 760, "Handbook").lines(72, 746, f"Page of text number {at}.", *BODY) for at in range(3)]
    assert "Handbook" not in " ".join(texts(read(*pages)))


STEPS = [
    (90, "1", "Close valve A."), (90, "2", "Open valve B."), (108, "a", "Turn left."), (108, "b", "Wait."),
    (90, "3", "Press START."),
]  # fmt: skip


def counted(items: list[tuple[int, str, str]]) -> Page:
    page = Page().text(72, 720, "Before you begin, read this.")
    for number, (left, counter, text) in enumerate(items, start=1):
        page.text(left - 18, 720 - 16 * number, counter).text(left, 720 - 16 * number, text, size=10)
    return page.text(72, 720 - 16 * len(items) - 16, "Then go home.")


def test_a_list_whose_numbers_have_no_dots_is_a_list_with_what_is_nested_in_it() -> None:
    assert texts(read(counted(STEPS))) == [
        "Before you begin, read this.",
        "1. Close valve A.",
        "2. Open valve B.",
        "  a. Turn left.",
        "  b. Wait.",
        "3. Press START.",
        "Then go home.",
    ]


def test_numbers_so_wide_that_no_gap_parts_them_from_their_texts_count_on() -> None:
    page = Page()
    for number in range(1, 13):
        page.text(72, 720 - 16 * number, str(number), size=10).text(
            89, 720 - 16 * number, f"Do step {number}.", size=10
        )
    assert texts(read(page)) == [f"{number}. Do step {number}." for number in range(1, 13)]


def test_rows_that_are_counted_below_names_of_columns_stay_rows() -> None:
    document = read(counted([(90, "#", "Name"), (90, "1", "Pump"), (90, "2", "Valve"), (90, "3", "Hose")]))
    assert texts(document, BlockKind.TABLE_ROW) == ["# | Name", "1 | Pump", "2 | Valve", "3 | Hose"]


@pytest.mark.parametrize(
    ("signs", "text"),
    [
        ("[(It was b) -300 (o) -300 (t) -300 (h) -300 (e) -300 (r) -580 (to) -280 (us)]", "It was bother to us"),
        ("[(D) -400 (a) -400 (s) -900 (E) -400 (n) -400 (d) -400 (e.)]", "Das Ende."),
        ("[(C) -400 (h) -400 (a) -400 (p) -400 (t) -400 (e) -400 (r) -900 (O) -400 (n) -400 (e)]", "Chapter One"),
        ("[(A) -300 (B) -300 (C) -300 (D) -300 (E) -300 (F)]", "A B C D E F"),
        ("[(x) -300 (y) -300 (u) -300 (v)]", "x y u v"),
        ("[(a b c d e f g)]", "a b c d e f g"),
    ],
)
def test_letters_that_are_set_apart_are_words_and_variables_are_not(signs: str, text: str) -> None:
    assert texts(read(Page().draw(f"BT /F0 12 Tf 72 700 Td {signs} TJ ET"))) == [text]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["Valve", "  A part that opens and shuts.", "Pump", "  It moves water."], 4),
        (["The first of two lines that reach as far as the page's margin lets", "  them go."], 1),
    ],
)
def test_a_line_far_from_where_the_one_before_begins_goes_on_only_for_want_of_room(lines: list[str], told: int) -> None:
    page = Page(box=(0, 0, 504, 792))
    for number, line in enumerate(lines):
        page.text(72 + 30 * line.count("  "), 700 - 14 * number, line.strip())
    assert len(read(page).blocks) == told


def test_single_lines_far_apart_are_paragraphs_and_double_spaced_prose_is_one() -> None:
    single = Page().lines(72, 700, "First point", "Second one", "Third point", leading=26)
    prose = Page(box=(0, 0, 504, 792)).lines(72, 700, *PROSE, leading=26)
    assert texts(read(single)) == ["First point", "Second one", "Third point"]
    assert len(read(prose).blocks) == 1


def test_an_initial_opens_the_first_of_the_lines_beside_it() -> None:
    page = Page(box=(0, 0, 404, 792)).text(72, 671, "T", size=40)
    page.lines(100, 690, "he pump has two valves, of which one is open", "while the other is shut. Both are tested in")
    assert texts(read(page.text(72, 662, "spring."))) == [
        "The pump has two valves, of which one is open while the other is shut. Both are tested in spring."
    ]


@pytest.mark.parametrize("every", [1, 5])
def test_numbers_in_the_margin_that_count_lines_are_no_text(every: int) -> None:
    page = Page()
    for number, line in enumerate(PROSE + PROSE[:4], start=1):
        page.text(100, 700 - 14 * number, line)
        if number % every == 0:
            page.text(72, 700 - 14 * number, str(number), size=8)
    assert " ".join(texts(read(page))) == " ".join(PROSE + PROSE[:4])


def test_words_that_are_laid_over_all_pages_are_no_text() -> None:
    pages = [Page().lines(72, 700, *BODY, f"Page {at}.").text(150, 300, "DRAFT", size=80) for at in range(2)]
    assert not any("DRAFT" in text for text in texts(read(*pages)))


def test_lists_beside_each_other_are_two_and_a_larger_number_heads_nothing() -> None:
    page = Page().text(72, 700, "Pumps and valves", size=20)
    for at, texts_ in enumerate((("cheap", "dear"), ("quiet", "loud"))):
        page.text(72, 660 - 14 * at, f"\x95 {texts_[0]}").text(320, 660 - 14 * at, f"\x95 {texts_[1]}")
    page.text(72, 600, "1.", size=14).text(90, 600, "Open").text(72, 580, "2.", size=14).text(90, 580, "Shut")
    page.lines(72, 500, *BODY)
    assert [text for kind, text in shape(read(page)) if kind is L] == [
        "- cheap", "- quiet", "- dear", "- loud", "1. Open", "2. Shut",
    ]  # fmt: skip


def test_a_footnote_s_mark_that_stands_apart_is_one() -> None:
    page = Page().lines(72, 700, *BODY).text(72, 603, "1", size=5).text(77, 600, "Of two.", size=9)
    assert texts(read(page))[-1] == "[1] Of two."
