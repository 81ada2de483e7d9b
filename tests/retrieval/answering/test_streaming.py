"""While a model answers, whole sentences whose quotes are held are told, and nothing else ever is."""

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedmill.retrieval.answering.answering import answer
from embedmill.retrieval.answering.answers import Answer, Claim
from embedmill.retrieval.answering.questions import Answering
from embedmill.retrieval.grading.grader import Judges
from embedmill.retrieval.grading.questions import AskedQuestion
from embedmill.retrieval.grading.staged import Judge
from embedmill.retrieval.passages import Passage
from embedmill.shared.asking import sending
from embedmill.shared.asking.sending import Pacing, ask_all
from embedmill.shared.errors import EmbedmillError, ProviderUnavailable
from embedmill.shared.ledger import Tokens, Usage
from embedmill.shared.metering import FreeMeter, Reservation
from embedmill.shared.providers.models.base import ModelAnswer, Prompt, Stop
from embedmill.shared.providers.models.lists import read_whole_items
from tests.retrieval.answering.test_in_their_words import found
from tests.retrieval.grading.judge import SHOWN, Scripted, ScriptedModel

TEXTS = ("The pump runs at 40 bar. It is not to be used with oil.", "The X200 has a warranty of 36 months.")
PASSAGES = [Passage(f"r{n}", f"d{n}", f"{n}.txt", "", "", text) for n, text in enumerate(TEXTS)]
FOUND = found(*((text, 0.9, 5) for text in TEXTS))
SAID = [
    ("It runs at 40 bar.", "The pump runs at 40 bar"),
    ("It runs on oil.", "It is to be used with oil"),
    ("It has a } and a ] in it.", "It is not to be used with oil."),
    ("For 36 months.", "a warranty of 36 months"),
]
HELD = ["It runs at 40 bar.", "It has a } and a ] in it.", "For 36 months."]


def listing(shown: Sequence[tuple[str, str]], said: Sequence[tuple[str, str]] = SAID) -> str:
    """The claims, each with its quote from the passage that has it, or from the first."""
    ids = [next((id for id, text in shown if quote in text), shown[0][0]) for _, quote in said]
    quoted = [{"text": text, "quotes": [{"id": id, "quote": q}]} for id, (text, q) in zip(ids, said, strict=True)]
    return json.dumps({"claims": quoted})


@dataclass
class Speaking(ScriptedModel):
    """Says its answer in pieces of so many characters, and stops as it is told to."""

    size: int = 7
    ends_after: int | None = None
    before_end: Callable[[], object] = lambda: None
    texts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(Scripted(lambda *_: ""))

    def stream(self, prompt: Prompt, tell: Callable[[str], None]) -> ModelAnswer:
        whole = self.text(prompt)[: self.ends_after]
        for start in range(0, len(whole), self.size):
            tell(whole[start : start + self.size])
        self.before_end()
        stop = Stop.END if self.ends_after is None else Stop.CUT
        return ModelAnswer(whole, stop, None if stop is Stop.CUT else Tokens(10, 10), "r")

    def text(self, prompt: Prompt) -> str:
        text = listing([(found["id"], found["text"]) for found in SHOWN.finditer(prompt.user[0].text)])
        self.texts.append(text)
        return text


def ask(
    model: Speaking, tell: Callable[[Claim], object], *, pace: Pacing | None = None, meter: FreeMeter | None = None
) -> tuple[Answering, list[EmbedmillError]]:
    question = Answering(model, AskedQuestion("how long, and at what pressure?"), tell)
    pace = pace or Pacing(apart=True)
    errors = ask_all(question, question.pack(PASSAGES), meter=meter or FreeMeter(), pace=pace)
    return question, list(errors.values())


def told_by(model: Speaking) -> tuple[list[str], Answer | None]:
    told: list[Claim] = []
    question, _ = ask(model, told.append)
    assert question.answer is None or told == question.answer.claims[: len(told)]
    return [claim.text for claim in told], question.answer


@pytest.mark.parametrize("size", [1, 2, 7, 100, 10_000])
def test_sentences_are_told_as_the_answer_keeps_them_whatever_the_pieces_are(size: int) -> None:
    told, whole = told_by(Speaking(size=size))
    assert whole is not None
    assert [claim.text for claim in whole.claims] == HELD
    # The last is whole only when nothing follows: who asked has it with the answer.
    assert told in (HELD, HELD[:-1], [])
    assert len(told) >= 2 or size > 100


def test_a_sentence_is_told_while_the_model_goes_on() -> None:
    heard = threading.Event()
    in_time: list[bool] = []
    ask(Speaking(size=1, before_end=lambda: in_time.append(heard.wait(60))), lambda _: heard.set())
    assert in_time == [True]


@pytest.mark.parametrize("cut", range(10, 500, 23))
def test_a_cut_stream_gives_whole_held_sentences_and_says_so(cut: int) -> None:
    told, whole = told_by(Speaking(ends_after=cut))
    if whole is None or not whole.claims:
        assert told == []
        return
    assert [claim.text for claim in whole.claims] == HELD[: len(whole.claims)]
    assert whole.cut or len(whole.claims) == len(HELD)


def test_who_listens_hears_nothing_of_what_came_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = threading.Event()
    told: list[str] = []
    # It is late once something was told, however long that takes.
    monkeypatch.setattr(sending, "time", SimpleNamespace(monotonic=lambda: float(len(told))))
    model = Speaking(size=5, ends_after=160, before_end=lambda: gone.wait(60))
    question, errors = ask(model, lambda claim: told.append(claim.text), pace=Pacing(apart=True, all_seconds=0.05))
    gone.set()
    assert "within" in str(errors[0])
    assert question.answer is None
    assert told == [claim.text for claim in question.heard.claims] == HELD[:1]
    assert question.heard.cut


class Books(FreeMeter):
    """Remembers how calls ended."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    def reserve(self, usage: Usage) -> Reservation:
        del usage
        return Entry(self.ended)


@dataclass
class Entry:
    ended: list[str]

    def settle(self, tokens: Tokens | None = None, **_: object) -> None:
        self.ended.append(f"settled {tokens.out}" if tokens else "settled as reserved")

    def fail(self, error: EmbedmillError) -> EmbedmillError:
        self.ended.append("failed")
        return error

    def release(self) -> None:
        self.ended.append("released")

    def leave(self, **_: object) -> None:
        self.ended.append("left")


def test_a_stream_is_settled_by_what_it_says_and_one_that_was_cut_as_it_was_reserved() -> None:
    books = Books()
    ask(Speaking(), lambda _: None, meter=books)
    ask(Speaking(ends_after=200), lambda _: None, meter=books)
    assert books.ended == ["settled 10", "settled as reserved"]


def test_what_a_listener_broke_off_counts_as_spent() -> None:
    def enough(_: Claim) -> None:
        raise KeyboardInterrupt

    books = Books()
    with pytest.raises(KeyboardInterrupt):
        ask(Speaking(), enough, meter=books)
    assert books.ended == ["left"]


def test_an_answer_from_a_stream_that_broke_is_no_failure() -> None:
    judge = Judge(Speaking(ends_after=160), FreeMeter())
    told: list[str] = []
    answered = answer(
        "how?",
        FOUND,
        Judges(answer=judge),
        tell=lambda claim, _: told.append(claim.text),
    )
    assert (answered.answer.text, answered.answer.cut) == (HELD[0], True)
    assert told == HELD[:1]
    assert (answered.step.failed, answered.step.ran, answered.by) == (False, True, judge.model.name)
    assert "cut off" in answered.step.why


def test_where_nothing_was_whole_the_documents_own_words_are_shown() -> None:
    judge = Judge(Speaking(ends_after=30), FreeMeter())
    answered = answer("how?", FOUND, Judges(answer=judge))
    assert (answered.step.failed, answered.by) == (True, "")
    assert answered.answer.claims


def test_a_provider_that_fails_before_a_word_is_asked_once_more() -> None:
    class Failing(Speaking):
        def stream(self, prompt: Prompt, tell: Callable[[str], None]) -> ModelAnswer:
            if not self.texts:
                self.texts.append("")
                raise ProviderUnavailable("no", may_be_billed=False)
            return super().stream(prompt, tell)

    told, whole = told_by(Failing())
    assert whole is not None
    assert told == HELD[: len(told)] != []


@given(st.text(alphabet='{}[]":,\\ abcd1é', max_size=80), st.integers(0, 400))
def test_only_whole_items_are_read_of_what_is_being_written(text: str, cut: int) -> None:
    items = [{"text": text, "quotes": [{"id": "p1", "quote": text}]}, {"text": "b", "quotes": []}]
    whole = json.dumps({"claims": items})
    read = read_whole_items(whole[:cut], "claims")
    assert read == items[: len(read)]


@pytest.mark.parametrize("text", ["", "}", "{}", '{"claims": 3}', '{"claims": {"a": {}}', "[[[{}", "no", '{"x": [{}'])
def test_what_is_no_list_has_no_items(text: str) -> None:
    assert read_whole_items(text, "claims") == []
