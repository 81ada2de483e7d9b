"""How an answer is shown: its sentences as they come, and the rest when it is whole."""

from dataclasses import replace

import pytest

from embedmill.console.cli.ask import _print_reply, _Sentences
from embedmill.console.services.asking import AskedClaim, AskedQuote, AskSpend, Reply
from embedmill.retrieval.answering.answering import NO_MODEL, NONE_SET
from embedmill.retrieval.steps import Step

UNWORDED = "no model worded this: these are the documents' own words"
QUOTE = AskedQuote("d1", "file:///in/a.txt", "c1", "runs at\n40 bar", 9, 23)
CLAIM = AskedClaim("It runs at 40 bar.", [QUOTE])
REPLY = Reply(
    question="at what pressure?",
    answered=True,
    answer=CLAIM.text,
    claims=[CLAIM],
    removed=0,
    documents=[],
    by="anthropic/claude",
    faults={},
    cut=False,
    relevance=None,
    degraded=False,
    notes=[],
    steps=[],
    spend=AskSpend(0.02, 3),
    timings={},
)


def test_each_sentence_is_shown_with_its_number_when_it_comes(capsys: pytest.CaptureFixture[str]) -> None:
    show = _Sentences()
    show(CLAIM)
    assert capsys.readouterr().out == "It runs at 40 bar. [1]\n"
    show(replace(CLAIM, text="And no more."))
    assert capsys.readouterr().out == "And no more. [2]\n"


def test_behind_the_sentences_stand_their_quotes_and_what_they_cost(capsys: pytest.CaptureFixture[str]) -> None:
    _print_reply(REPLY)
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["", "[1] file:///in/a.txt  [9:23]", '    "runs at 40 bar"', "3 calls, $0.02"]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"cut": True}, "the answer was cut off: there may be more to say"),
        ({"cached": True}, "kept from before: nothing was asked of a model (--no-cache asks again)"),
        ({"removed": 2}, "2 sentences were left out, because no document bears them out"),
        ({"answered": False, "claims": []}, "the documents don't say"),
        ({"by": "", "steps": [Step("answer", why=NO_MODEL)]}, f"{UNWORDED} (--rank asks one)"),
        ({"by": "", "steps": [Step("answer", why=NONE_SET)]}, f"{UNWORDED} (no model is set for it)"),
        ({"by": "", "steps": [Step("answer", failed=True, why="it is away")]}, f"{UNWORDED} (it is away)"),
    ],
    ids=str,
)
def test_what_there_is_to_know_of_an_answer_is_a_line(
    capsys: pytest.CaptureFixture[str], changes: dict[str, object], line: str
) -> None:
    _print_reply(replace(REPLY, **changes))  # type: ignore[arg-type]
    assert line in capsys.readouterr().out.splitlines()
