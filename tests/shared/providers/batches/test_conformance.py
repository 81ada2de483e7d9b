"""What every vendor's batch API does behind the interface: the same steps, answers, refusals and losses."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from embedmill.shared.errors import FlowControl, KeyRefused, ProviderUnavailable
from embedmill.shared.providers import answer_bounds
from embedmill.shared.providers.batches.base import (
    CANCELLED,
    EXPIRED,
    UNREADABLE,
    BatchApi,
    BatchRequest,
    BatchStatus,
    Lost,
)
from embedmill.shared.providers.batches.table import BATCHES, has_batches, open_batches
from embedmill.shared.providers.models.base import Model
from embedmill.shared.providers.models.table import open_model
from embedmill.simulators.anthropic import AnthropicSimulator
from embedmill.simulators.faults import Fault
from embedmill.simulators.openai import OpenAISimulator
from embedmill.simulators.serving import running
from tests.shared.providers.models.simulated import question

MODELS = {"anthropic": "anthropic/claude-opus-4-7", "openai": "openai/gpt-5-mini"}
CREATE = "/batches"
MARK = "0123456789abcdef"


@dataclass(frozen=True, slots=True)
class Batched:
    """A batch API, a model whose requests it takes, and the simulator behind both."""

    api: BatchApi
    model: Model
    simulator: Any

    def requests(self, count: int = 3, *, mark: str = MARK) -> list[BatchRequest]:
        return [
            BatchRequest(f"{mark}-{n}", self.model.parameters(question(f"Judge number {n} of all."), batch=True))
            for n in range(count)
        ]

    def make(self, requests: Sequence[BatchRequest] | None = None, *, mark: str = MARK) -> BatchStatus:
        requests = self.requests(mark=mark) if requests is None else requests
        return self.api.create(requests, file_id=self.api.stage(requests, mark=mark), mark=mark)

    def ended(self, id_: str) -> BatchStatus:
        status = self.api.look(id_)
        assert status is not None and status.has_ended, status
        return status

    def lost(self, *, requests: int = 3, known: Sequence[str] = ()) -> Lost:
        return Lost(MARK, requests, self.simulator.clock.now(), lambda ids: set(ids) & set(known))


@pytest.fixture(params=sorted(BATCHES))
def batched(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Batched]:
    simulator = OpenAISimulator() if request.param == "openai" else AnthropicSimulator()
    with running(simulator) as server:
        for variable, value in server.environment.items():
            monkeypatch.setenv(variable, value)
        api, model = open_batches(request.param, "message"), open_model(MODELS[request.param])
        yield Batched(api, model, simulator)
        api.close()
        model.close()


def test_a_batch_is_made_answered_read_and_deleted(batched: Batched) -> None:
    made = batched.make()
    assert not made.has_ended
    assert made.expires_at == pytest.approx(batched.simulator.clock.now() + 86_400, abs=60)
    batched.simulator.clock.advance(3600)
    status = batched.ended(made.id)
    results = {result.custom_id: result for result in batched.api.results(status)}
    assert sorted(results) == [f"{MARK}-{n}" for n in range(3)]
    answers = [batched.model.read_batch(result.body) for result in results.values()]
    assert all("score" in answer.text for answer in answers)
    assert (
        sum(answer.tokens.out for answer in answers if answer.tokens) == batched.simulator.bill.total("tokens_out") > 0
    )
    batched.api.delete(status)
    batched.api.delete(status)
    if isinstance(batched.simulator, OpenAISimulator):
        assert not batched.simulator.lane.files
    else:
        assert batched.api.look(made.id) is None


def test_a_request_that_fails_takes_no_other_with_it(batched: Batched) -> None:
    made = batched.make()
    batched.simulator.faults.add(Fault(kind="status", status=429, match="number 1 "))
    batched.simulator.clock.advance(3600)
    results = {result.custom_id[-1]: result for result in batched.api.results(batched.ended(made.id))}
    assert isinstance(results["1"].error, FlowControl)
    assert results["1"].body is None
    assert results["0"].body is not None and results["2"].body is not None


@pytest.mark.parametrize("end", [CANCELLED, EXPIRED])
def test_what_was_not_answered_says_why(batched: Batched, end: str) -> None:
    batched.simulator.faults.add(Fault(kind="late", seconds=200_000.0, path=CREATE))
    made = batched.make()
    if end == CANCELLED:
        batched.api.cancel(made.id)
    else:
        batched.simulator.clock.advance(90_000)
    results = list(batched.api.results(batched.ended(made.id)))
    assert [(result.body, result.error, result.unanswered) for result in results] == [(None, None, end)] * 3


def test_cancelling_what_has_ended_or_is_gone_is_no_error(batched: Batched) -> None:
    made = batched.make()
    batched.simulator.clock.advance(3600)
    batched.ended(made.id)
    batched.api.cancel(made.id)
    batched.api.cancel("batch_gone" if batched.api.provider == "openai" else "msgbatch_gone")
    assert [result.unanswered for result in batched.api.results(batched.ended(made.id))] == [""] * 3


def test_a_lost_batch_is_found_among_others(batched: Batched) -> None:
    other = batched.make(mark="fedcba9876543210")
    ours, lost = batched.make(), batched.lost()
    batched.simulator.clock.advance(3600)
    found = batched.api.find(lost).found
    assert found is not None
    assert found.id == ours.id != other.id


def test_a_batch_that_was_never_made_is_not_found(batched: Batched) -> None:
    batched.make(mark="fedcba9876543210")
    batched.make(batched.requests(5, mark="aaaaaaaaaaaaaaaa"), mark="aaaaaaaaaaaaaaaa")
    lost = batched.lost()
    batched.simulator.clock.advance(3600)
    search = batched.api.find(lost)
    assert search.found is None
    assert not search.is_open


def test_what_is_known_to_be_another_is_no_candidate(batched: Batched) -> None:
    other = batched.make(mark="fedcba9876543210")
    assert not batched.api.find(batched.lost(known=[other.id])).is_open


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(kind="status", status=401, times=None), KeyRefused),
        (Fault(kind="status", status=429, headers={"retry-after": "7"}, times=None), FlowControl),
        (Fault(kind="status", status=500, times=None), ProviderUnavailable),
        (Fault(kind="malformed", times=None), ProviderUnavailable),
        (Fault(kind="cut", times=None), ProviderUnavailable),
    ],
    ids=["key", "rate", "server", "malformed", "cut"],
)
def test_errors_are_those_of_calls_at_once(batched: Batched, fault: Fault, error: type[Exception]) -> None:
    made = batched.make()
    requests = batched.requests()
    file_id = batched.api.stage(requests, mark=MARK)
    batched.simulator.faults.add(fault)
    for act in (
        lambda: batched.api.create(requests, file_id=file_id, mark=MARK),
        lambda: batched.api.look(made.id),
        lambda: batched.api.find(batched.lost()),
        lambda: batched.api.cancel(made.id),
    ):
        with pytest.raises(error):
            act()
    batched.simulator.faults.clear()


@pytest.mark.parametrize("kind", ["truncated", "cut_body", "malformed"])
def test_results_that_break_off_say_so_and_the_good_ones_are_read(batched: Batched, kind: Any) -> None:
    made = batched.make()
    batched.simulator.clock.advance(3600)
    status = batched.ended(made.id)
    path = "/content" if batched.api.provider == "openai" else "/results"
    batched.simulator.faults.add(Fault(kind=kind, path=path))
    spoiled = list(batched.api.results(status))
    assert [result.unanswered for result in spoiled if result.body is None] == [UNREADABLE]
    assert len(spoiled) == (1 if kind == "malformed" else 2)
    assert [result.unanswered for result in batched.api.results(status)] == [""] * 3


def test_results_of_more_than_one_answer_may_have_are_read(batched: Batched, monkeypatch: pytest.MonkeyPatch) -> None:
    made = batched.make(batched.requests(40))
    batched.simulator.clock.advance(3600)
    status = batched.ended(made.id)
    monkeypatch.setattr(answer_bounds, "MOST_BYTES", 6000)
    assert sum(result.body is not None for result in batched.api.results(status)) == 40


@pytest.mark.parametrize("status", [404, 410])
def test_results_that_are_gone_are_one_that_cannot_be_read(batched: Batched, status: int) -> None:
    made = batched.make()
    batched.simulator.clock.advance(3600)
    path = "/content" if batched.api.provider == "openai" else "/results"
    ended = batched.ended(made.id)
    batched.simulator.faults.add(Fault(kind="status", status=status, path=path))
    assert [result.unanswered for result in batched.api.results(ended)] == [UNREADABLE]
    batched.simulator.faults.add(Fault(kind="status", status=503, path=path))
    with pytest.raises(ProviderUnavailable):
        list(batched.api.results(ended))


def test_nothing_listens_and_nothing_was_sent(batched: Batched, monkeypatch: pytest.MonkeyPatch) -> None:
    variable = batched.simulator.url_variable
    monkeypatch.setenv(variable, "http://127.0.0.1:9/v1" if batched.api.provider == "openai" else "http://127.0.0.1:9")
    api = open_batches(batched.api.provider, "message")
    with pytest.raises(FlowControl):
        api.create(batched.requests(), file_id="file-1", mark=MARK)
    api.close()


def test_sizes_are_those_of_what_is_sent(batched: Batched) -> None:
    (request,) = batched.requests(1)
    assert batched.api.size(request) > len(str(request.body["messages"]))


def test_a_prompt_in_a_batch_is_cached_for_an_hour(batched: Batched) -> None:
    if batched.api.provider != "anthropic":
        pytest.skip("only Anthropic is told how long to keep a prompt")
    kept = str(batched.model.parameters(question(), batch=True)).count("'ttl': '1h'")
    assert kept == str(batched.model.parameters(question(), batch=False)).count("cache_control") > 0


def test_bedrock_and_models_of_this_machine_have_none() -> None:
    assert [name for name in ("bedrock", "cohere", "local", "hash", "openai") if has_batches(name)] == ["openai"]
