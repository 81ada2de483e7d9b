"""An answer is in the question's language, its quotes in the document's; numbers are one however they are written."""
# ruff: noqa: RUF001 - sentences of many scripts

import json
import re
from collections.abc import Callable, Sequence

import pytest

from embedmill.retrieval.answering.answers import UNSUPPORTED_NUMBER
from embedmill.retrieval.answering.numbers import numbers_of
from embedmill.retrieval.answering.questions import Answering
from embedmill.retrieval.answering.tongues import is_in_another
from embedmill.retrieval.grading.questions import AskedQuestion
from embedmill.retrieval.passages import Passage
from embedmill.shared.asking.sending import Pacing, ask_all
from embedmill.shared.metering import FreeMeter
from embedmill.shared.providers.models.base import ModelAnswer, Prompt
from tests.retrieval.grading.judge import Scripted, ScriptedModel

ENGLISH = "The pump of the X200 runs at 1.5 bar, and it was sold 1,200 times in the year 2026."
GERMAN = "Die Pumpe der X200 läuft mit 2,5 bar und wurde im Jahr 2026 nur 1.200 Mal verkauft."
FRAME = "Die Pumpe läuft und wird mit {} verkauft, wie es im Handbuch der Anlage steht."


def answered(question: str, passage: str, text: str, quote: str) -> tuple[list[str], dict[str, int], Prompt]:
    def say(shown: Sequence[tuple[str, str]], _: Prompt) -> str:
        return json.dumps({"claims": [{"text": text, "quotes": [{"id": shown[0][0], "quote": quote}]}]})

    script = Scripted(say)
    asking = Answering(ScriptedModel(script), AskedQuestion(question))
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


GERMAN_QUESTION = "Mit welchem Druck läuft die Pumpe?"
IN_ENGLISH, IN_GERMAN = "The pump runs at 1.5 bar.", "Die Pumpe läuft mit 1,5 bar."


class Speaking(ScriptedModel):
    """Says its answer aloud, the end of the list apart."""

    def stream(self, prompt: Prompt, tell: Callable[[str], None]) -> ModelAnswer:
        answer = self.ask(prompt)
        tell(answer.text[:-2])
        tell(answer.text[-2:])
        return answer


def saying(*answers: str | Sequence[str]) -> tuple[Answering, Scripted, list[str]]:
    """What is left of answers that come one after the other, each of some sentences; an empty one is a refusal."""
    left = list(answers)

    def say(shown: Sequence[tuple[str, str]], _: Prompt) -> str:
        said = left.pop(0)
        texts = [said] if isinstance(said, str) else said
        quotes = [{"id": shown[0][0], "quote": "runs at 1.5 bar"}]
        return json.dumps({"claims": [{"text": text, "quotes": quotes} for text in texts]}) if said else ""

    told: list[str] = []
    script = Scripted(say)
    asking = Answering(Speaking(script), AskedQuestion(GERMAN_QUESTION), lambda claim: told.append(claim.text))
    ask_all(asking, asking.pack([Passage("r", "d", "d.txt", "", "", ENGLISH)]), meter=FreeMeter(), pace=Pacing())
    return asking, script, told


def test_an_answer_in_another_language_is_asked_for_once_more_and_not_told() -> None:
    asking, script, told = saying(IN_ENGLISH, IN_GERMAN)
    assert asking.answer is not None
    assert (asking.answer.text, asking.answer.in_another, told) == (IN_GERMAN, 0, [IN_GERMAN])
    assert "not in the language of the question" in script.prompts[1].user[0].text


def test_an_answer_that_stays_in_another_language_is_marked() -> None:
    asking, script, told = saying(IN_ENGLISH, IN_ENGLISH)
    assert asking.answer is not None
    assert ([claim.in_another for claim in asking.answer.claims], told) == ([True], [IN_ENGLISH])
    assert len(script.prompts) == 2


def test_where_the_second_answer_fails_the_first_is_left_and_marked() -> None:
    asking, _, told = saying(IN_ENGLISH, "")
    assert (asking.answer, told) == (None, [])
    assert (asking.left.text, asking.left.in_another) == (IN_ENGLISH, 1)


def test_a_sentence_behind_those_that_were_told_is_marked_and_costs_no_second_call() -> None:
    asking, script, told = saying([IN_GERMAN, IN_ENGLISH])
    assert asking.answer is not None
    assert [claim.in_another for claim in asking.answer.claims] == [False, True]
    assert (told, len(script.prompts)) == ([IN_GERMAN, IN_ENGLISH], 1)


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        (GERMAN_QUESTION, IN_ENGLISH),
        (GERMAN_QUESTION, "La pompe tourne avec une pression de 1,5 bar et elle est rouge."),
        ("At what pressure does the pump run?", IN_GERMAN),
        ("¿Con qué presión funciona la bomba?", IN_ENGLISH),
        ("При каком давлении работает насос?", IN_ENGLISH),
        ("泵的压力是多少", IN_ENGLISH),
        ("What is it, and where?", "泵的压力是1.5"),
        ("At what pressure does the pump run?", "Насос работает."),
        ("ポンプの圧力は", "泵的压力是很高"),
    ],
)
def test_another_language_is_told(question: str, sentence: str) -> None:
    assert is_in_another(sentence, question)


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        (GERMAN_QUESTION, IN_GERMAN),
        (GERMAN_QUESTION, "1,5 bar."),
        (GERMAN_QUESTION, "X200: NullPointerException at java.lang.Thread.run"),
        (GERMAN_QUESTION, 'Im Handbuch steht: "The pump is to be run at 1.5 bar and not above."'),
        ("pump X200 pressure", IN_GERMAN),
        ("At what pressure does the pump run?", "It runs at 1.5 bar."),
        ("At what pressure does the pump run?", "For 36 months."),
        ("Com que pressão funciona a bomba?", "A bomba funciona com 1,5 bar e não com mais."),
        ("Hvilket tryk kører pumpen med?", "Pumpen kører med 1,5 bar og er rød."),
        ("При каком давлении работает насос?", "X200: 1,5 bar"),
        ("ポンプの圧力は", "圧力は1.5です"),
        ("", IN_ENGLISH),
    ],
)
def test_what_does_not_tell_is_taken_for_the_same_language(question: str, sentence: str) -> None:
    assert not is_in_another(sentence, question)
