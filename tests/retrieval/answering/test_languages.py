"""An answer is in the question's language, its quotes in the document's; numbers are one however they are written."""

import json
import re
from collections.abc import Sequence

import pytest

from embedmill.retrieval.answering.answers import UNSUPPORTED_NUMBER
from embedmill.retrieval.answering.numbers import numbers_of
from embedmill.retrieval.answering.questions import Answering
from embedmill.retrieval.grading.passages import Passage
from embedmill.retrieval.grading.questions import Asked
from embedmill.shared.asking.sending import Pacing, ask_all
from embedmill.shared.metering import FreeMeter
from embedmill.shared.providers.models.base import Prompt
from tests.retrieval.grading.judge import Scripted, ScriptedModel

ENGLISH = "The pump of the X200 runs at 1.5 bar, and it was sold 1,200 times in the year 2026."
GERMAN = "Die Pumpe der X200 läuft mit 2,5 bar und wurde im Jahr 2026 nur 1.200 Mal verkauft."
FRAME = "Die Pumpe läuft und wird mit {} verkauft, wie es im Handbuch der Anlage steht."


def answered(question: str, passage: str, text: str, quote: str) -> tuple[list[str], dict[str, int], Prompt]:
    def say(shown: Sequence[tuple[str, str]], _: Prompt) -> str:
        return json.dumps({"claims": [{"text": text, "quotes": [{"id": shown[0][0], "quote": quote}]}]})

    script = Scripted(say)
    asking = Answering(ScriptedModel(script), Asked(question))
    ask_all(asking, asking.pack([Passage("r", "d", "d.txt", "", "", passage)]), meter=FreeMeter(), pace=Pacing())
    assert asking.answer is not None
    quotes = [cited.quote.text for claim in asking.answer.claims for cited in claim.quotes]
    return quotes, asking.answer.faults, script.prompts[0]


@pytest.mark.parametrize(
    ("question", "passage", "text", "quote"),
    [
        ("Mit welchem Druck läuft die Pumpe?", ENGLISH, "Die Pumpe läuft mit 1,5 bar.", "runs at 1.5 bar"),
        ("Wie oft wurde die Pumpe verkauft?", ENGLISH, "Sie wurde im Jahr 1.200 Mal verkauft.", "sold 1,200 times"),
        ("At what pressure does the pump run?", GERMAN, "The pump runs at 2.5 bar.", "läuft mit 2,5 bar"),
        ("How often was the pump sold?", GERMAN, "It was sold 1,200 times in the year 2026.", "1.200 Mal verkauft"),
    ],
)
def test_an_answer_in_the_questions_language_stands_on_quotes_in_the_documents(
    question: str, passage: str, text: str, quote: str
) -> None:
    quotes, faults, prompt = answered(question, passage, text, quote)
    assert (quotes, faults) == ([quote], {})
    assert "in the language of the question" in prompt.user[0].text
    assert "in the language of the question" in prompt.system[0].text
    assert re.search(r"`quote` is copied .* in its own language", prompt.system[0].text)


def test_a_translated_quote_is_no_quote() -> None:
    quotes, faults, _ = answered(
        "Wie läuft die Pumpe?", ENGLISH, "Sie läuft mit 1,5 bar.", "Die Pumpe läuft mit 1,5 bar"
    )
    assert (quotes, faults) == ([], {"fabricated": 1})


@pytest.mark.parametrize("number", ["15", "1,05", "1,51", "12", "1.200,5", "120", "2.027", "1,2"])
def test_another_number_is_refused_in_every_language(number: str) -> None:
    _, faults, _ = answered("Wie läuft die Pumpe?", ENGLISH, FRAME.format(number), "runs at 1.5 bar")
    assert faults == {UNSUPPORTED_NUMBER: 1}


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("It is 1,234,567.89 of them and 0.500 and 12", {"1234567.89", "0.500", "12"}),
        ("Es sind 1.234.567,89 und nicht 0,500 oder 12", {"1234567.89", "0.500", "12"}),
        ("version 2.0.1 of 12.10.2026, and the port 10.0.0.1", {"2.0.1", "12.10.2026", "10.0.0.1"}),
        ("the price was 1,500 of these and the share 1.500", {"1500", "1.500"}),
        ("der Preis war 1.500 und der Anteil nicht 1,500", {"1500", "1.500"}),
        ("1,5 12,75", {"1.5", "12.75"}),
        ("no number", set()),
    ],
)
def test_numbers_are_read_as_their_language_writes_them(text: str, numbers: set[str]) -> None:
    assert numbers_of(text) == numbers
