"""The simulated Anthropic, through Anthropic's own SDK."""

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2
import pytest
from pydantic import BaseModel

from embedmill.simulators.anthropic import AnthropicSimulator
from embedmill.simulators.base import Options
from embedmill.simulators.faults import Fault
from embedmill.simulators.prompts import SOUND_REASON, ScriptedVerdict
from embedmill.simulators.serving import SimulatorServer, running

OPUS, HAIKU = "claude-opus-4-7", "claude-haiku-5-5"
Server = SimulatorServer[AnthropicSimulator]


class ChunkVerdict(BaseModel):
    id: str
    reasoning: str
    score: int
    extraneous: list[str]


class Verdicts(BaseModel):
    verdicts: list[ChunkVerdict]


PROMPT = """<chunk-7f id="c1">The harbour was quiet.</chunk-7f>
<chunk-7f id="c2">Copyright, terms and a cookie banner.</chunk-7f>"""


@pytest.fixture
def server() -> Iterator[Server]:
    with running(AnthropicSimulator()) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key="sk-test", base_url=server.url, max_retries=0) as opened:
        yield opened


def ask(client: anthropic.Anthropic, text: str = "hello", model: str = OPUS, **more: Any) -> Any:
    return client.messages.create(
        **{"model": model, "max_tokens": 500, "messages": [{"role": "user", "content": text}], **more}
    )


def text_of(message: Any) -> str:
    return str(next(block.text for block in message.content if block.type == "text"))


def rubric(tokens: int, **control: Any) -> Any:
    return [{"type": "text", "text": "rule " * tokens, "cache_control": {"type": "ephemeral", **control}}]


def test_every_chunk_gets_a_benign_verdict_that_fits_the_schema(client: anthropic.Anthropic) -> None:
    messages: Any = [{"role": "user", "content": PROMPT}]
    parsed = client.messages.parse(model=OPUS, max_tokens=500, messages=messages, output_format=Verdicts).parsed_output
    assert parsed is not None
    assert [verdict.id for verdict in parsed.verdicts] == ["c1", "c2"]
    assert {(verdict.score, verdict.reasoning) for verdict in parsed.verdicts} == {(4, SOUND_REASON)}


def test_a_scripted_verdict_is_for_the_chunk_that_holds_its_text(client: anthropic.Anthropic, server: Server) -> None:
    server.simulator.writer.add(
        ScriptedVerdict(match="cookie banner", verdict={"score": 1, "extraneous": ["Copyright"]})
    )
    messages: Any = [{"role": "user", "content": PROMPT}]
    parsed = client.messages.parse(model=OPUS, max_tokens=500, messages=messages, output_format=Verdicts).parsed_output
    assert parsed is not None
    assert [(v.score, v.extraneous) for v in parsed.verdicts] == [(4, []), (1, ["Copyright"])]


def test_a_forced_tool_is_used_with_fitting_input(client: anthropic.Anthropic) -> None:
    schema = {"type": "object", "properties": {"coherent": {"type": "boolean"}}, "required": ["coherent"]}
    tools = [{"name": "verdict", "description": "d", "input_schema": schema}]
    message = ask(client, tools=tools, tool_choice={"type": "tool", "name": "verdict"})
    assert message.stop_reason == "tool_use"
    assert message.content[0].input == {"coherent": True}


def test_a_raw_answer_may_be_no_json(client: anthropic.Anthropic, server: Server) -> None:
    server.simulator.writer.add(ScriptedVerdict(raw="Sure! Here is", times=1))
    form = {"format": {"type": "json_schema", "schema": {"type": "object", "additionalProperties": False}}}
    assert text_of(ask(client, output_config=form)) == "Sure! Here is"
    assert json.loads(text_of(ask(client, output_config=form))) == {}


@pytest.mark.parametrize(
    "wrong",
    [
        {"extra_body": {"temperature": 0}},
        {"extra_body": {"top_p": 1}},
        {"extra_body": {"top_k": 5}},
        {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "{"}]},
        {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object", "properties": {}}}}},
        {
            "output_config": {
                "format": {
                    "type": "json_schema",
                    "schema": {
                        "type": "object",
                        "additionalProperties": False,
                        "properties": {"n": {"type": "integer", "minimum": 1}},
                    },
                }
            }
        },
        {"system": rubric(1) * 5},
    ],
    ids=["temperature", "top_p", "top_k", "prefill", "budget", "open object", "minimum", "five breakpoints"],
)
def test_opus_4_7_refuses_what_it_no_longer_takes(client: anthropic.Anthropic, wrong: dict[str, Any]) -> None:
    with pytest.raises(anthropic.BadRequestError):
        ask(client, **wrong)


def test_an_unknown_model_is_not_found_and_no_key_is_refused(server: Server, client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError):
        ask(client, model="gpt-9")
    assert httpx2.post(f"{server.url}/v1/messages", json={}).status_code == 401


def test_a_cached_prefix_is_written_once_and_then_read(client: anthropic.Anthropic, server: Server) -> None:
    first, second = (ask(client, f"question {n}", system=rubric(4200)).usage for n in range(2))
    assert first.cache_creation_input_tokens > 4096
    assert first.cache_read_input_tokens == 0
    assert second.cache_read_input_tokens == first.cache_creation_input_tokens
    assert second.cache_creation_input_tokens == 0
    assert second.input_tokens == first.input_tokens < 10
    server.simulator.clock.advance(299)
    assert ask(client, "again", system=rubric(4200)).usage.cache_read_input_tokens > 0, "a hit refreshes"
    server.simulator.clock.advance(301)
    assert ask(client, "late", system=rubric(4200)).usage.cache_read_input_tokens == 0
    bill = server.simulator.bill.as_json()["totals"]
    assert bill["cache_write_5m"] == 2 * first.cache_creation_input_tokens
    assert bill["cache_read"] == 2 * first.cache_creation_input_tokens


def test_an_entry_for_an_hour_lives_an_hour(client: anthropic.Anthropic, server: Server) -> None:
    written = ask(client, system=rubric(4200, ttl="1h")).usage.cache_creation
    assert written.ephemeral_1h_input_tokens > 4096
    server.simulator.clock.advance(3500)
    assert ask(client, system=rubric(4200, ttl="1h")).usage.cache_read_input_tokens > 0


def test_a_prefix_below_the_minimum_of_the_model_is_not_cached(client: anthropic.Anthropic) -> None:
    for _ in range(2):
        usage = ask(client, system=rubric(3000)).usage
        assert usage.cache_creation_input_tokens == usage.cache_read_input_tokens == 0
    ask(client, system=rubric(600), model=HAIKU)
    assert ask(client, system=rubric(600), model=HAIKU).usage.cache_read_input_tokens > 512


def test_a_longer_conversation_reads_what_a_shorter_one_wrote(client: anthropic.Anthropic) -> None:
    def turns(count: int) -> list[dict[str, Any]]:
        parts: list[dict[str, Any]] = [{"type": "text", "text": f"part {n} " * 1500} for n in range(count)]
        parts[-1]["cache_control"] = {"type": "ephemeral"}
        return [{"role": "user", "content": parts}]

    first = ask(client, messages=turns(2)).usage
    second = ask(client, messages=turns(3)).usage
    assert second.cache_read_input_tokens == first.cache_creation_input_tokens
    assert second.cache_creation_input_tokens > 1000


def test_haiku_thinks_unasked_before_it_answers(client: anthropic.Anthropic) -> None:
    message = ask(client, model=HAIKU)
    assert [block.type for block in message.content] == ["thinking", "text"]
    assert message.usage.output_tokens_details.thinking_tokens > 0
    assert [block.type for block in ask(client, model=HAIKU, thinking={"type": "disabled"}).content] == ["text"]
    assert [block.type for block in ask(client, model=OPUS).content] == ["text"]


def test_a_refusal_and_an_answer_that_is_cut_off_say_so(client: anthropic.Anthropic, server: Server) -> None:
    server.simulator.faults.add(Fault(kind="refusal"), Fault(kind="max_tokens"))
    assert ask(client).stop_reason == "refusal"
    assert ask(client).stop_reason == "max_tokens"
    assert ask(client, max_tokens=3).stop_reason == "max_tokens"
    assert ask(client).stop_reason == "end_turn"


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, anthropic.AuthenticationError),
        (402, anthropic.PaymentRequiredError),
        (413, anthropic.ContentTooLargeError),
        (429, anthropic.RateLimitError),
        (500, anthropic.InternalServerError),
        (529, anthropic.OverloadedError),
    ],
)
def test_an_ordered_status_is_the_error_that_the_sdk_knows(
    client: anthropic.Anthropic, server: Server, status: int, error: type[anthropic.APIStatusError]
) -> None:
    server.simulator.faults.add(Fault(kind="status", status=status))
    with pytest.raises(error) as caught:
        ask(client)
    assert caught.value.request_id is not None
    assert server.simulator.bill.total("requests") == 0


def test_input_read_from_the_cache_does_not_count_to_the_rate() -> None:
    limits = Options(tokens_per_minute=6000, output_tokens_per_minute=10_000)
    with (
        running(AnthropicSimulator(limits)) as server,
        anthropic.Anthropic(api_key="k", base_url=server.url, max_retries=0) as client,
    ):
        for _ in range(3):
            raw = client.messages.with_raw_response.create(
                model=OPUS, max_tokens=100, messages=[{"role": "user", "content": "hi"}], system=rubric(4200)
            )
        assert 0 < int(raw.headers["anthropic-ratelimit-input-tokens-remaining"]) < 6000
        assert raw.headers["anthropic-ratelimit-input-tokens-reset"].endswith("Z")
        with pytest.raises(anthropic.RateLimitError) as caught:
            ask(client, "word " * 5000, model="claude-opus-4-8")
        assert int(caught.value.response.headers["retry-after"]) > 10
        server.simulator.clock.advance(60)
        ask(client, "word " * 5000)


def test_output_is_reserved_as_max_tokens() -> None:
    with (
        running(AnthropicSimulator(Options(output_tokens_per_minute=1000))) as server,
        anthropic.Anthropic(api_key="k", base_url=server.url, max_retries=0) as client,
    ):
        ask(client, max_tokens=900)
        with pytest.raises(anthropic.RateLimitError):
            ask(client, max_tokens=900)


def test_counting_is_free_and_agrees_with_the_bill(client: anthropic.Anthropic, server: Server) -> None:
    messages: Any = [{"role": "user", "content": PROMPT}]
    counted = client.messages.count_tokens(model=OPUS, messages=messages, system="Be strict.").input_tokens
    assert server.simulator.bill.total("requests") == 0
    assert ask(client, PROMPT, system="Be strict.").usage.input_tokens == counted


def test_a_stream_carries_the_same_message(client: anthropic.Anthropic) -> None:
    messages: Any = [{"role": "user", "content": "hi"}]
    with client.messages.stream(model=HAIKU, max_tokens=500, messages=messages) as stream:
        streamed = stream.get_final_message()
    assert text_of(streamed) == text_of(ask(client, "hi", model=HAIKU))
    assert streamed.stop_reason == "end_turn"


@pytest.mark.parametrize("kind", ["cut_body", "stream_error"])
def test_a_stream_goes_wrong_on_order(client: anthropic.Anthropic, server: Server, kind: str) -> None:
    server.simulator.faults.add(Fault.model_validate({"kind": kind}))
    messages: list[Any] = [{"role": "user", "content": "hi"}]
    heard: list[str] = []
    with (
        pytest.raises(Exception, match=r"peer closed|Overloaded"),
        client.messages.stream(model=HAIKU, max_tokens=500, messages=messages) as stream,
    ):
        heard += stream.text_stream
    assert 0 < len("".join(heard)) < len(text_of(ask(client, "hi", model=HAIKU)))
    assert server.simulator.bill.as_json()["totals"]["tokens_out"] > 0


def test_a_slow_stream_says_the_same(client: anthropic.Anthropic, server: Server) -> None:
    server.simulator.faults.add(Fault(kind="drip", seconds=0.001))
    messages: list[Any] = [{"role": "user", "content": "hi"}]
    with client.messages.stream(model=HAIKU, max_tokens=500, messages=messages) as stream:
        assert text_of(stream.get_final_message()) == text_of(ask(client, "hi", model=HAIKU))


def test_claude_on_bedrock_streams_in_frames_of_amazon(server: Server) -> None:
    account: Any = {"aws_region": "us-east-1", "aws_access_key": "a", "aws_secret_key": "b"}
    client = anthropic.AnthropicBedrock(base_url=server.url, max_retries=0, **account)
    asked: Any = {"model": f"anthropic.{HAIKU}", "max_tokens": 500, "messages": [{"role": "user", "content": "hi"}]}
    with client.messages.stream(**asked) as stream:
        texts = list(stream.text_stream)
        final = stream.get_final_message()
    assert len(texts) > 1
    assert "".join(texts) == text_of(final)
    server.simulator.faults.add(Fault(kind="stream_error"))
    with pytest.raises(anthropic.APIStatusError, match="modelStreamError"):
        list(client.messages.create(**asked, stream=True))


def test_a_batch_is_answered_later_at_its_own_price_line(client: anthropic.Anthropic, server: Server) -> None:
    def entry(id: str, text: str) -> Any:
        params = {"model": OPUS, "max_tokens": 50, "messages": [{"role": "user", "content": text}]}
        return {"custom_id": id, "params": params}

    server.simulator.faults.add(Fault(kind="status", status=400, match="poison", path="/v1/messages", after=1))
    batch = client.messages.batches.create(requests=[entry("a", "fine"), entry("b", "poison"), entry("c", "fine")])
    assert client.messages.batches.retrieve(batch.id).processing_status == "in_progress"
    server.simulator.clock.advance(3600)
    ended = client.messages.batches.retrieve(batch.id)
    assert ended.processing_status == "ended"
    assert (ended.request_counts.succeeded, ended.request_counts.errored) == (2, 1)
    results = {result.custom_id: result.result.type for result in client.messages.batches.results(batch.id)}
    assert results == {"a": "succeeded", "b": "errored", "c": "succeeded"}
    (line,) = server.simulator.bill.as_json()["lines"]
    assert (line["operation"], line["requests"]) == ("generate.batch", 2)


def test_a_batch_is_cancelled_or_expires(client: anthropic.Anthropic, server: Server) -> None:
    entry: Any = {"custom_id": "a", "params": {"model": OPUS, "max_tokens": 5, "messages": [{"role": "user"}]}}
    cancelled = client.messages.batches.create(requests=[entry])
    assert client.messages.batches.cancel(cancelled.id).processing_status == "canceling"
    assert client.messages.batches.retrieve(cancelled.id).request_counts.canceled == 1
    server.simulator.faults.add(Fault(kind="late", seconds=90_000))
    late = client.messages.batches.create(requests=[entry])
    server.simulator.clock.advance(86_401)
    assert client.messages.batches.retrieve(late.id).request_counts.expired == 1


def test_claude_on_bedrock_answers_too(server: Server) -> None:
    with anthropic.AnthropicBedrock(
        aws_access_key="a", aws_secret_key="s", aws_region="us-east-1", base_url=server.url, max_retries=0
    ) as client:
        message = client.messages.create(
            model="us.anthropic.claude-haiku-4-5-20251001-v1:0",
            max_tokens=50,
            messages=[{"role": "user", "content": "hi"}],
        )
    assert text_of(message)
    assert server.simulator.bill.as_json()["lines"][0]["model"] == "claude-haiku-4-5-20251001"
