"""Every prompt of the query side through every vendor's SDK: the schema is taken, the answer read, the money enough."""

from collections.abc import Iterator
from typing import Any

import pytest

from embedmill.retrieval.answering.questions import Answering
from embedmill.retrieval.grading.questions import AskedQuestion, RankingQuestion, Sifting
from embedmill.retrieval.passages import Passage
from embedmill.retrieval.understanding.asking import AboutQuestion
from embedmill.retrieval.understanding.dividing import Dividing
from embedmill.retrieval.understanding.rewording import Rewording
from embedmill.retrieval.understanding.vocabulary import Vocabulary
from embedmill.shared.asking.question import Request
from embedmill.shared.asking.sending import Pacing, ask_all
from embedmill.shared.errors import EmbedmillError
from embedmill.shared.ledger import Tokens, Usage
from embedmill.shared.metering import FreeMeter, Reservation
from embedmill.shared.providers.models.asking import ModelQuestion
from embedmill.shared.providers.models.base import Model
from embedmill.simulators.faults import Fault, Kind
from embedmill.simulators.prompts import ScriptedVerdict
from tests.shared.providers.models.simulated import NAMES, Served, served

TEXTS = ("Stack 3 is wet because drain 3 is blocked.", "The canteen opens at noon.", "Wände über Ärger: 第3タンク. 🦆")
PASSAGES = [Passage(f"r{n}", f"d{n}", f"file:///{n}.txt", 'A "title" <b>', "", text) for n, text in enumerate(TEXTS)]
QUESTION = 'why is stack 3 wet, and when does the "canteen" open?'
STEPS = ("filter", "rank", "answer", "normalise", "decompose")


@pytest.fixture(scope="module", params=NAMES)
def vendor(request: pytest.FixtureRequest) -> Iterator[Served]:
    with served(request.param) as opened:
        yield opened


@pytest.fixture
def model(vendor: Served) -> Served:
    for kept in (vendor.simulator.faults, vendor.simulator.bill, vendor.simulator.writer, vendor.simulator.bodies):
        kept.clear()
    return vendor


class Books(FreeMeter):
    """Remembers what was reserved and what it took."""

    def __init__(self) -> None:
        self.reserved: list[Usage] = []
        self.took: list[Tokens] = []

    def reserve(self, usage: Usage) -> Reservation:
        self.reserved.append(usage)
        call, took = super().reserve(usage), self.took

        class Noted:
            fail, release, leave = call.fail, call.release, call.leave

            def settle(self, tokens: Tokens | None, **_: object) -> None:
                # Of a stream that was cut nobody may have said what it took.
                took.extend([tokens] if tokens is not None else [])

        return Noted()  # type: ignore[return-value]


def ask(step: str, model: Model, books: Books) -> tuple[int, list[EmbedmillError]]:
    """How many were answered, and the errors of the others."""
    asked = AskedQuestion(QUESTION, "waterworks")
    match step:
        case "filter" | "rank":
            grading = (Sifting if step == "filter" else RankingQuestion)(model, asked)
            errors = send(grading, grading.pack(PASSAGES), books)
            return len(grading.found), errors
        case "answer":
            answering = Answering(model, asked)
            errors = send(answering, answering.pack(PASSAGES), books)
            return answering.answer is not None, errors
    about: AboutQuestion[Any] = Dividing(model, asked)
    if step == "normalise":
        about = Rewording(model, asked, Vocabulary([("drain", "gully")]))
    errors = send(about, about.pack(), books)
    return about.found is not None, errors


def send(question: ModelQuestion, requests: list[Request], books: Books) -> list[EmbedmillError]:  # type: ignore[type-arg]
    return list(ask_all(question, requests, meter=books, pace=Pacing()).values())


@pytest.mark.parametrize("step", STEPS)
def test_a_prompt_is_taken_and_its_answer_read(model: Served, step: str) -> None:
    books = Books()
    found, errors = ask(step, model.model, books)
    assert (found, errors) == (len(PASSAGES) if step in ("filter", "rank") else 1, [])
    assert [usage.purpose for usage in books.reserved] == [step]


@pytest.mark.parametrize("step", STEPS)
def test_what_is_reserved_is_enough_for_what_is_billed(model: Served, step: str) -> None:
    books = Books()
    ask(step, model.model, books)
    (usage,), (took,) = books.reserved, books.took
    assert (usage.tokens.prompt >= took.prompt, usage.tokens.out >= took.out) == (True, True)
    assert took.prompt == sum(
        int(model.simulator.bill.total(name)) for name in ("tokens_in", "cache_read", "cache_write", "cache_write_5m")
    )


@pytest.mark.parametrize("kind", ["refusal", "max_tokens", "nonsense", "malformed", "truncated", "cut", "cut_body"])
@pytest.mark.parametrize("step", STEPS)
def test_what_goes_wrong_is_an_answer_or_an_error_and_no_exception(model: Served, step: str, kind: Kind) -> None:
    model.simulator.faults.add(Fault(kind=kind, times=None))
    books = Books()
    found, errors = ask(step, model.model, books)
    assert found or errors
    assert len(books.reserved) <= 12, "asking has an end"


@pytest.mark.parametrize("step", ["filter", "rank"])
def test_the_grades_of_a_script_are_read_by_text(model: Served, step: str) -> None:
    said = {"score": 5, "quote": "drain 3 is blocked"}
    other = ScriptedVerdict(match="canteen opens", verdict={"score": 2})
    model.simulator.writer.add(ScriptedVerdict(match="drain 3", verdict=said), other)
    grading = (Sifting if step == "filter" else RankingQuestion)(model.model, AskedQuestion(QUESTION))
    send(grading, grading.pack(PASSAGES), Books())
    assert {p.id: grade.score for p, grade in grading.found.items()}["r0"] == 5
    assert {p.id: grade.score for p, grade in grading.found.items()}["r1"] == 2


def test_a_question_is_divided_by_every_vendor(model: Served) -> None:
    dividing = Dividing(model.model, AskedQuestion(QUESTION))
    send(dividing, dividing.pack(), Books())
    assert dividing.found is not None
    assert dividing.found.subqueries == () or len(dividing.found.subqueries) == 2
