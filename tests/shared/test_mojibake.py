"""Text that was encoded twice is mended where all of it was, and good text is never touched."""
# ruff: noqa: RUF001

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedmill.shared.mojibake import repair, share_of_pairs
from tests.workers.parsing.making import read, texts

TEXTS = ["Größe und Straße", "Привет, мир", "“naïve” plan — £5", "これは文です", "voilà"]

CYRILLIC = ["Привет, мир", "Инструкция № 5: «Пуск»", "Він — у Києві", "Größe, по-русски"]


def _damaged(text: str, encoding: str) -> str:
    return "".join(bytes((byte,)).decode(encoding, "ignore") or chr(byte) for byte in text.encode())


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1"])
@pytest.mark.parametrize("text", TEXTS)
def test_what_was_read_in_a_wrong_encoding_is_mended(text: str, encoding: str) -> None:
    assert repair(_damaged(text, encoding)) == text
    assert repair(_damaged(_damaged(text, encoding), encoding)) == text


@pytest.mark.parametrize("text", CYRILLIC)
def test_what_was_read_as_windows_1251_is_mended(text: str) -> None:
    assert repair(_damaged(text, "cp1251")) == text


@pytest.mark.parametrize(
    "text", [*TEXTS, *CYRILLIC, "СЁСТРЫ", "РІК і Ріка", "ÃO BRASIL", "â", "Café “Ã©” is how é looks", ""]
)
def test_good_text_stays(text: str) -> None:
    assert repair(text) == text


@given(st.text())
def test_every_text_has_a_share_and_comes_back(text: str) -> None:
    assert 0 <= share_of_pairs(text) <= 1
    assert isinstance(repair(text), str)


def test_a_document_is_mended_paragraph_by_paragraph_and_says_so() -> None:
    document = read(f"{_damaged(TEXTS[0], 'latin-1')}\n\ncafé é Ã©".encode(), "a.txt")
    assert texts(document) == [TEXTS[0], "café é Ã©"]
    assert document.notes == ("text that was encoded twice was repaired",)


def test_a_cell_of_a_table_is_mended() -> None:
    assert texts(read("a,b\nGrÃ¶ÃŸe,é".encode(), "a.csv")) == ["a | b", "Größe | é"]
