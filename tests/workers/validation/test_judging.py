"""Judging against the simulated vendor: second chances, refusals, flow control, and what each of them costs."""

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from embedmill.shared.errors import EmbedmillError, FlowControl, ProviderRefused, ProviderUnavailable
from embedmill.shared.ledger import NO_TOKENS, Usage
from embedmill.shared.metering import FreeMeter, Meter, Reservation
from embedmill.simulators.faults import Fault
from embedmill.simulators.prompts import ScriptedVerdict as Scripted
from embedmill.workers.validation.judging import VerdictQuestion, judge
from embedmill.workers.validation.passages import ChunkPassage
from embedmill.workers.validation.verdict import Verdict
from tests.shared.providers.books import Books
from tests.shared.providers.models.simulated import Served, served
from tests.waiting import wait_until
from tests.workers.validation.passages import passage


@pytest.fixture(scope="module")
def opened() -> Iterator[Served]:
    with served("anthropic/claude-opus-4-7") as model:
        yield model


@pytest.fixture
def claude(opened: Served, monkeypatch: pytest.MonkeyPatch) -> Served:
    monkeypatch.setattr(secrets, "token_hex", lambda size: "ab" * size)
    simulator = opened.simulator
    for part in (simulator.faults, simulator.bill, simulator.exchanges, simulator.bodies, simulator.writer):
        part.clear()
    simulator.clock.advance(3600)  # so that no prompt is cached any more
    return opened


def ask(
    claude: Served, passages: Sequence[ChunkPassage], *, concurrency: int = 3, meter: Meter | None = None
) -> tuple[dict[str, Verdict], dict[str, EmbedmillError]]:
    found: dict[str, Verdict] = {}

    def store(verdicts: Mapping[str, Verdict]) -> None:
        assert not found.keys() & verdicts.keys(), "a verdict was paid for twice"
        found.update(verdicts)

    errors = judge(passages, store, model=claude.model, meter=meter or FreeMeter(), concurrency=concurrency)
    return found, errors


def assert_requests(claude: Served, count: int) -> None:
    """The simulator notes a request when its answer has left, which may be a moment after it has arrived."""
    wait_until(lambda: len(claude.simulator.exchanges) >= count, "requests are noted")
    assert len(claude.simulator.exchanges) == count


def ids_asked(claude: Served, number: int) -> str:
    text: str = claude.simulator.bodies[number]["messages"][0]["content"][-1]["text"]
    return text.rpartition("order: ")[2]


def verdicts(*scores: tuple[str, int]) -> str:
    fields = {"reasoning": "r", "missing_context": "", "extraneous_spans": [], "caveats": []}
    return json.dumps({"verdicts": [{"id": f"{id_}-abab", "score": score, **fields} for id_, score in scores]})


def test_every_chunk_gets_the_verdict_that_the_model_has_of_it(claude: Served) -> None:
    claude.simulator.writer.add(Scripted(match="number 7 ", verdict={"score": 1}))
    found, errors = ask(claude, [passage(n, document=f"d{n}") for n in range(40)])
    assert len(found) == 40
    assert {address for address, v in found.items() if v.score == 1} == {"address-d7-7"}
    assert_requests(claude, 3)
    assert not errors


def test_all_calls_but_the_first_read_the_rubric_from_the_cache(claude: Served) -> None:
    ask(claude, [passage(n, document=f"d{n}") for n in range(60)])
    bill = claude.simulator.bill.as_json()["totals"]
    assert bill["requests"] == 4
    assert bill["cache_read"] == 3 * bill["cache_write_5m"] > 3 * 4096


def test_only_the_chunks_without_a_verdict_are_asked_about_again(claude: Served) -> None:
    claude.simulator.writer.add(Scripted(raw=verdicts(("c1", 5), ("c3", 4), ("c9", 1)), times=1))
    found, _ = ask(claude, [passage(n) for n in range(4)])
    assert_requests(claude, 2)
    assert ids_asked(claude, 1) == "c1-abab, c2-abab."
    assert [found[f"address-d1-{n}"].repaired for n in range(4)] == [False, True, False, True]


@pytest.mark.parametrize("raw", ["no JSON at all", "", "[]", '{"verdicts": [{"id": "c1"}]}', '{"verdicts": []}'])
def test_an_unusable_answer_gets_one_second_chance_and_then_the_rules(claude: Served, raw: str) -> None:
    claude.simulator.writer.add(Scripted(raw=raw))
    found, errors = ask(claude, [passage(0), passage(1, "------")])
    assert_requests(claude, 2)
    assert {(v.source, v.score, bool(v.fallback)) for v in found.values()} == {("rules", 3, True), ("rules", 1, True)}
    assert not errors


def test_an_answer_that_was_cut_off_is_asked_for_again_from_there(claude: Served) -> None:
    claude.simulator.faults.add(Fault(kind="max_tokens"))
    found, _ = ask(claude, [passage(n) for n in range(6)])
    assert_requests(claude, 2)
    assert {v.source for v in found.values()} == {"model"}
    assert 0 < sum(v.repaired for v in found.values()) < 6


def test_a_refusal_is_narrowed_down_to_its_chunk(claude: Served) -> None:
    claude.simulator.faults.add(Fault(kind="refusal", match="number 5 ", times=None))
    found, errors = ask(claude, [passage(n) for n in range(8)])
    assert {a: v.fallback for a, v in found.items() if v.source == "rules"} == {"address-d1-5": "the model refused"}
    assert not errors


def test_a_chunk_that_the_provider_refuses_is_found_and_its_neighbours_are_judged(claude: Served) -> None:
    claude.simulator.faults.add(Fault(kind="status", status=400, match="number 2 ", times=None))
    found, _ = ask(claude, [passage(n) for n in range(8)])
    assert [a for a, v in found.items() if v.source == "rules"] == ["address-d1-2"]
    assert len(found) == 8


def test_a_provider_that_refuses_every_request_is_not_asked_about_every_chunk(claude: Served) -> None:
    claude.simulator.faults.add(Fault(kind="status", status=400, times=None))
    found, errors = ask(claude, [passage(n, document=f"d{n}") for n in range(64)])
    assert len(found) < VerdictQuestion.most_refused
    assert any(isinstance(error, ProviderRefused) for error in errors.values())
    assert len(claude.simulator.exchanges) < 40


class Purse(FreeMeter):
    """A meter that has money for so many chunks."""

    def __init__(self, chunks: int) -> None:
        self.left = chunks
        self.calls: list[int] = []

    def reserve(self, usage: Usage) -> Reservation:
        if usage.inputs > self.left:
            raise FlowControl("the budget is used up", reason="budget", retry_after_seconds=60)
        self.left -= usage.inputs
        self.calls.append(usage.inputs)
        return super().reserve(usage)


def test_a_call_is_cut_to_fit_what_is_left_of_a_budget(claude: Served) -> None:
    purse = Purse(5)
    found, errors = ask(claude, [passage(n) for n in range(8)], meter=purse)
    assert (len(found), purse.left, purse.calls) == (5, 0, [4, 1])
    assert {v.source for v in found.values()} == {"model"}
    assert {(type(error), a in found) for a, error in errors.items()} == {(FlowControl, False)}
    assert len(errors) == 3
    assert_requests(claude, 2)


def test_where_nothing_is_left_of_a_budget_nothing_is_asked(claude: Served) -> None:
    found, errors = ask(claude, [passage(n) for n in range(8)], meter=Purse(0))
    assert (found, len(errors)) == ({}, 8)
    assert_requests(claude, 0)


def test_flow_control_keeps_back_the_calls_that_were_not_made(claude: Served) -> None:
    claude.simulator.faults.add(Fault(kind="status", status=529, times=None))
    found, errors = ask(claude, [passage(n, document=f"d{n}") for n in range(64)])
    assert not found
    assert_requests(claude, 1)
    assert all(isinstance(error, FlowControl) for error in errors.values())
    assert len(errors) == 64


def test_a_call_that_fails_once_is_made_again_in_halves(claude: Served) -> None:
    claude.simulator.faults.add(Fault(kind="status", status=500, match="number 20 "))
    found, errors = ask(claude, [passage(n, document=f"d{n}") for n in range(48)])
    assert (len(found), errors) == (48, {})


def test_a_call_that_may_be_billed_is_not_made_again_and_takes_no_other_with_it(claude: Served) -> None:
    claude.simulator.faults.add(Fault(kind="cut_body", match="number 20 "))
    found, errors = ask(claude, [passage(n, document=f"d{n}") for n in range(48)])
    assert (len(found), len(errors)) == (32, 16)
    assert all(isinstance(error, ProviderUnavailable) for error in errors.values())


@pytest.mark.parametrize("culprit", [0, 20, 47])
def test_a_chunk_at_which_the_provider_fails_each_time_keeps_nobody_waiting(claude: Served, culprit: int) -> None:
    claude.simulator.faults.add(Fault(kind="status", status=500, match=f"number {culprit} ", times=None))
    found, errors = ask(claude, [passage(n, document=f"d{n}") for n in range(48)])
    assert len(found) == 47
    assert errors.keys() == {f"address-d{culprit}-{culprit}"}


def test_a_provider_that_fails_for_everybody_is_not_asked_about_every_chunk(claude: Served) -> None:
    claude.simulator.faults.add(Fault(kind="status", status=500, times=None))
    found, errors = ask(claude, [passage(n, document=f"d{n}") for n in range(48)])
    assert (len(found), len(errors)) == (0, 48)
    assert len(claude.simulator.exchanges) <= 10


def test_what_was_answered_is_kept_when_the_second_chance_fails(claude: Served) -> None:
    claude.simulator.writer.add(Scripted(raw=verdicts(("c1", 5)), times=1))
    claude.simulator.faults.add(Fault(kind="cut_body", after=1))
    found, errors = ask(claude, [passage(0), passage(1)])
    assert found.keys() == {"address-d1-0"}
    assert errors.keys() == {"address-d1-1"}


def test_usage_is_counted_as_it_is_billed(claude: Served) -> None:
    claude.simulator.writer.add(Scripted(raw="nothing", times=1))
    books = Books()
    ask(claude, [passage(n) for n in range(20)], meter=books)
    bill: dict[str, Any] = claude.simulator.bill.as_json()["totals"]
    used = sum((end.tokens or NO_TOKENS for end in books.settled), NO_TOKENS)
    assert (used.into, used.out, used.cache_read) == (bill["tokens_in"], bill["tokens_out"], bill["cache_read"])
    assert used.cache_write == bill["cache_write_5m"]


def test_nothing_is_asked_about_nothing(claude: Served) -> None:
    assert ask(claude, [])[0] == {}
    assert_requests(claude, 0)
