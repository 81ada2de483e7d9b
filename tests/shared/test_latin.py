"""Short texts in one-byte encodings of Latin script are read with the letters that their language has."""
# ruff: noqa: RUF001 - these are the letters that are told apart

import pytest

from embedmill.shared.encoding import decode
from embedmill.shared.latin import guess_latin

TEXTS = {
    "cp1252": (
        "El niño mañana comerá jamón y piñas; ¿qué más? ¡Adiós, corazón!",
        "A educação não é só para crianças; as mães também têm opiniões.",
        "Åke sade på ön att kött och ärtsoppa hör till fredagen.",
        "It’s a “naïve” plan — the café charges £5.",
        "Voilà la tête de l'élève naïf, déjà à Noël.",
        "Größe und Straße: für Müller übrig.",
        "Perché è così? Più città, lunedì.",
        "Rødgrød med fløde på æbler",
        "Þetta er íslenska, já.",
        "ÉCOLE ÉLÉMENTAIRE",
        "naïve café by François Müller and Ángel Ñandú",
        "100 °C and 5 m² © 2020",
        "€5 – “ok”",
        "niño",
        "São Paulo",
    ),
    "cp1250": (
        "Příliš žluťoučký kůň úpěl ďábelské ódy",
        "Zażółć gęślą jaźń",
        "Łódź jest piękna",
        "Święto w Łodzi było udane, choć padał deszcz.",
        "Árvíztűrő tükörfúrógép",
        "Înţelegere şi învăţătură",
    ),
    "iso8859_2": ("Zażółć gęślą jaźń", "Příliš žluťoučký kůň"),
    "cp1254": ("Türkçe öğrenmek güzel bir iş, ağaç ışık", "İstanbul'da yağmur yağıyor", "Kâğıt hâlâ masada"),
    "cp1257": (
        "Ąžuolas ir ėjimas į šalį, ūkis",
        "Latviešu valoda ir skaista, ķirsis un ļaudis",
        "Bērni skolā mācās latviešu valodu",
    ),
    "cp850": ("Größe und Straße für Müller", "Größe über Straße naïve"),
    "mac_roman": ("Voilà le café déjà",),
}


@pytest.mark.parametrize(("text", "encoding"), [(text, name) for name, texts in TEXTS.items() for text in texts])
def test_a_short_text_is_read_right_and_called_a_guess(text: str, encoding: str) -> None:
    found = decode(text.encode(encoding))
    assert found.text == text
    assert found.note == f"its encoding was guessed: {found.note.rpartition(' ')[2]}"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Привет, как дела? Это короткий текст.", "cp1251"),
        ("Αυτό είναι ένα σύντομο κείμενο.", "cp1253"),
        ("これは短い文です。", "cp932"),
        ("The word 日本語 is here", "cp932"),
        ("这是一个简短的句子。", "gb18030"),
        ("이것은 짧은 문장입니다.", "euc_kr"),
        ("هذه جملة قصيرة", "cp1256"),
    ],
)
def test_other_scripts_are_left_to_statistics(text: str, encoding: str) -> None:
    assert guess_latin(text.encode(encoding)) is None


def test_a_long_text_is_judged_by_its_first_words() -> None:
    text = "año y más palabras sin nada " * 50_000
    assert guess_latin(text.encode("cp1252")) == "cp1252"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [("Größe über Straße naïve", "cp437"), ("Zażółć gęślą jaźń", "cp852"), ("שלום עולם hello", "cp862")],
)
def test_no_word_has_letters_of_two_scripts(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)).text == text


def test_words_that_join_scripts_on_purpose_do_not_count() -> None:
    text = "Кабель USBшный лежит рядом, и другие слова этого текста написаны обычными буквами."
    assert decode(text.encode("cp1251")).text == text
