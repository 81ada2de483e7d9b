"""The meter is asked before every call and told what became of it."""

from collections.abc import Callable, Mapping

import pytest

from embedmill.shared.asking.question import ReadAnswer, Request
from embedmill.shared.asking.sending import Pacing, ask_all
from embedmill.shared.errors import (
    EmbedmillError,
    FlowControl,
    ProviderRefused,
    ProviderUnavailable,
    StorageFailed,
    may_be_billed,
)
from embedmill.shared.ledger import Tokens
from embedmill.shared.metering import Meter
from embedmill.shared.providers.models.asking import ModelQuestion
from embedmill.shared.providers.models.base import Model, ModelAnswer, Prompt, PromptBlock, Stop
from embedmill.shared.tokenizer import count_tokens
from tests.shared.providers.books import Books, Ended
from tests.shared.providers.models.simulated import question

TOKENS = Tokens(10, 5, 100, 0)


class Scripted(Model):
    provider = "somebody"

    def __init__(self, outcome: ModelAnswer | EmbedmillError) -> None:
        super().__init__("somebody/model", "model")
        self.outcome = outcome
        self.asked = 0

    def ask(self, prompt: Prompt) -> ModelAnswer:
        self.asked += 1
        if isinstance(self.outcome, EmbedmillError):
            raise self.outcome
        return self.outcome

    def check(self) -> str:
        return "here"


class Opinion(ModelQuestion[int, str]):
    """What the model says to a prompt, whatever that is."""

    def __init__(self, model: Model, prompt: Prompt, keep: Callable[[str], None]) -> None:
        super().__init__(model)
        self._prompt = prompt
        self._keep = keep

    def word(self, request: Request[int]) -> Prompt:
        return self._prompt

    def documents(self, request: Request[int]) -> tuple[str, ...]:
        return ()

    def read(self, request: Request[int], answer: ModelAnswer) -> ReadAnswer[int, str]:
        return ReadAnswer(dict.fromkeys(request.items, answer.text))

    def keep(self, found: Mapping[int, str]) -> None:
        for text in found.values():
            self._keep(text)


def ask(model: Model, prompt: Prompt, *, meter: Meter, keep: Callable[[str], None] = lambda _: None) -> None:
    """One question; raises what it ended with."""
    for error in ask_all(Opinion(model, prompt, keep), [Request((0,))], meter=meter, pace=Pacing()).values():
        raise error


def test_a_call_is_reserved_and_settled_with_its_usage() -> None:
    books = Books()
    ask(Scripted(ModelAnswer("{}", Stop.END, TOKENS, "r1")), question("x" * 300), meter=books)
    (usage,) = books.reserved
    assert (usage.provider, usage.model, usage.operation) == ("somebody", "model", "message")
    assert usage.tokens.into >= 100
    assert usage.tokens.out == 200
    assert books.ended == {0: Ended(tokens=TOKENS, request_id="r1")}


@pytest.mark.parametrize(
    "text", ["The harbour was quiet. " * 200, "0123456789" * 200, "港口很安静。" * 200, "🦘🦘 " * 200, "a;b|c" * 200]
)
def test_what_is_reserved_for_a_prompt_is_half_as_much_again_as_our_own_count(text: str) -> None:
    books = Books()
    ask(Scripted(ModelAnswer("{}", Stop.END, TOKENS, "r1")), question(text), meter=books)
    assert books.reserved[0].tokens.into >= 1.49 * count_tokens(text)


def test_what_the_provider_is_asked_to_keep_is_reserved_as_that() -> None:
    books = Books()
    kept = Prompt((PromptBlock("rubric " * 500, cached=True),), (PromptBlock("a question"),), "s", {}, 10)
    ask(Scripted(ModelAnswer("{}", Stop.END, TOKENS, "r1")), kept, meter=books)
    tokens = books.reserved[0].tokens
    assert 0.9 * tokens.prompt < tokens.cache_write <= tokens.prompt
    plain = Prompt((PromptBlock("rubric " * 500),), (PromptBlock("a question"),), "s", {}, 10)
    ask(Scripted(ModelAnswer("{}", Stop.END, TOKENS, "r1")), plain, meter=books)
    assert books.reserved[1].tokens.cache_write == 0
    keeps_all = Scripted(ModelAnswer("{}", Stop.END, TOKENS, "r1"))
    keeps_all.keeps_every_prompt = True
    ask(keeps_all, plain, meter=books)
    all_kept = books.reserved[2].tokens
    assert (all_kept.into, all_kept.cache_write) == (0, tokens.prompt)


def test_a_call_that_the_meter_keeps_back_is_not_made() -> None:
    model = Scripted(ModelAnswer("{}", Stop.END, TOKENS, "r1"))
    with pytest.raises(FlowControl):
        ask(model, question(), meter=Books(calls=0))
    assert model.asked == 0


@pytest.mark.parametrize(
    ("error", "billed"),
    [
        (ProviderUnavailable("cut off"), True),
        (ProviderUnavailable("never sent", may_be_billed=False), False),
        (ProviderRefused("no key"), False),
        (FlowControl("slow down", reason="rate", retry_after_seconds=1), False),
    ],
)
def test_a_failure_says_whether_it_may_have_been_billed(error: EmbedmillError, *, billed: bool) -> None:
    books = Books()
    with pytest.raises(type(error)):
        ask(Scripted(error), question(), meter=books)
    assert books.failed[0] is error and may_be_billed(error) == billed


def test_a_meter_may_turn_a_failure_into_waiting() -> None:
    circuit = FlowControl("left alone", reason="circuit", retry_after_seconds=1)
    with pytest.raises(FlowControl, match="left alone"):
        ask(Scripted(ProviderUnavailable("down")), question(), meter=Books(instead=circuit))


def test_a_request_says_how_much_of_it_a_prompt_cache_may_have_to_write() -> None:
    books = Books()
    prompt = Prompt((PromptBlock("a" * 400, cached=True),), (PromptBlock("b" * 100),), "answer", {}, 50)
    ask(Scripted(ModelAnswer("{}", Stop.END, None, "r1")), prompt, meter=books)
    tokens = books.reserved[0].tokens
    assert tokens.cache_write >= 100 and 0 < tokens.into < tokens.cache_write
    assert books.ended[0].tokens is None


def test_what_an_answer_says_is_kept_before_the_call_is_settled() -> None:
    books, kept = Books(), list[tuple[str, int]]()
    answer = ModelAnswer("{}", Stop.END, TOKENS, "r1")
    ask(Scripted(answer), question(), meter=books, keep=lambda text: kept.append((text, len(books.ended))))
    assert kept == [("{}", 0)] and len(books.settled) == 1


def test_a_call_is_settled_though_its_answer_could_not_be_kept() -> None:
    def refuse(_: str) -> None:
        raise StorageFailed("the disk is full")

    books = Books()
    with pytest.raises(StorageFailed):
        ask(Scripted(ModelAnswer("{}", Stop.END, TOKENS, "r1")), question(), meter=books, keep=refuse)
    assert books.ended == {0: Ended(tokens=TOKENS, request_id="r1")}
