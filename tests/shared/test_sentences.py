"""A sentence that is shown ends where a reader of its language would say, and not at every stop."""
# ruff: noqa: RUF001 - these are the letters of other languages

import pytest

from embedmill.shared.sentences import sentences_of

SENTENCES = {
    "English": (
        "Use pump No. 5 for the inlet.",
        "See Fig. 3, Sec. 4.2 and p. 12 for more.",
        "Mr. Jones of Acme Inc. left the U.S. Army at 5 p.m. on Friday.",
        "J. R. R. Tolkien wrote it in 1937.",
        "Plug it into USB 3.",
        "It starts.",
        "The price is approx. 5 dollars.",
    ),
    "German": (
        "Der Ausschuss tagte am 3. Mai in Bonn.",
        "Der 1. FC Köln spielte im 19. Jahrhundert nicht.",
        "Dr. Müller kam z. B. mit max. 100 Volt, siehe Abb. 3 und Abs. 2 Nr. 4.",
        "Der Raum hat die Nummer 3.",
        "Er ist leer.",
        "Wilhelm II. Herrscher war er nicht.",
    ),
    "Danish": ("Han døde den 28. Februar 1648.", "Prisen er ca. 50 kr. og det er nr. 5."),
    "Czech": ("Schůze byla 3. Května v Praze.", "Byl to konec 12. října, viz obr. 3 a str. 12."),
    "Hungarian": ("Az ülés 2026. Május 3. napján volt Budapesten.", "Lásd a 12. oldalt."),
    "Finnish": ("Kokous pidettiin 3. Toukokuuta Helsingissä, ja se oli pitkä.", "Hän asuu 2. kerroksessa."),
    "Turkish": ("Bu ev 2. Dünya Savaşı sonunda bir okul oldu.", "Dr. Yılmaz geldi."),
    "French": ("M. Dupont est arrivé le 3 mai avec des amis.", "Voir p. 12, art. 5 et fig. 3.", "Qui est là ?"),
    "Russian": ("Он жил в г. Москве.", "Это был дом, см. рис. 2 в книге.", "А. С. Пушкин родился здесь."),
}


@pytest.mark.parametrize("language", SENTENCES)
def test_sentences_end_where_a_reader_of_the_language_would_say(language: str) -> None:
    sentences = SENTENCES[language]
    for between in (" ", "\n"):
        text = between.join(sentences)
        assert tuple(text[start:end] for start, end in sentences_of(text)) == sentences


@pytest.mark.parametrize(
    "text",
    ["It is shown on p. 12.\n\n5 men came.", "Nach § 5 Abs.\n- Punkt eins", "Seite 3.\n# Kopf", "das am 3.\n\nMai"],
)
def test_what_ends_otherwise_is_not_joined(text: str) -> None:
    spans = list(sentences_of(text))
    assert [text[spans[0][0] : spans[0][1]]] == [text.split("\n", maxsplit=1)[0]]
    assert len(spans) == 2
