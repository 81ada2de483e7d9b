"""Models that fail in every way, two calls in five, and one that says anything that fits: the order is always whole."""

import random
from collections import Counter
from collections.abc import Sequence

from embedmill.retrieval.grading.questions import AskedQuestion
from embedmill.retrieval.grading.staged import Judge, StagedOrder, Standing, rank_staged
from embedmill.retrieval.passages import Passage
from embedmill.retrieval.steps import Steps
from embedmill.shared.errors import EmbedmillError, FlowControl, InputRefused, ProviderUnavailable
from embedmill.shared.metering import FreeMeter
from embedmill.shared.providers.models.base import ModelAnswer, Prompt, Stop
from embedmill.simulators.nonsense import write_nonsense
from tests.retrieval.grading.judge import Say, Scripted, ScriptedModel, answer, by_text, passages

SHARE = 0.4
QUESTIONS = 40


def failures(said: str, draw: random.Random) -> "list[str | ModelAnswer | EmbedmillError]":
    half = said[: draw.randrange(len(said))]
    return [
        ProviderUnavailable("500", may_be_billed=False),
        ProviderUnavailable("it did not answer in time"),
        FlowControl("429", reason="rate", retry_after_seconds=1),
        InputRefused("400"),
        answer("", Stop.REFUSAL),
        answer("I would rather not.", Stop.REFUSAL),
        answer(half, Stop.MAX_TOKENS),
        answer(half),
        answer(""),
        "<html>502 Bad Gateway</html>",
        said.replace("id", "name"),
        said.replace('"score": ', '"score": 1000'),
        "[" * 5000,
        said + said,
        "null",
    ]


def stumbling(say: Say, draw: random.Random, met: Counter[int]) -> Say:
    """The same, failing in two of five calls."""

    def stumble(shown: Sequence[tuple[str, str]], prompt: Prompt) -> "str | ModelAnswer | EmbedmillError":
        said = say(shown, prompt)
        assert isinstance(said, str)
        if draw.random() >= SHARE:
            return said
        ways = failures(said, draw)
        way = draw.randrange(len(ways))
        met[way] += 1
        return ways[way]

    return stumble


def ask(question: str, found: Sequence[Passage], say: Say) -> tuple[StagedOrder, Steps]:
    steps = Steps("filter", "rank")
    judge = Judge(ScriptedModel(Scripted(say)), FreeMeter(), concurrency=1)
    return rank_staged(AskedQuestion(question), found, sift=judge, rank=judge, steps=steps), steps


def test_no_question_fails_and_nothing_is_lost_whatever_two_calls_in_five_do() -> None:
    draw, met = random.Random(3), Counter[int]()
    found = passages(30)
    told = 0
    for number in range(QUESTIONS):
        wanted = {passage.text: draw.choice([1, 2, 3, 4, 5]) for passage in found}
        order, steps = ask(f"question {number}", found, stumbling(by_text(wanted), draw, met))
        assert sorted(item.passage.id for item in order.judged) == sorted(passage.id for passage in found)
        assert [item.standing for item in order.judged] == sorted(item.standing for item in order.judged)
        for item in order.judged:
            assert item.grade is None or item.grade.score in (wanted[item.passage.text], 1)
            assert item.standing is not Standing.RELEVANT or wanted[item.passage.text] >= 4
        failed = any(step.failed for step in steps.told())
        told += failed
        assert failed or all(item.grade or item.standing is Standing.UNJUDGED for item in order.judged)
    assert len(met) == len(failures("{}", draw)), "every way was met"
    assert 0 < told < QUESTIONS


def anything(_: object, prompt: Prompt) -> str:
    return write_nonsense(prompt.schema, prompt.user[0].text)


def test_values_that_only_fit_the_schema_make_no_quote_that_is_not_there() -> None:
    found = passages(30)
    graded = 0
    for number in range(QUESTIONS):
        order, _ = ask(f"question {number}", found, anything)
        assert sorted(item.passage.id for item in order.judged) == sorted(passage.id for passage in found)
        for item in order.judged:
            graded += item.grade is not None
            assert item.quote is None or item.passage.text[item.quote.start : item.quote.end] == item.quote.text
            assert item.grade is None or item.grade.score < 3 or item.quote is not None or item.standing > 0
    assert graded > QUESTIONS, "some ids are right by chance"
