"""Pages without text are read from their picture if that is wanted; whatever stops it is noted, and nothing waits."""

import os
import shutil
from pathlib import Path

import pytest

from embedmill.shared.errors import NoText
from embedmill.workers.parsing.limits import ParserLimits
from embedmill.workers.parsing.pdf import ocr
from embedmill.workers.parsing.pdf.silent import OFF
from embedmill.workers.parsing.pdf.tilt import Picture, tilt_of
from tests.workers.parsing.making import headings, pages, texts
from tests.workers.parsing.pdf.drawing import Page, read

HEAD = "level page_num block_num par_num line_num word_num left top width height conf text".split()
LIMITS = ParserLimits(ocr_pages=5, ocr_languages=("eng", "deu"))
TEXT = Page().lines(72, 700, "Page one has text.")


def scan() -> Page:
    """A page that consists of a picture."""
    return Page().draw("q 500 0 0 500 50 100 cm BI /W 1 /H 1 /CS /G /BPC 8 ID \x80 EI Q")


def row(line: int, left: int, word: str, confidence: float = 95.0) -> str:
    return "\t".join(map(str, (5, 1, 1, 1, line, 1, left, 200 + 40 * line, 60, 25, confidence, word)))


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for tesseract, first on the PATH; it keeps its arguments and prints a table of words."""
    path = tmp_path / "tesseract"
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    says(path, row(1, 200, "Scanned"), row(1, 270, "words"), row(2, 200, "below."))
    return path


def says(path: Path, *rows: str) -> None:
    table = "\n".join(("\t".join(HEAD), *rows))
    path.write_text(f"#!/bin/sh\necho \"$@\" > '{path.parent}/arguments'\ncat > /dev/null\ncat <<'END'\n{table}\nEND\n")
    path.chmod(0o755)


def test_a_page_without_text_is_read_from_its_picture_and_the_note_says_so(program: Path) -> None:
    document = read(TEXT, scan(), limits=LIMITS)
    assert pages(document) == [(1, "Page one has text."), (2, "Scanned words below.")]
    assert headings(document) == []
    assert document.notes == ("1 of 2 pages were read from their picture (OCR, eng+deu): 2",)
    assert (program.parent / "arguments").read_text().split() == "stdin stdout -l eng+deu --psm 1 tsv".split()


def test_pages_with_text_and_empty_ones_are_not_given_to_it(program: Path) -> None:
    assert read(TEXT, Page(), limits=LIMITS).notes == ("1 of 2 pages hold no text: 2",)
    assert not (program.parent / "arguments").exists()


def test_what_it_is_unsure_of_is_noted(program: Path) -> None:
    says(program, row(1, 200, "Sc4nnd", 31.0))
    assert "OCR is unsure of what it read: pages 2" in read(TEXT, scan(), limits=LIMITS).notes


def test_where_it_finds_nothing_the_page_holds_no_text(program: Path) -> None:
    says(program)
    assert read(TEXT, scan(), limits=LIMITS).notes == ("1 of 2 pages hold no text: 2",)


def test_where_it_is_off_a_note_says_how_such_pages_are_read() -> None:
    assert read(TEXT, scan()).notes == ("1 of 2 pages hold no text: 2", OFF)


def test_where_it_is_missing_a_note_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert read(TEXT, scan(), limits=LIMITS).notes == (
        "1 of 2 pages hold no text: 2",
        "OCR needs the program tesseract (Debian: tesseract-ocr), which is not there",
    )


def test_pages_beyond_its_bound_are_noted(program: Path) -> None:
    notes = read(TEXT, scan(), scan(), limits=ParserLimits(ocr_pages=1)).notes
    assert notes == (
        "1 of 3 pages hold no text: 3",
        "1 of 3 pages were read from their picture (OCR, eng): 2",
        "OCR stopped at its limit of time or pages",
    )


def test_it_ends_when_the_document_s_time_does(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocr, "LEAST_SECONDS", 0.0)
    program.write_text(f"#!/bin/sh\necho $$ > '{program.parent}/pid'\nwhile :; do :; done\n")
    notes = read(TEXT, scan(), limits=ParserLimits(ocr_pages=5, seconds=0.3)).notes
    assert notes[1:] == ("OCR stopped at its limit of time or pages",)
    with pytest.raises(ProcessLookupError):
        os.kill(int((program.parent / "pid").read_text()), 0)


def test_a_language_that_is_missing_is_said(program: Path) -> None:
    program.write_text("#!/bin/sh\ncat > /dev/null\necho \"Failed loading language 'deu'\" >&2\nexit 1\n")
    assert read(TEXT, scan(), limits=LIMITS).notes[1] == "OCR lacks one of its languages (Debian: tesseract-ocr-…)"
    with pytest.raises(NoText, match="holds no text: OCR lacks one of its languages"):
        read(scan(), limits=LIMITS)


def test_text_that_cannot_be_read_is_noted_and_read_from_its_picture(program: Path) -> None:
    garbled = Page().lines(72, 700, "(cid:12)(cid:13)(cid:14)", "(cid:9)(cid:10)")
    assert read(TEXT, garbled).notes == ("1 of 2 pages hold text that cannot be read: 2", OFF)
    assert texts(read(TEXT, garbled, limits=LIMITS)) == ["Page one has text.", "Scanned words below."]


@pytest.mark.skipif(shutil.which("tesseract") is None, reason="tesseract is not installed")
def test_tesseract_reads_a_picture_of_a_text() -> None:
    words = Page().lines(
        72, 700, "The notice period is ninety days.", "It begins with the letter.", size=14, leading=20
    )
    unknown = words.draw("BT /F0 12 Tf 3 Tr 72 100 Td ((cid:1)(cid:2)(cid:3)) Tj ET")
    unknown.content = [
        *unknown.content[:2],
        *["BT /F0 6 Tf 3 Tr 72 90 Td ((cid:1)(cid:2)(cid:3)(cid:1)(cid:2)(cid:3)) Tj ET"] * 4,
    ]
    assert "notice period is ninety days" in " ".join(texts(read(unknown, limits=ParserLimits(ocr_pages=1))))


def test_pages_whose_only_text_is_a_stamp_on_a_picture_hold_no_text() -> None:
    stamped = [
        scan().text(200, 775, f"Case 12-3  Filed 01/02/20  Page {number} of 4", size=9) for number in range(1, 5)
    ]
    stamped[0].lines(72, 700, "Page one has text of its own,", "in two lines.").content.pop(0)
    assert read(*stamped).notes[0] == "3 of 4 pages hold no text: 2-4"


def test_a_few_words_in_the_margin_of_a_picture_of_the_page_are_a_stamp() -> None:
    whole = "q 612 0 0 792 0 0 cm BI /W 1 /H 1 /CS /G /BPC 8 ID \x80 EI Q"
    marked = [Page().draw(whole).text(200, 20, f"Exhibit {letter}", size=9) for letter in "AB"]
    titled = Page().draw(whole).text(200, 400, "A title on a picture")
    document = read(TEXT, *marked, titled)
    assert document.notes[0] == "2 of 4 pages hold no text: 2-3"
    assert texts(document)[1:] == ["Exhibit A", "Exhibit B", "A title on a picture"]


def test_what_is_all_that_a_document_says_is_kept() -> None:
    assert texts(read(*(Page().text(72, 760, "Seat 12") for _ in range(3)))) == ["Seat 12"] * 3


def test_a_tilted_page_is_straightened_before_it_is_read(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = "".join(f"{left} {base} 20 6 re f " for base in range(120, 640, 16) for left in range(80, 500, 26))
    given: list[bytes] = []

    def run(_command: object, data: bytes, _seconds: float) -> str:
        given.append(data)
        return "\t".join(HEAD) + "\n" + row(1, 200, "word")

    monkeypatch.setattr(ocr, "_run", run)
    read(Page().draw(f"q .9986 -.0523 .0523 .9986 0 20 cm {words} Q"), limits=LIMITS)
    _, width, height, _ = given[0].split(maxsplit=4)[:4]
    pixels = given[0][-int(width) * int(height) :]
    assert pixels.count(0) > 10_000
    assert tilt_of(Picture(int(width), int(height), pixels)) == 0.0
