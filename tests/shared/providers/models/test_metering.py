"""The meter is asked before every call and told what became of it."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from embedmill.shared.asking.question import Reading, Request
from embedmill.shared.asking.sending import Meter, Pace, ask_all
from embedmill.shared.errors import EmbedmillError, FlowControl, ProviderRefused, ProviderUnavailable, StorageFailed
from embedmill.shared.providers.models.asking import ModelQuestion
from embedmill.shared.providers.models.base import UNTOLD, Answer, Block, Model, Prompt, Stop, Usage
from embedmill.shared.providers.models.metering import Billed, ModelCall, ModelRequest
from embedmill.shared.tokenizer import count_tokens
from tests.shared.providers.models.simulated import question

USAGE = Usage(10, 5, 100, 0)


class Scripted(Model):
    provider = "somebody"

    def __init__(self, outcome: Answer | EmbedmillError) -> None:
        super().__init__("somebody/model", "model")
        self.outcome = outcome
        self.asked = 0

    def ask(self, prompt: Prompt) -> Answer:
        self.asked += 1
        if isinstance(self.outcome, EmbedmillError):
            raise self.outcome
        return self.outcome

    def check(self) -> str:
        return "here"


class Books:
    def __init__(self, *, refuses: FlowControl | None = None, instead: EmbedmillError | None = None) -> None:
        self.events: list[Any] = []
        self._refuses = refuses
        self._instead = instead

    def on_request(self, request: ModelRequest) -> str:
        self.events.append(request)
        if self._refuses is not None:
            raise self._refuses
        return "reservation"

    def on_response(self, reservation: Any, call: ModelCall) -> None:
        self.events.append((reservation, call.usage))

    def on_failure(self, reservation: Any, error: EmbedmillError, *, billed: Billed) -> EmbedmillError:
        self.events.append((reservation, type(error).__name__, billed))
        return self._instead or error


class Opinion(ModelQuestion[int, str]):
    """What the model says to a prompt, whatever that is."""

    operation = "validate"

    def __init__(self, model: Model, prompt: Prompt, keep: Callable[[str], None]) -> None:
        super().__init__(model)
        self._prompt = prompt
        self._keep = keep

    def word(self, request: Request[int]) -> Prompt:
        return self._prompt

    def documents(self, request: Request[int]) -> tuple[str, ...]:
        return ()

    def read(self, request: Request[int], answer: Answer) -> Reading[int, str]:
        return Reading(dict.fromkeys(request.items, answer.text))

    def keep(self, found: Mapping[int, str]) -> None:
        for text in found.values():
            self._keep(text)


def ask(model: Model, prompt: Prompt, *, meter: Meter, keep: Callable[[str], None] = lambda _: None) -> None:
    """One question; raises what it ended with."""
    for error in ask_all(Opinion(model, prompt, keep), [Request((0,))], meter=meter, pace=Pace()).values():
        raise error


def test_a_call_is_reserved_and_settled_with_its_usage() -> None:
    books = Books()
    ask(Scripted(Answer("{}", Stop.END, USAGE, "r1")), question("x" * 300), meter=books)
    request, settled = books.events
    assert (request.provider, request.model, request.operation) == ("somebody", "model", "validate")
    assert request.tokens_in >= 100
    assert request.tokens_out == 200
    assert settled == ("reservation", USAGE)


@pytest.mark.parametrize(
    "text", ["The harbour was quiet. " * 200, "0123456789" * 200, "港口很安静。" * 200, "🦘🦘 " * 200, "a;b|c" * 200]
)
def test_what_is_reserved_for_a_prompt_is_half_as_much_again_as_our_own_count(text: str) -> None:
    books = Books()
    ask(Scripted(Answer("{}", Stop.END, USAGE, "r1")), question(text), meter=books)
    assert books.events[0].tokens_in >= 1.49 * count_tokens(text)


def test_what_the_provider_is_asked_to_keep_is_reserved_as_that() -> None:
    books = Books()
    kept = Prompt((Block("rubric " * 500, cached=True),), (Block("a question"),), "s", {}, 10)
    ask(Scripted(Answer("{}", Stop.END, USAGE, "r1")), kept, meter=books)
    request = books.events[0]
    assert 0.9 * request.tokens_in < request.tokens_cached <= request.tokens_in
    plain = Prompt((Block("rubric " * 500),), (Block("a question"),), "s", {}, 10)
    ask(Scripted(Answer("{}", Stop.END, USAGE, "r1")), plain, meter=books)
    assert books.events[2].tokens_cached == 0
    keeps_all = Scripted(Answer("{}", Stop.END, USAGE, "r1"))
    keeps_all.keeps_every_prompt = True
    ask(keeps_all, plain, meter=books)
    assert books.events[4].tokens_cached == books.events[4].tokens_in == request.tokens_in


def test_a_call_that_the_meter_keeps_back_is_not_made() -> None:
    model = Scripted(Answer("{}", Stop.END, USAGE, "r1"))
    refusal = FlowControl("no money", reason="budget", retry_after_seconds=1)
    with pytest.raises(FlowControl):
        ask(model, question(), meter=Books(refuses=refusal))
    assert model.asked == 0


@pytest.mark.parametrize(
    ("error", "billed"),
    [
        (ProviderUnavailable("cut off"), "unknown"),
        (ProviderUnavailable("never sent", may_be_billed=False), "no"),
        (ProviderRefused("no key"), "no"),
        (FlowControl("slow down", reason="rate", retry_after_seconds=1), "no"),
    ],
)
def test_a_failure_says_whether_it_may_have_been_billed(error: EmbedmillError, billed: Billed) -> None:
    books = Books()
    with pytest.raises(type(error)):
        ask(Scripted(error), question(), meter=books)
    assert books.events[1] == ("reservation", type(error).__name__, billed)


def test_a_meter_may_turn_a_failure_into_waiting() -> None:
    circuit = FlowControl("left alone", reason="circuit", retry_after_seconds=1)
    with pytest.raises(FlowControl, match="left alone"):
        ask(Scripted(ProviderUnavailable("down")), question(), meter=Books(instead=circuit))


def test_a_request_says_how_much_of_it_a_prompt_cache_may_have_to_write() -> None:
    books = Books()
    prompt = Prompt((Block("a" * 400, cached=True),), (Block("b" * 100),), "answer", {}, 50)
    ask(Scripted(Answer("{}", Stop.END, UNTOLD, "r1")), prompt, meter=books)
    request, settled = books.events
    assert 100 <= request.tokens_cached < request.tokens_in
    assert request.tokens_in - request.tokens_cached < request.tokens_cached
    assert settled == ("reservation", UNTOLD)


def test_what_an_answer_says_is_kept_before_the_call_is_settled() -> None:
    books = Books()
    answer = Answer("{}", Stop.END, USAGE, "r1")
    ask(Scripted(answer), question(), meter=books, keep=books.events.append)
    assert books.events[1:] == ["{}", ("reservation", USAGE)]


def test_a_call_is_settled_though_its_answer_could_not_be_kept() -> None:
    def refuse(_: str) -> None:
        raise StorageFailed("the disk is full")

    books = Books()
    with pytest.raises(StorageFailed):
        ask(Scripted(Answer("{}", Stop.END, USAGE, "r1")), question(), meter=books, keep=refuse)
    assert books.events[1:] == [("reservation", USAGE)]
