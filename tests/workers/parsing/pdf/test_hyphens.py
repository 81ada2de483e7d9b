"""A hyphen at a line's end goes only where something says that the word has none."""

import pytest

from embedmill.workers.parsing.pdf.hyphens import DocumentWords
from tests.workers.parsing.making import texts
from tests.workers.parsing.pdf.drawing import Page, read


def unlisted(_: str) -> bool:
    return False


def test_the_document_s_own_form_decides() -> None:
    words = DocumentWords(["the multicolumn page and the open-domain question"], unlisted)
    assert words.join("a multi-", "column page") == "a multicolumn page"
    assert words.join("an open\ufffe", "domain task") == "an open-domain task"


@pytest.mark.parametrize(
    ("line", "following", "joined"),
    [
        ("see the docu-", "mentation.", "see the documentation."),
        ("carbon-", "free", "carbon-free"),
        ("of n-", "octanal", "of n-octanal"),
        ("COVID-", "19", "COVID-19"),
        ("Smith-", "Jones", "Smith-Jones"),
        ("DOCU-", "MENTATION", "DOCUMENTATION"),
        ("xylo-", "graphists", "xylo-graphists"),
        ("a state-of-the-", "art method", "a state-of-the-art method"),
        ("data-depen-", "dent", "data-dependent"),
        ("from 3 -", "and on", "from 3 - and on"),
        ("die Ein-", "und Ausfahrt", "die Ein- und Ausfahrt"),
        ("the pre-", "and post-war years", "the pre- and post-war years"),
        ("a rock-", "and-roll band", "a rock-and-roll band"),
        ("", "text", "text"),
    ],
)
def test_a_list_of_words_decides_what_the_document_does_not(line: str, following: str, joined: str) -> None:
    assert DocumentWords().join(line, following) == joined


@pytest.mark.parametrize(
    ("torn", "text"),
    [
        ("an e\ufffdcient pump", "an efficient pump"),
        ("di\u21b5erent", "different"),
        ("the O\ufffdce", "the Office"),
        ("the xylo\ufffdn", "the xylo\ufffdn"),
        ("a \ufffd \u21b5 b", "a \ufffd \u21b5 b"),
    ],
)
def test_a_ligature_without_a_meaning_is_the_one_that_makes_a_word(torn: str, text: str) -> None:
    assert DocumentWords().mended(torn) == text


def test_what_has_no_meaning_in_a_word_is_no_hyphen() -> None:
    assert texts(read(Page().text(72, 700, "an e!cient pump", font="Torn"))) == ["an efficient pump"]


def test_soft_hyphens_and_the_marks_of_pdfium_never_reach_the_text() -> None:
    page = Page().lines(72, 700, "All of it stands in the docu-", "mentation of carbon-", "free energy.")
    assert texts(read(page)) == ["All of it stands in the documentation of carbon-free energy."]
