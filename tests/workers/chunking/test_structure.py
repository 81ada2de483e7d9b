"""Where chunks are cut: headings, blocks, sentences and what they carry."""

import itertools

import pytest

from embedmill.shared.errors import SettingsError
from embedmill.shared.tokenizer import count_tokens
from embedmill.workers.chunking import ChunkSettings
from embedmill.workers.chunking.sentences import sentences_of, spans
from tests.workers.chunking.documents import code, cut, document, heading, item, paragraph, prose, row

SMALL = ChunkSettings.from_target(64, overlap=0)


def bodies(settings: ChunkSettings, *blocks: object) -> list[str]:
    text, chunks = cut(settings, *blocks)  # type: ignore[arg-type]
    return [one.body(text) for one in chunks]


def test_an_empty_document_has_no_chunks() -> None:
    assert bodies(SMALL, paragraph(" \n"), heading("")) == []


def test_text_is_joined_by_kind_and_keeps_code_verbatim() -> None:
    blocks = (
        heading(" Top "),
        item("one"),
        item("two"),
        row("a | b"),
        row("c | d"),
        code("    x = 1\r\n\ty\n"),
        paragraph("e\u0301\x00\ud800 "),
    )
    assert document(*blocks).text == "Top\n\none\ntwo\n\na | b\nc | d\n\n    x = 1\n\ty\n\ne\u0301"


def test_sections_are_paths_of_the_headings_above() -> None:
    blocks = (
        heading("A"),
        heading("B", 2),
        paragraph("x"),
        heading("C\nD", 2),
        paragraph("y"),
        heading("E"),
        paragraph("z"),
    )
    assert [block.section for block in document(*blocks).blocks] == [
        "A",
        "A > B",
        "A > B",
        "A > C D",
        "A > C D",
        "E",
        "E",
    ]


def test_a_part_without_a_heading_is_in_no_section_of_the_part_before() -> None:
    blocks = heading("Slide"), paragraph("x"), paragraph("y").in_part(1), heading("Z", 2).in_part(2)
    assert [block.section for block in document(*blocks).blocks] == ["Slide", "Slide", "", "Z"]


def test_a_heading_opens_a_chunk_once_the_minimum_is_reached() -> None:
    first, second = bodies(SMALL, heading("One"), paragraph(prose(4)), heading("Two"), paragraph(prose(4)))
    assert first.startswith("One\n\nThe") and second.startswith("Two\n\nThe")


def test_small_sections_share_a_chunk_under_the_first_section() -> None:
    text, (only,) = cut(SMALL, heading("One"), paragraph("First."), heading("Two"), paragraph("Second."))
    assert only.body(text) == text
    assert only.section == "One"


def test_a_heading_is_never_the_end_of_a_chunk_that_something_follows() -> None:
    blocks = paragraph(prose(2)), heading("Late"), code("line = 1\n" * 22)
    first, second = bodies(SMALL, *blocks)
    assert first.endswith("noon.") and second.startswith("Late\n\nline")


def test_code_and_rows_stay_whole_where_they_fit_the_maximum() -> None:
    listing = "def run(x):\n    return x\n" * 10
    assert 64 < count_tokens(listing.strip()) <= 128
    assert listing.strip("\n") in bodies(SMALL, paragraph(prose(5)), code(listing), paragraph(prose(5)))
    rows = [f"| {i} | some cell | another cell |" for i in range(60)]
    for body in bodies(SMALL, *(row(text) for text in rows)):
        assert set(body.split("\n")) <= set(rows)


def test_code_above_the_maximum_is_cut_at_line_starts() -> None:
    lines = [f"    value_{i} = compute({i})" for i in range(200)]
    for body in bodies(SMALL, code("\n".join(lines))):
        assert set(body.split("\n")) <= set(lines)


def test_long_prose_is_cut_between_sentences() -> None:
    parts = bodies(SMALL, paragraph(prose(80)))
    assert len(parts) > 8
    assert all(body.startswith("The station") and body.endswith("noon.") for body in parts)


def test_a_short_rest_joins_the_chunk_before() -> None:
    assert len(bodies(SMALL, paragraph(prose(6)), paragraph("The end."))) == 1


def test_overlap_repeats_whole_trailing_sentences() -> None:
    settings = ChunkSettings.from_target(64, overlap=24)
    text, chunks = cut(settings, paragraph(prose(60)))
    for before, after in itertools.pairwise(chunks):
        repeated = text[after.start : before.end]
        assert repeated.startswith("The station") and repeated.endswith("noon.")
        assert 0 < count_tokens(repeated) <= 24
        assert after.tokens <= 128


OVERLAPPING = {
    "long sentences": paragraph(" ".join(f"word{n}" for n in range(400))),
    "no spaces": paragraph("漢字仮名" * 300),
    "one long word": paragraph("abcdefghij" * 200),
    "lines of code": code("\n".join(f"  value_{n} = {n}" for n in range(90))),
    "sentences in items": item(prose(60)),
}


@pytest.mark.parametrize("kind", OVERLAPPING)
def test_every_kind_of_text_is_repeated_up_to_the_overlap(kind: str) -> None:
    settings = ChunkSettings.from_target(64, overlap=24)
    text, chunks = cut(settings, OVERLAPPING[kind])
    assert len(chunks) > 3
    for before, after in itertools.pairwise(chunks):
        repeated = text[after.start : before.end]
        assert 12 <= count_tokens(repeated) <= 24
        assert after.tokens <= settings.target or kind == "no spaces"
        if kind == "long sentences":
            assert repeated.startswith("word") and text[after.start - 1] == " "
        if kind == "lines of code":
            assert text[after.start - 1] == "\n"


def test_overlap_does_not_cross_a_heading_or_cut_a_line_of_code() -> None:
    settings = ChunkSettings.from_target(64, overlap=24)
    text, (first, second) = cut(settings, paragraph(prose(3)), heading("Two"), paragraph(prose(3)))
    assert second.start > first.end and second.body(text).startswith("Two")
    _, chunks = cut(settings, code("\n".join("a = 1; " * 12 for _ in range(9))))
    assert all(left.end < right.start for left, right in itertools.pairwise(chunks))


def test_a_chunk_has_all_its_pages_and_the_section_of_its_first_content() -> None:
    _, (only,) = cut(SMALL, heading("One"), paragraph("First.", page=3), paragraph("Second.", page=4))
    assert (only.section, only.page, only.prefix) == ("One", 3, "A title\nOne\n\n")
    assert (only.pages, only.last_page) == ((3, 4), 4)


def test_a_title_is_not_repeated_by_a_section_of_the_same_name() -> None:
    text, (only,) = cut(SMALL, heading("A title"), heading("Part", 2), paragraph("Text."))
    assert only.prefix == "A title\nPart\n\n"
    assert only.embedded_text(text) == "A title\nPart\n\n" + text


def test_a_cut_does_not_separate_a_letter_from_its_marks() -> None:
    text, chunks = cut(SMALL, paragraph(("e" + "\u0301\u0315" * 3) * 500))
    assert len(chunks) > 10
    assert all(one.body(text).startswith("e") for one in chunks)


def test_sentences_end_where_a_reader_would_say() -> None:
    text = 'Dr. A. Smith et al. came, e.g. by car. He said "Stop!" Then 3.5 of Fig. 2 was cut… Why? 終わり。次。'
    found = [text[start:end] for start, end in spans(text, (0, len(text)), sentences_of("en"))]
    assert found == [
        "Dr. A. Smith et al. came, e.g. by car.",
        'He said "Stop!"',
        "Then 3.5 of Fig. 2 was cut… Why?",
        "終わり。",
        "次。",
    ]


@pytest.mark.parametrize(
    ("target", "expected"), [(64, (32, 128, 8)), (16, (8, 32, 2)), (384, (256, 1024, 32)), (2000, (256, 2000, 32))]
)
def test_sizes_follow_from_the_target(target: int, expected: tuple[int, int, int]) -> None:
    settings = ChunkSettings.from_target(target)
    assert (settings.minimum, settings.maximum, settings.overlap) == expected


@pytest.mark.parametrize(("target", "overlap"), [(0, None), (-5, None), (7, 0), (64, 33), (64, -1)])
def test_sizes_without_meaning_are_refused(target: int, overlap: int | None) -> None:
    with pytest.raises(SettingsError):
        ChunkSettings.from_target(target, overlap=overlap)


def test_the_fingerprint_names_every_size() -> None:
    assert ChunkSettings().fingerprint() == "chunker-3/cl100k_base/384-256-1024-32"
