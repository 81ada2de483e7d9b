"""What is left of a model's answer: sentences that quotes of the cited passages bear, and nothing else."""

import json
import re
from collections.abc import Callable
from random import Random

import pytest

from embedmill.retrieval.answering.answers import NO_QUOTE, UNSUPPORTED_NUMBER, Answer
from embedmill.retrieval.answering.questions import Answering
from embedmill.retrieval.grading.questions import AskedQuestion
from embedmill.retrieval.passages import Passage
from embedmill.shared.asking.sending import Pacing, ask_all
from embedmill.shared.errors import EmbedmillError
from embedmill.shared.metering import FreeMeter
from embedmill.shared.providers.models.base import ModelAnswer, Prompt, Stop
from tests.retrieval.grading.judge import Scripted, ScriptedModel, answer

TEXTS = ("The pump runs at 40 bar. It is not to be used with oil.", "The X200 has a warranty of 36 months.")
PASSAGES = [Passage(f"r{n}", f"d{n}", f"{n}.txt", "", "", text) for n, text in enumerate(TEXTS)]

Claims = list[tuple[str, list[tuple[int, str]]]]
"""Sentences with quotes, each of a passage by its number; another number is an id that nobody gave."""


def ask(say: Callable[[list[str], Prompt], "str | ModelAnswer"]) -> tuple[Answer | None, list[EmbedmillError]]:
    def scripted(_: object, prompt: Prompt) -> "str | ModelAnswer":
        texts = re.findall(r'<passage-\w+ id="([^"]+)"[^>]*>\n(.*?)\n</', prompt.user[0].text)
        ids = {text: id for id, text in texts}
        return say([ids[text] for text in TEXTS], prompt)

    question = Answering(ScriptedModel(Scripted(scripted)), AskedQuestion("how long, and at what pressure of 99?"))
    errors = ask_all(question, question.pack(PASSAGES), meter=FreeMeter(), pace=Pacing())
    return question.answer, list(errors.values())


def worded(ids: list[str], claims: Claims) -> str:
    return json.dumps(
        {
            "claims": [
                {"text": text, "quotes": [{"id": [*ids, "p9"][number], "quote": quote} for number, quote in quotes]}
                for text, quotes in claims
            ]
        }
    )


def answered(claims: Claims) -> Answer:
    found, errors = ask(lambda ids, _: worded(ids, claims))
    assert not errors
    assert found is not None
    return found


def test_sentences_are_kept_with_the_quotes_that_bear_them() -> None:
    found = answered(
        [
            ("It runs at 40 bar.", [(0, "RUNS at 40 bar")]),
            ("For 36 months.", [(1, "a warranty of 36 months"), (0, "x")]),
        ]
    )
    assert found.text == "It runs at 40 bar. For 36 months."
    cited = found.claims[0].quotes[0]
    assert cited.passage.text[cited.quote.start : cited.quote.end] == cited.quote.text == "runs at 40 bar"
    assert (found.removed, len(found.claims[1].quotes)) == (0, 1)


@pytest.mark.parametrize(
    ("sentence", "quotes", "fault"),
    [
        ("It runs on oil.", [(0, "It is to be used with oil")], "stitched"),
        ("It runs at 40 bar.", [(1, "runs at 40 bar")], "other_document"),
        ("It runs at 40 bar.", [(2, "runs at 40 bar")], "other_document"),
        ("It is a pump.", [], NO_QUOTE),
        ("It is blue.", [(0, "the pump is painted blue")], "fabricated"),
        ("It runs at 400 bar.", [(0, "runs at 40 bar")], UNSUPPORTED_NUMBER),
        ("It was asked.", [(0, "at what pressure of 99")], "prompt"),
    ],
)
def test_what_nothing_bears_is_removed_and_counted(sentence: str, quotes: list[tuple[int, str]], fault: str) -> None:
    found = answered([("It runs at 40 bar.", [(0, "runs at 40 bar")]), (sentence, quotes)])
    assert len(found.claims) == 1
    assert (found.removed, found.faults) == (1, {fault: 1})


def test_nothing_said_is_an_answer_of_its_own() -> None:
    found = answered([])
    assert not found.answered
    assert found.removed == 0


def test_of_a_cut_answer_whole_sentences_are_left_and_it_says_so() -> None:
    def cut(ids: list[str], _: Prompt) -> ModelAnswer:
        whole = worded(ids, [("It runs at 40 bar.", [(0, "runs at 40 bar")]), ("For 36 months.", [(1, "36 months")])])
        return answer(whole[: whole.index("36 months") + 4], Stop.MAX_TOKENS)

    found, errors = ask(cut)
    assert not errors
    assert found is not None
    assert (found.text, found.cut) == ("It runs at 40 bar.", True)


@pytest.mark.parametrize("said", ["", "Sure!", '{"claims": 1}', answer("", Stop.REFUSAL), "[" * 5000])
def test_what_cannot_be_read_is_asked_once_more_and_then_an_error(said: "str | ModelAnswer") -> None:
    found, errors = ask(lambda *_: said)
    assert found is None
    assert len(errors) == 1


@pytest.mark.parametrize("seed", range(20))
def test_a_citation_is_of_the_passage_that_was_shown_whatever_the_orders_are(seed: int) -> None:
    drawn = Random(seed)
    texts = {f"r{n}": f"Machine {n} runs at {n + 10} bar." for n in range(9)}
    ranked = [Passage(id, f"d{id}", f"{id}.txt", "", "", text) for id, text in texts.items()]
    drawn.shuffle(ranked)

    def say(_: object, prompt: Prompt) -> str:
        shown = re.findall(r'<passage-\w+ id="([^"]+)"[^>]*>\n(.*?)\n</', prompt.user[0].text)
        drawn.shuffle(shown)
        return json.dumps({"claims": [{"text": text, "quotes": [{"id": id, "quote": text}]} for id, text in shown]})

    question = Answering(ScriptedModel(Scripted(say)), AskedQuestion(f"at what pressure does machine {seed} run?"))
    packed = question.pack(ranked)
    drawn.shuffle(ranked)
    assert not ask_all(question, packed, meter=FreeMeter(), pace=Pacing())
    assert question.answer is not None
    assert {(c.text, q.passage.id, q.quote.text) for c in question.answer.claims for q in c.quotes} == {
        (text, id, text) for id, text in texts.items()
    }
