"""Every model answers, accounts and fails in the same way, whoever serves it."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from anthropic.lib.aws import _auth as aws_sessions

from embedmill.shared.errors import (
    EmbedmillError,
    FlowControl,
    InputRefused,
    KeyRefused,
    ProviderRefused,
    ProviderUnavailable,
)
from embedmill.shared.providers import answer_bounds
from embedmill.shared.providers.models.base import ModelAnswer, Stop
from embedmill.shared.providers.models.table import open_model
from embedmill.simulators.base import Call, SimulatedReply
from embedmill.simulators.faults import Fault
from embedmill.simulators.prompts import ScriptedVerdict
from tests.shared.providers.models.simulated import NAMES, Served, question, served

SECRET = "the text of a document that must not leak"


@pytest.fixture(scope="module", params=NAMES)
def shared_model(request: pytest.FixtureRequest) -> Iterator[Served]:
    with served(request.param) as opened:
        yield opened


@pytest.fixture
def model(shared_model: Served) -> Served:
    simulator = shared_model.simulator
    simulator.faults.clear()
    simulator.bill.clear()
    simulator.exchanges.clear()
    simulator.bodies.clear()
    simulator.writer.clear()
    return shared_model


def refused(model: Served, status: int, **options: object) -> EmbedmillError:
    model.simulator.faults.add(Fault.model_validate({"kind": "status", "status": status, **options}))
    with pytest.raises(EmbedmillError) as caught:
        model.model.ask(question(SECRET))
    assert SECRET not in str(caught.value)
    assert len(model.simulator.exchanges) == 1, "an adapter makes one call and leaves retries to its caller"
    return caught.value


def test_a_prompt_that_comes_back_as_the_code_of_an_error_goes_nowhere(model: Served) -> None:
    error = refused(model, 400, code=SECRET)
    assert "document" not in str(error)
    assert "400" in str(error)


def test_an_answer_follows_the_schema(model: Served) -> None:
    model.simulator.writer.add(ScriptedVerdict(match="Judge", verdict={"score": 2, "reasoning": "because"}))
    answer = model.model.ask(question())
    assert answer.stop is Stop.END
    assert json.loads(answer.text) == {"score": 2, "reasoning": "because"}
    assert answer.request_id


def test_the_usage_is_what_the_vendor_bills(model: Served) -> None:
    tokens = model.model.ask(question("Judge this at some length, please.")).tokens
    bill = model.simulator.bill.as_json()["totals"]
    assert tokens is not None and tokens.out == bill["tokens_out"] > 0
    assert tokens.prompt >= bill["tokens_in"] > 0


def test_no_parameter_is_sent_that_models_refuse(model: Served) -> None:
    model.model.ask(question())
    (body,) = model.simulator.bodies
    assert not {"temperature", "top_p", "top_k", "thinking", "seed"} & body.keys()
    assert body["messages"][-1]["role"] == "user"


def test_a_refused_key_is_waited_for(model: Served) -> None:
    error = refused(model, 401)
    assert isinstance(error, KeyRefused)
    assert "401" in str(error)


def test_a_check_costs_nothing_and_says_how_far_it_went(model: Served) -> None:
    told = model.model.check()
    assert model.model.model in told
    assert ("serves" in told) == bool(model.simulator.exchanges), "what was not asked is not claimed"
    assert model.simulator.bill.as_json()["totals"] == {}


@pytest.mark.parametrize("name", ["anthropic/claude-opus-4-7", "openai/gpt-5-mini"])
def test_a_check_finds_a_refused_key_a_page_in_the_place_of_an_answer_and_a_model_that_there_is_not(name: str) -> None:
    with served(name) as found:
        found.simulator.faults.add(Fault(kind="status", status=401))
        with pytest.raises(KeyRefused, match="401"):
            found.model.check()
        found.simulator.faults.add(Fault(kind="status", status=200))
        with pytest.raises(ProviderUnavailable, match="unreadable"):
            found.model.check()
        unknown = open_model(f"{name.partition('/')[0]}/no-such-model")
        with pytest.raises(ProviderRefused, match="404"):
            unknown.check()
        unknown.close()


@pytest.mark.parametrize("status", [403, 404])
def test_refused_settings_are_the_users_to_mend(model: Served, status: int) -> None:
    error = refused(model, status)
    assert isinstance(error, ProviderRefused)
    assert not error.retryable


def test_a_rate_limit_says_how_long_to_wait(model: Served) -> None:
    error = refused(model, 429, headers={"retry-after": "7"})
    assert isinstance(error, FlowControl)
    assert (error.reason, error.retry_after_seconds) == ("rate", 7)


def test_a_rate_limit_that_names_no_time_is_waited_for_all_the_same(model: Served) -> None:
    error = refused(model, 429)
    assert isinstance(error, FlowControl)
    assert 0 < error.retry_after_seconds < 60


def test_an_overloaded_vendor_is_left_alone(model: Served) -> None:
    error = refused(model, 529)
    assert isinstance(error, FlowControl)


def test_a_hostile_retry_after_holds_nothing_for_days(model: Served) -> None:
    error = refused(model, 429, headers={"retry-after": "9999999"})
    assert isinstance(error, FlowControl)
    assert error.retry_after_seconds <= 3600


@pytest.mark.parametrize("told", [None, -1_000_000_000, -1, 0.5, float("nan"), "12", True, []])
def test_nonsense_in_the_place_of_a_count_is_no_usage_and_the_answer_is_kept(model: Served, told: Any) -> None:
    model.simulator.faults.add(Fault(kind="usage", usage=told))
    answer = model.model.ask(question())
    assert json.loads(answer.text)
    assert answer.tokens is None


def test_a_bad_request_is_the_requests_fault(model: Served) -> None:
    assert isinstance(refused(model, 400), InputRefused)


@pytest.mark.parametrize("status", [500, 503])
def test_a_server_error_is_worth_a_retry(model: Served, status: int) -> None:
    assert isinstance(refused(model, status), ProviderUnavailable)


@pytest.mark.parametrize("kind", ["cut", "cut_body", "malformed", "truncated"])
def test_a_broken_answer_may_be_billed_and_is_worth_a_retry(model: Served, kind: str) -> None:
    model.simulator.faults.add(Fault.model_validate({"kind": kind}))
    with pytest.raises(ProviderUnavailable) as caught:
        model.model.ask(question(SECRET))
    assert caught.value.may_be_billed
    assert SECRET not in str(caught.value)


def test_of_an_answer_without_end_no_more_is_read_than_an_answer_may_have(
    model: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer_bounds, "MOST_BYTES", 100)
    with pytest.raises(ProviderUnavailable, match="sent more than 0 MB for one answer") as caught:
        model.model.ask(question())
    assert caught.value.may_be_billed


def test_a_refusal_is_an_answer(model: Served) -> None:
    model.simulator.faults.add(Fault(kind="refusal"))
    assert model.model.ask(question()).stop is Stop.REFUSAL


def test_an_answer_that_is_too_long_is_an_answer_that_was_cut_off(model: Served) -> None:
    model.simulator.faults.add(Fault(kind="max_tokens"))
    assert model.model.ask(question()).stop is Stop.MAX_TOKENS


@pytest.mark.parametrize("name", NAMES)
def test_a_server_that_is_not_there_has_cost_nothing(name: str) -> None:
    with served(name) as opened:
        pass
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in {
            "ANTHROPIC_BASE_URL": opened.server.url,
            "ANTHROPIC_BEDROCK_MANTLE_BASE_URL": opened.server.url,
            "OPENAI_BASE_URL": opened.server.url,
            "ANTHROPIC_API_KEY": "key",
            "OPENAI_API_KEY": "key",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "key",
            "AWS_REGION": "us-east-1",
        }.items():
            patch.setenv(variable, value)
        model = open_model(name)
        with pytest.raises(ProviderUnavailable) as caught:
            model.ask(question())
        model.close()
    assert not caught.value.may_be_billed


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("anthropic/claude-opus-4-7", "ANTHROPIC_API_KEY"),
        ("openai/gpt-5-mini", "OPENAI_API_KEY"),
        ("bedrock/anthropic.claude-opus-4-7", "AWS_ACCESS_KEY_ID"),
    ],
)
@pytest.mark.parametrize("profile", ["", "nobody"])
def test_a_missing_key_is_named(name: str, variable: str, profile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for unset in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "OPENAI_API_KEY", "AWS_ACCESS_KEY_ID"):
        monkeypatch.delenv(unset, raising=False)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY", raising=False)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    if profile:
        monkeypatch.setenv("AWS_PROFILE", profile)
    # The SDK keeps the account that it found first.
    aws_sessions._get_session.cache_clear()  # type: ignore[attr-defined]  # cached, and typed as if it were not
    model = open_model(name)
    with pytest.raises(KeyRefused, match=variable):
        model.ask(question())
    assert model.key_hash == ""
    model.close()


@pytest.mark.parametrize("name", NAMES)
def test_a_key_that_no_request_can_carry_is_refused_before_one_is_made(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "AWS_ACCESS_KEY_ID"):
        monkeypatch.setenv(variable, "sk-abc\n")
    model = open_model(name)
    with pytest.raises(KeyRefused, match="a line break"):
        model.ask(question())
    model.close()


def test_a_long_beginning_is_cached_and_read_again(model: Served) -> None:
    if model.model.provider == "openai":
        pytest.skip("OpenAI caches by itself and is not asked to")
    system = "A rubric that says how to judge. " * 700
    first = model.model.ask(question("one", system=system)).tokens
    second = model.model.ask(question("two", system=system)).tokens
    assert first and second and first.cache_write > 4096
    assert (second.cache_read, second.cache_write) == (first.cache_write, 0)


def hear(model: Served, **prompt: Any) -> tuple[list[str], ModelAnswer]:
    heard: list[str] = []
    return heard, model.model.stream(question("Judge this at some length, please.", **prompt), heard.append)


def test_a_streamed_answer_is_the_same_in_pieces_and_costs_the_same(model: Served) -> None:
    asked = model.model.ask(question("Judge this at some length, please."))
    heard, answer = hear(model)
    assert len(heard) > 2
    assert "".join(heard) == answer.text == asked.text
    assert answer.stop is Stop.END
    assert answer.tokens is not None and asked.tokens is not None
    assert (answer.tokens.prompt, answer.tokens.out) == (asked.tokens.prompt, asked.tokens.out)
    assert answer.request_id
    streamed, plain = model.simulator.bodies[1], model.simulator.bodies[0]
    assert {name: streamed[name] for name in plain} == plain


@pytest.mark.parametrize("kind", ["cut_body", "truncated", "stream_error"])
def test_a_stream_that_breaks_off_is_an_answer_that_was_cut(model: Served, kind: str) -> None:
    whole = model.model.ask(question("Judge this at some length, please.")).text
    model.simulator.faults.add(Fault.model_validate({"kind": kind}))
    heard, answer = hear(model)
    assert answer.stop is Stop.CUT
    assert heard and "".join(heard) == answer.text != whole
    assert whole.startswith(answer.text)
    # What was told of it, and the longest answer: it may be billed for more than was heard.
    assert answer.tokens is None or answer.tokens.out == question().max_tokens


@pytest.mark.parametrize("kind", ["cut", "malformed"])
def test_a_stream_that_says_nothing_is_worth_a_retry(model: Served, kind: str) -> None:
    model.simulator.faults.add(Fault.model_validate({"kind": kind}))
    with pytest.raises(ProviderUnavailable) as caught:
        hear(model)
    assert caught.value.may_be_billed


def test_a_stream_is_refused_as_any_call_is(model: Served) -> None:
    for status, error in ((429, FlowControl), (401, KeyRefused), (400, InputRefused), (500, ProviderUnavailable)):
        model.simulator.faults.add(Fault.model_validate({"kind": "status", "status": status}))
        with pytest.raises(error):
            hear(model)


def test_a_streamed_refusal_and_an_answer_that_is_too_long_are_told(model: Served) -> None:
    for kind, stop in (("refusal", Stop.REFUSAL), ("max_tokens", Stop.MAX_TOKENS)):
        model.simulator.faults.add(Fault.model_validate({"kind": kind}))
        assert hear(model)[1].stop is stop


@pytest.mark.parametrize("told", ["many", -3, 1.5, None])
def test_nonsense_in_the_counts_of_a_stream_is_no_usage(model: Served, told: Any) -> None:
    model.simulator.faults.add(Fault.model_validate({"kind": "usage", "usage": told}))
    heard, answer = hear(model)
    assert "".join(heard) == answer.text
    assert answer.tokens is None


def test_a_server_that_cannot_stream_is_heard_all_the_same(model: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    for handler in ("_messages", "_chat"):
        if hasattr(model.simulator, handler):
            answer_plainly(model, handler, monkeypatch)
    heard, answer = hear(model)
    assert heard == [answer.text]
    assert (answer.stop, answer.tokens is None) == (Stop.END, False)


def answer_plainly(model: Served, handler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a server does that knows nothing of `stream`."""
    answer: Callable[[Call], SimulatedReply] = getattr(model.simulator, handler)

    def plainly(call: Call) -> SimulatedReply:
        return answer(replace(call, body={name: value for name, value in call.body.items() if name != "stream"}))

    monkeypatch.setattr(model.simulator, handler, plainly)
    vars(model.simulator).pop("_routes", None)
