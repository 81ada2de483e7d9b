"""Cuts of legacy text are read right; what shows its encoding, or declares it, is believed as far as that can be."""
# ruff: noqa: RUF001 - these are the letters that are told apart

import subprocess
import sys

import pytest

from bench.encodings import own_cuts
from embedmill.shared.encoding import decode, guess_legacy
from embedmill.shared.errors import UnsupportedDocument

RUSSIAN = "Привет мир, как дела? Хорошо."
JAPANESE = "これは短い文です。日本語の文。"


def test_nineteen_of_twenty_cuts_of_one_and_five_paragraphs_are_read_right() -> None:
    right = [cut.is_read_right() for cut in own_cuts((1, 5))]
    assert len(right) > 200
    assert sum(right) >= 0.95 * len(right)


@pytest.mark.parametrize(
    "text", ["Мир и труд", "Документ о закупке", "Настройки на приложението", "Път „към“ файла — Следеното"]
)
def test_cyrillic_without_capitals_of_a_mac_is_windows_1251(text: str) -> None:
    assert decode(text.encode("cp1251")).text == text


def test_windows_1252_is_read_right_before_its_look_alikes() -> None:
    wrong = [cut.text for cut in own_cuts((1, 2)) if cut.encoding == "cp1252" and not cut.is_read_right()]
    assert not wrong


@pytest.mark.parametrize(
    "text",
    [
        "naïve café £5 niño",
        "Zoë's piñata",
        "garçon & niña: £5 and €6",
        "the price of jalapeño, piñata and smörgås was £5, and the Ærø of São Paulo is no façade",
        "crème the garçon piñata résumé to this ± 2 when naïveté was this",
    ],
)
def test_words_of_several_languages_are_no_evidence_against_windows_1252(text: str) -> None:
    assert decode(text.encode("cp1252")).text == text


@pytest.mark.parametrize(
    ("text", "encoding"),
    [("สวัสดีชาวโลก", "cp874"), ("Łódź jest miastem.", "cp1250"), ("Nő a fű.", "cp1250"), ("Он и я", "cp1251")],
)
def test_a_sentence_of_another_page_stays_what_it_is(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)).text == text


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize(
    "text", [RUSSIAN, JAPANESE, "안녕하세요 여러분, 반갑습니다.", "هذه جملة قصيرة", "Größe", "Hi!\n"]
)
def test_unicode_without_a_mark_is_seen_in_every_script(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)).text == text


@pytest.mark.parametrize("text", ["Bush hid the facts", "this app can break", "\x1b[31mred\x1b[0m"])
def test_ascii_is_never_taken_for_anything_else(text: str) -> None:
    assert decode(text.encode()).text == text


def test_iso_2022_jp_is_seen_by_its_escapes_and_is_no_guess() -> None:
    found = decode(JAPANESE.encode("iso2022_jp"))
    assert (found.text, found.note) == (JAPANESE, "")


def test_a_table_in_iso_2022_jp_is_read_as_such_row_by_row() -> None:
    assert "日本" in "id,text\n1,日本".encode("iso2022_jp").decode(guess_legacy("id,text\n1,日本".encode("iso2022_jp")))


@pytest.mark.parametrize(
    ("declared", "encoding"),
    [
        ("iso-8859-1", "cp1252"),
        ("ISO-8859-9", "cp1254"),
        ("gb2312", "gb18030"),
        ("x-sjis", "cp932"),
        ("'utf8'", "utf8"),
    ],
)
def test_a_declaration_is_read_as_browsers_read_it(declared: str, encoding: str) -> None:
    texts = {"cp1252": "“Größe” – 5 €", "cp1254": "ağaç “ışık”", "gb18030": "简短的句子镕", "cp932": "①日本語"}
    text = texts.get(encoding, "é")
    found = decode(text.encode(encoding), declared=declared)
    assert (found.text, found.note) == (text, "")


@pytest.mark.parametrize("declared", ["us-ascii", "utf-8", "utf-16", "euc-jp", "no-such-encoding"])
def test_a_declaration_that_cannot_be_is_corrected_and_noted(declared: str) -> None:
    found = decode("Die Größe der Straße überrascht alle Gäste.".encode("cp1252"), declared=declared)
    assert found.text == "Die Größe der Straße überrascht alle Gäste."
    assert found.note == (
        f"it declares an encoding that it is not in: {declared}; its encoding was guessed: windows-1252"
    )


@pytest.mark.parametrize("data", [b"\xff" * 10_000, bytes(range(256)) * 40, b"\x81\x8d" * 500])
def test_bytes_that_are_no_text_are_refused(data: bytes) -> None:
    with pytest.raises(UnsupportedDocument):
        decode(data)


def test_a_character_in_a_hole_of_windows_1252_loses_nothing_else() -> None:
    text = "Die Größe der Straße überrascht alle Gäste, und die Möbel sind schön."
    data = text.encode("cp1252") + b" \x81 " + text.encode("cp1252")
    assert decode(data, declared="windows-1252").text.count(text) == 2


def test_plain_utf_8_costs_no_import() -> None:
    code = (
        "import sys; from embedmill.shared.encoding import decode; decode('é'.encode());"
        "sys.exit(any(name.startswith(('chardet', 'embedmill.shared.charsets')) for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
