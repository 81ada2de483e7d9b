"""How tables and parts are cut: heads go with their rows, rows stay whole, and parts stay apart."""

import itertools

from embedmill.shared.tokenizer import count_tokens
from embedmill.workers.chunking import ChunkSettings, build_chunk_set, can_divide, divide
from tests.workers.chunking.documents import cut, document, heading, item, paragraph, prose, table

SMALL = ChunkSettings.from_target(64)
HEAD = "person_id | full_name | city | salary"
ROWS = [f"{n} | Person Number{n} | Oslo | {n * 997}" for n in range(100)]


def test_every_chunk_of_a_long_table_carries_its_caption_and_header_within_its_tokens() -> None:
    text, chunks = cut(SMALL, *table(HEAD, rows=ROWS, caption="Table 3. People"))
    first, *others = chunks
    assert first.head is None and first.body(text).startswith(f"Table 3. People\n{HEAD}\n0 | ")
    for one in others:
        assert one.heading(text) == f"Table 3. People\n{HEAD}\n"
        assert one.shown(text) == one.heading(text) + one.body(text)
        assert one.embedded_text(text) == one.prefix + one.shown(text)
        assert one.tokens == count_tokens(one.shown(text)) <= SMALL.target
    assert all(set(one.body(text).split("\n")) <= {*ROWS, HEAD, "Table 3. People"} for one in chunks)


def test_rows_are_repeated_whole_where_the_overlap_holds_one() -> None:
    settings = ChunkSettings.from_target(128, overlap=32)
    text, chunks = cut(settings, *table(HEAD, rows=ROWS))
    for before, after in itertools.pairwise(chunks):
        repeated = text[after.start : before.end]
        assert set(repeated.split("\n")) <= set(ROWS) and count_tokens(repeated) <= 32


def test_a_header_never_ends_a_chunk_that_its_rows_follow() -> None:
    text, chunks = cut(SMALL, paragraph(prose(3)), *table("k | v", rows=["1 | " + "word " * 60], after=1))
    assert "k | v\n1 | " in chunks[-1].body(text)
    assert "k | v" not in chunks[0].body(text)


def test_of_a_long_head_the_last_lines_that_fit_are_carried() -> None:
    text, chunks = cut(SMALL, *table("year | sum", rows=ROWS, caption="word " * 90))
    assert {one.heading(text) for one in chunks[2:]} == {"year | sum\n"}
    text, chunks = cut(SMALL, *table("column " * 90, rows=ROWS))
    assert all(one.head is None for one in chunks)


def test_rows_of_two_tables_share_a_chunk_only_with_both_heads() -> None:
    rows = [f"{n} | some words" for n in range(9)]
    blocks = [*table("a | b", rows=rows[:4]), *table("c | d", rows=rows[:4], after=5)]
    text, (only,) = cut(SMALL, *blocks)
    assert only.body(text) == text and only.head is None
    goes_on = [*table("a | b", rows=rows), *table("c | d", rows=rows, after=10), *table("a | b", rows=rows)[1:]]
    text, chunks = cut(SMALL, *goes_on)
    last = chunks[-1]
    assert last.heading(text) == "a | b\n" and "c | d" not in last.body(text)


def test_a_row_over_the_maximum_is_cut_between_cells_and_each_piece_has_the_head() -> None:
    cells = [f"cell number {n} of the row" for n in range(60)]
    text, chunks = cut(SMALL, *table("k | v", rows=[" | ".join(cells)]))
    assert len(chunks) > 2
    for one in chunks[1:]:
        assert one.heading(text) == "k | v\n"
        assert {cell.strip(" |") for cell in one.body(text).split(" | ")} <= set(cells)


def test_a_list_item_stays_whole_where_it_fits_the_maximum() -> None:
    long = "- " + prose(9)
    assert SMALL.target < count_tokens(long) <= SMALL.maximum
    text, chunks = cut(SMALL, item("- one"), item(long), item("- two"))
    assert any(long in one.body(text) for one in chunks)


def test_parts_are_never_joined_however_small() -> None:
    slides = [
        block for n in range(3) for block in (heading(f"Slide {n}", part=n), paragraph("Few words.", n + 1, part=n))
    ]
    text, chunks = cut(ChunkSettings(), *slides)
    assert [(one.body(text), one.section, one.pages) for one in chunks] == [
        (f"Slide {n}\n\nFew words.", f"Slide {n}", (n + 1, n + 1)) for n in range(3)
    ]
    _, chunks = cut(ChunkSettings(), heading("Empty", part=0), paragraph("Text.", part=1))
    assert len(chunks) == 2


def test_nothing_of_a_part_is_repeated_in_the_next() -> None:
    _, chunks = cut(SMALL, paragraph(prose(20)), paragraph(prose(20), part=1))
    apart = [after.start > before.end for before, after in itertools.pairwise(chunks)]
    assert apart.count(True) == 1


def test_divided_rows_keep_the_head() -> None:
    whole = build_chunk_set(document(*table(HEAD, rows=ROWS[:8])), ChunkSettings(), title="", media_type="text/csv")
    assert len(whole.chunks) == 1
    divided = divide(whole, {0})
    assert len(divided.chunks) > 1
    for one in divided.chunks[1:]:
        assert one.heading(divided.text) == f"{HEAD}\n"
        assert set(one.body(divided.text).split("\n")) <= set(ROWS)
        assert one.tokens == count_tokens(one.shown(divided.text))
    assert divided.tables == whole.tables


def test_dividing_lets_go_of_a_head_that_is_too_long_itself() -> None:
    head = "a head of many words " * 12
    whole = build_chunk_set(document(*table(head, rows=ROWS)), ChunkSettings.from_target(128), title="", media_type="x")
    place = len(whole.chunks) - 1
    while can_divide(whole, place):
        whole = divide(whole, {place})
    assert whole.chunks[place].head is None
    assert whole.chunks[place].tokens <= 8
