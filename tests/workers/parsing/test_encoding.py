"""Text arrives whole whatever its encoding, and without what no store accepts."""

import pytest

from embedmill.shared.encoding import decode
from embedmill.shared.errors import UnsupportedDocument
from tests.workers.parsing.making import read, texts

RUSSIAN = "Хранилище векторов отвечает на запросы и помнит каждый документ. "
GERMAN = "Die Prüfung läuft über Nacht; größere Dateien dürfen länger brauchen. "


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_unicode_with_or_without_a_mark_is_read(encoding: str) -> None:
    assert decode(RUSSIAN.encode(encoding)).text == RUSSIAN


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_seen_by_its_zeros(encoding: str) -> None:
    assert decode(GERMAN.encode(encoding)).text == GERMAN


@pytest.mark.parametrize(
    ("text", "encoding"), [(RUSSIAN * 5, "cp1251"), (RUSSIAN * 5, "koi8-r"), (GERMAN * 5, "cp1252")]
)
def test_an_8_bit_encoding_is_guessed(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)).text == text


def test_surrogates_written_as_utf_8_become_the_character_they_mean() -> None:
    halves = "\ud83d\ude00".encode("utf-8", "surrogatepass")
    assert texts(read(b"a " + halves + b" b", "a.txt")) == ["a 😀 b"]


def test_lone_surrogates_are_removed() -> None:
    document = read(b"a" + "\ud800".encode("utf-8", "surrogatepass") + b"b", "a.txt")
    assert texts(document) == ["ab"]
    "".join(texts(document)).encode()


def test_nul_and_control_characters_are_removed_and_newlines_are_one_kind() -> None:
    assert texts(read(b"a\0b\x07c\td\r\ne\rf", "a.txt")) == ["abc\td\ne\nf"]


def test_composed_and_decomposed_characters_stay_as_written() -> None:
    assert texts(read("é e\u0301 ﬁ".encode(), "a.txt")) == ["é e\u0301 ﬁ"]


def test_bytes_that_no_encoding_explains_are_refused() -> None:
    with pytest.raises(UnsupportedDocument):
        decode(b"\xff" * 10_000)


def test_html_declares_its_encoding() -> None:
    page = "<html><head><meta charset='shift_jis'></head><body><p>日本語の文</p></body></html>".encode("shift_jis")
    assert texts(read(page, "a.html")) == ["日本語の文"]
