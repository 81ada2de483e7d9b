"""The simulated OpenAI, through OpenAI's own SDK."""

import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import openai
import pytest
from pydantic import BaseModel

from embedmill.simulators.base import Options
from embedmill.simulators.faults import Fault
from embedmill.simulators.openai import OpenAISimulator, duration
from embedmill.simulators.prompts import ScriptedVerdict
from embedmill.simulators.serving import SimulatorServer, running

SMALL, GPT = "text-embedding-3-small", "gpt-5-mini"
Server = SimulatorServer[OpenAISimulator]


class Judgement(BaseModel):
    reasoning: str
    score: int
    keep: bool
    kind: str | None


@pytest.fixture
def server() -> Iterator[Server]:
    with running(OpenAISimulator()) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="sk-test", base_url=f"{server.url}/v1", max_retries=0) as opened:
        yield opened


def test_embeddings_are_the_same_in_both_encodings_and_of_the_size_asked_for(client: openai.OpenAI) -> None:
    plain = client.embeddings.create(model=SMALL, input=["a cat", "a dog"], dimensions=64, encoding_format="float")
    packed = client.embeddings.create(model=SMALL, input=["a cat", "a dog"], dimensions=64)
    assert [item.index for item in plain.data] == [0, 1]
    assert np.allclose(plain.data[1].embedding, packed.data[1].embedding)
    assert np.linalg.norm(plain.data[0].embedding) == pytest.approx(1, abs=1e-5)
    assert plain.usage.prompt_tokens == plain.usage.total_tokens == 4
    assert len(client.embeddings.create(model=SMALL, input="a cat").data[0].embedding) == 1536


@pytest.mark.parametrize(
    "wrong",
    [
        {"input": ["x"] * 2049},
        {"input": "word " * 8200},
        {"input": ["word " * 8000] * 38},
        {"input": [""]},
        {"input": []},
        {"dimensions": 1537},
    ],
    ids=["inputs", "tokens of an input", "tokens of a request", "empty text", "no text", "dimensions"],
)
def test_embeddings_have_the_limits_of_the_real_ones(client: openai.OpenAI, wrong: dict[str, Any]) -> None:
    with pytest.raises(openai.BadRequestError):
        client.embeddings.create(**{"model": SMALL, "input": ["x"], **wrong})


def test_limits_are_told_in_headers_and_refused_with_a_wait() -> None:
    with (
        running(OpenAISimulator(Options(tokens_per_minute=600, requests_per_minute=100))) as server,
        openai.OpenAI(api_key="k", base_url=f"{server.url}/v1", max_retries=0) as client,
    ):
        raw = client.embeddings.with_raw_response.create(model=SMALL, input="word " * 500)
        assert raw.headers["x-ratelimit-limit-tokens"] == "600"
        assert int(raw.headers["x-ratelimit-remaining-tokens"]) < 110
        assert raw.headers["x-ratelimit-remaining-requests"] == "99"
        with pytest.raises(openai.RateLimitError) as caught:
            client.embeddings.create(model=SMALL, input="word " * 500)
        assert float(caught.value.response.headers["retry-after"]) == pytest.approx(40, abs=2)
        assert caught.value.code == "rate_limit_exceeded"


@pytest.mark.parametrize(
    ("seconds", "written"), [(0.02, "20ms"), (1, "1s"), (1.5, "1.5s"), (360, "6m0s"), (65.2, "1m5s")]
)
def test_durations_are_written_as_in_the_headers(seconds: float, written: str) -> None:
    assert duration(seconds) == written


def test_both_parse_helpers_get_what_fits_their_schema(client: openai.OpenAI, server: Server) -> None:
    server.simulator.writer.add(ScriptedVerdict(match="nonsense", verdict={"score": 1, "keep": False}))
    messages: Any = [{"role": "system", "content": "nonsense is bad"}, {"role": "user", "content": "good text"}]
    chat = client.chat.completions.parse(model=GPT, messages=messages, response_format=Judgement)
    assert chat.choices[0].message.parsed == Judgement(
        reasoning="It can be understood on its own.", score=4, keep=True, kind=None
    )
    answer = client.responses.parse(model=GPT, instructions="judge", input="nonsense", text_format=Judgement)
    assert answer.output_parsed is not None
    assert (answer.output_parsed.score, answer.output_parsed.keep) == (1, False)
    assert answer.usage is not None
    assert server.simulator.bill.total("tokens_out") == answer.usage.output_tokens + (
        chat.usage.completion_tokens if chat.usage else 0
    )


def test_a_long_prompt_that_comes_again_is_read_from_the_cache(client: openai.OpenAI) -> None:
    messages: Any = [{"role": "system", "content": "rule " * 1500}, {"role": "user", "content": "x"}]
    first, second = (client.chat.completions.create(model=GPT, messages=messages).usage for _ in range(2))
    assert first and second and first.prompt_tokens_details and second.prompt_tokens_details
    assert first.prompt_tokens_details.cached_tokens == 0
    assert second.prompt_tokens_details.cached_tokens == 1408


def test_a_model_that_charges_for_writing_to_the_cache_says_how_much_it_wrote(
    client: openai.OpenAI, server: Server
) -> None:
    messages: Any = [{"role": "system", "content": "rule " * 1500}]
    written, read, none = (
        client.chat.completions.create(model=model, messages=messages).usage for model in ("gpt-6-luna",) * 2 + (GPT,)
    )
    assert written and written.prompt_tokens_details and read and read.prompt_tokens_details
    assert written.prompt_tokens_details.cache_write_tokens == written.prompt_tokens
    assert not read.prompt_tokens_details.cache_write_tokens and read.prompt_tokens_details.cached_tokens
    assert none and none.prompt_tokens_details and none.prompt_tokens_details.cache_write_tokens is None
    (line,) = (line for line in server.simulator.bill.as_json()["lines"] if line["model"] == "gpt-6-luna")
    assert line["cache_write"] == written.prompt_tokens
    assert line["tokens_in"] == read.prompt_tokens - read.prompt_tokens_details.cached_tokens


def test_a_refusal_and_a_cut_answer_say_so(client: openai.OpenAI, server: Server) -> None:
    server.simulator.faults.add(Fault(kind="refusal"), Fault(kind="max_tokens"), Fault(kind="max_tokens"))
    messages: Any = [{"role": "user", "content": "x"}]
    assert client.chat.completions.create(model=GPT, messages=messages).choices[0].message.refusal
    assert client.chat.completions.create(model=GPT, messages=messages).choices[0].finish_reason == "length"
    assert client.responses.create(model=GPT, input="x").status == "incomplete"


def upload(client: openai.OpenAI, texts: list[str]) -> str:
    lines = [
        {
            "custom_id": str(number),
            "method": "POST",
            "url": "/v1/embeddings",
            "body": {"model": SMALL, "input": text, "dimensions": 8},
        }
        for number, text in enumerate(texts)
    ]
    content = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines).encode()
    return client.files.create(file=("batch.jsonl", io.BytesIO(content)), purpose="batch").id


def test_a_batch_of_embeddings_is_answered_later(client: openai.OpenAI, server: Server) -> None:
    file = upload(client, ["a naïve text", "poison", "漢字\r\n"])
    server.simulator.faults.add(Fault(kind="status", status=400, match="poison"))
    batch = client.batches.create(input_file_id=file, endpoint="/v1/embeddings", completion_window="24h")
    assert client.batches.retrieve(batch.id).status == "in_progress"
    server.simulator.clock.advance(600)
    done = client.batches.retrieve(batch.id)
    assert done.status == "completed"
    assert done.request_counts is not None
    assert (done.request_counts.completed, done.request_counts.failed) == (2, 1)
    assert done.output_file_id and done.error_file_id
    lines = client.files.content(done.output_file_id).text.splitlines()
    results = sorted(map(json.loads, lines), key=lambda result: str(result["custom_id"]))
    assert [result["custom_id"] for result in results] == ["0", "2"]
    alone = client.embeddings.create(model=SMALL, input="漢字\r\n", dimensions=8).data[0].embedding
    assert np.allclose(results[1]["response"]["body"]["data"][0]["embedding"], alone)
    errors = [json.loads(line) for line in client.files.content(done.error_file_id).text.splitlines()]
    assert errors[0]["response"]["status_code"] == 400
    assert {line["operation"] for line in server.simulator.bill.as_json()["lines"]} == {"embed", "embed.batch"}


def test_a_batch_is_cancelled_or_expires_unbilled(client: openai.OpenAI, server: Server) -> None:
    file = upload(client, ["text"])
    cancelled = client.batches.create(input_file_id=file, endpoint="/v1/embeddings", completion_window="24h")
    assert client.batches.cancel(cancelled.id).status == "cancelling"
    assert client.batches.retrieve(cancelled.id).status == "cancelled"
    server.simulator.faults.add(Fault(kind="late", seconds=100_000, path="/v1/batches"))
    late = client.batches.create(input_file_id=file, endpoint="/v1/embeddings", completion_window="24h")
    server.simulator.clock.advance(86_500)
    assert client.batches.retrieve(late.id).status == "expired"
    assert server.simulator.bill.total("requests") == 0
