"""Sentences end where a reader of their language would say, and the language is told by script and function words."""

import pytest

from embedmill.workers.chunking.languages import language_of
from embedmill.workers.chunking.sentences import WINDOW, sentences_in, sentences_of, spans
from tests.workers.chunking.documents import HOSTILE, prose

SENTENCES = {
    "en": [
        "Mr. Jones of Acme Inc. left the U.S. Army at 5 p.m. on Friday.",
        "See sec. 4.2 and cf. p. 12.",
        "Is it so?",
    ],
    "de": [
        "Das Gerät wird z. B. am 3. Mai von Dr. Müller mit max. 100 Volt geprüft.",
        "Nach Abs. 2 Nr. 4 gilt dies auch für die 2. Auflage der Prüfung.",
        "Ist das nicht der Fall, so wird es wiederholt.",
    ],
    "fr": ["M. Dupont est arrivé le 3 mai avec des amis.", "Voir p. 12 et art. 5 du code.", "Qui est là ?"],
    "es": ["El Sr. García llegó a la ciudad.", "¿Quién es la Dra. López?", "Véase la pág. 12 y el art. 5 de la ley."],
    "it": ["Il sig. Rossi è arrivato con la moglie.", "Si veda pag. 12 della legge.", "Chi è?"],
    "ja": ["これは文です。", "次の文です！", "本当ですか？", "はい。"],
    "zh": ["这是第一句。", "然后离开了。", "真的吗？"],
    "ar": ["ذهب أحمد إلى المدرسة.", "هل هذا صحيح؟", "نعم، هذا صحيح."],
    "hi": ["यह पहला वाक्य है।", "क्या यह सही है?", "हाँ, यह सही है।"],
    "ru": ["Он жил в Москве.", "Это был дом, см. рис. 2 в книге.", "Кто там?"],
}


@pytest.mark.parametrize("language", SENTENCES)
def test_sentences_end_where_a_reader_of_the_language_would_say(language: str) -> None:
    sentences = SENTENCES[language]
    text = ("" if language in {"ja", "zh"} else " ").join(sentences)
    assert language_of(text) == language
    assert [text[start:end] for start, end in spans(text, (0, len(text)), sentences_in(text))] == sentences


def test_what_is_in_no_known_language_is_taken_for_english() -> None:
    assert [language_of(text) for text in ("", "12 + 30", "x = f(x)", "Łódź", prose(3))] == ["en"] * 5
    assert [language_of(text) for text in ("สวัสดีชาวโลก", "안녕하세요 여러분", "שלום עולם")] == ["th", "ko", "he"]


def test_a_text_of_many_windows_is_cut_as_one_of_few() -> None:
    text = "これは文です。" * (3 * WINDOW // 7)
    assert len(spans(text, (0, len(text)), sentences_of("ja"))) == text.count("。")
    text = prose(2000)
    assert [text[end - 1] for _, end in spans(text, (0, len(text)), sentences_of("en"))] == ["."] * 2000


@pytest.mark.parametrize("name", HOSTILE)
def test_boundaries_of_hostile_texts_rise_within_their_span(name: str) -> None:
    text = HOSTILE[name][:40_000]
    cuts = list(sentences_of("en")(text, 10, len(text) - 10))
    assert cuts == sorted(cuts)
    assert all(10 < cut <= len(text) - 10 for cut in cuts)
