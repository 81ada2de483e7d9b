"""Requests as our adapters send them and answers as the simulators give them, held against what vendors publish."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from anthropic.types import Message, MessageTokensCount
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from anthropic.types.messages import MessageBatch, MessageBatchIndividualResponse
from anthropic.types.shared import ErrorResponse
from cohere.types import EmbedByTypeResponse
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from pydantic import TypeAdapter

from embedmill.shared.errors import EmbedmillError
from embedmill.shared.providers.embeddings.table import open_embedder
from embedmill.shared.providers.models.base import Prompt, PromptBlock
from embedmill.shared.providers.models.table import open_model
from embedmill.shared.providers.vectorstores.base import StoreOptions
from embedmill.shared.providers.vectorstores.pinecone.store import PineconeVectorStore
from embedmill.shared.providers.vectorstores.rows import VectorRow
from embedmill.shared.words.weighing import Wording
from embedmill.simulators.anthropic import AnthropicSimulator
from embedmill.simulators.base import Simulator
from embedmill.simulators.cohere import CohereSimulator
from embedmill.simulators.faults import Fault
from embedmill.simulators.openai import OpenAISimulator
from embedmill.simulators.pinecone import PineconeSimulator
from embedmill.simulators.serving import SimulatorServer, running
from embedmill.workers.validation.verdict import SCHEMA, SCHEMA_NAME
from tests.simulators.specs import problems, unknown_fields

KEYS = {"authorization": "Bearer sk-test", "x-api-key": "sk-test", "api-key": "key", "anthropic-version": "2023-06-01"}
PROMPT = Prompt(
    system=(PromptBlock("You judge chunks.", cached=True),),
    user=(PromptBlock('<chunk-7f id="c1">The harbour was quiet.</chunk-7f>'),),
    schema_name=SCHEMA_NAME,
    schema=SCHEMA,
    max_tokens=500,
)
STATUSES = (400, 401, 402, 403, 404, 413, 429, 500, 503)


@contextmanager
def served(simulator: Simulator) -> Iterator[SimulatorServer[Any]]:
    """A simulator with the SDK pointed at it."""
    with running(simulator) as server, pytest.MonkeyPatch.context() as patch:
        for variable, value in server.environment.items():
            patch.setenv(variable, value)
        yield server


@pytest.fixture(scope="module")
def openai() -> Iterator[SimulatorServer[OpenAISimulator]]:
    with served(OpenAISimulator()) as server:
        yield server


@pytest.fixture(scope="module")
def anthropic() -> Iterator[SimulatorServer[AnthropicSimulator]]:
    with served(AnthropicSimulator()) as server:
        yield server


def sent(server: SimulatorServer[Any]) -> Mapping[str, Any]:
    """The last request that an adapter of ours made."""
    body: Mapping[str, Any] = server.simulator.bodies[-1]
    return body


def answer(server: SimulatorServer[Any], path: str, body: Any = None, *, method: str = "POST") -> Any:
    """What the simulator says on the wire, unread by any SDK."""
    return httpx.request(method, f"{server.url}{path}", json=body, headers=KEYS).json()


def refusals(server: SimulatorServer[Any], path: str, body: Any) -> Iterator[Any]:
    """An error answer of every status."""
    for status in STATUSES:
        server.simulator.faults.add(Fault(kind="status", status=status))
        yield answer(server, path, body)


def test_openai_embeddings_are_as_published(openai: SimulatorServer[OpenAISimulator]) -> None:
    embedder = open_embedder("openai/text-embedding-3-small@64", cache_dir=Path("unused"))
    embedder.embed_all(["a harbour", "a crane"])
    embedder.close()
    request = sent(openai)
    assert problems("openai", "CreateEmbeddingRequest", request) == []
    plain = dict(request) | {"encoding_format": "float"}
    assert problems("openai", "CreateEmbeddingResponse", answer(openai, "/v1/embeddings", plain)) == []
    for told in refusals(openai, "/v1/embeddings", plain):
        assert problems("openai", "ErrorResponse", told) == []
    # What the spec does not say is that base64 arrives where it has numbers; the SDK reads it so.
    packed = problems("openai", "CreateEmbeddingResponse", answer(openai, "/v1/embeddings", request))
    assert packed and all("/embedding: " in problem for problem in packed)


def test_openai_chat_completions_are_as_published(openai: SimulatorServer[OpenAISimulator]) -> None:
    model = open_model("openai/gpt-5-mini")
    model.ask(PROMPT)
    model.close()
    request = sent(openai)
    assert request.keys() <= CompletionCreateParamsNonStreaming.__annotations__.keys()
    TypeAdapter(CompletionCreateParamsNonStreaming).validate_python(request)
    told = answer(openai, "/v1/chat/completions", request)
    assert problems("openai", "CreateChatCompletionResponse", told) == []


def said(batch: Mapping[str, Any]) -> dict[str, Any]:
    """A batch without its nulls: the spec's own example has them, its schema does not."""
    return {name: value for name, value in batch.items() if value is not None}


def test_openai_files_and_batches_are_as_published(openai: SimulatorServer[OpenAISimulator]) -> None:
    line = '{"custom_id": "a", "method": "POST", "url": "/v1/embeddings", "body": {"model": "text-embedding-3-small", "input": "x"}}'  # noqa: E501
    files = {"file": ("lines.jsonl", line), "purpose": (None, "batch")}
    stored = httpx.post(f"{openai.url}/v1/files", files=files, headers=KEYS).json()
    assert problems("openai", "OpenAIFile", stored) == []
    request = {"input_file_id": stored["id"], "endpoint": "/v1/embeddings", "completion_window": "24h"}
    batch = answer(openai, "/v1/batches", request)
    assert problems("openai", "Batch", said(batch)) == []
    openai.simulator.clock.advance(3600)
    ended = answer(openai, f"/v1/batches/{batch['id']}", method="GET")
    assert ended["status"] == "completed"
    assert problems("openai", "Batch", said(ended)) == []


def test_anthropic_messages_are_as_the_sdk_has_them(anthropic: SimulatorServer[AnthropicSimulator]) -> None:
    model = open_model("anthropic/claude-opus-4-7")
    model.ask(PROMPT)
    model.close()
    request = sent(anthropic)
    assert request.keys() <= MessageCreateParamsNonStreaming.__annotations__.keys()
    TypeAdapter(MessageCreateParamsNonStreaming).validate_python(request)
    message = Message.model_validate(answer(anthropic, "/v1/messages", request))
    assert list(unknown_fields(message)) == []
    counted = answer(anthropic, "/v1/messages/count_tokens", {k: request[k] for k in ("model", "messages", "system")})
    assert list(unknown_fields(MessageTokensCount.model_validate(counted))) == []


def test_anthropic_errors_are_as_the_sdk_has_them(anthropic: SimulatorServer[AnthropicSimulator]) -> None:
    body = {"model": "claude-opus-4-7", "max_tokens": 10, "messages": [{"role": "user", "content": "hello"}]}
    for told in refusals(anthropic, "/v1/messages", body):
        # The vendor's documentation has this type, its SDK does not.
        if told["error"]["type"] == "request_too_large":
            told["error"]["type"] = "invalid_request_error"
        assert list(unknown_fields(ErrorResponse.model_validate(told))) == []


def test_anthropic_batches_are_as_the_sdk_has_them(anthropic: SimulatorServer[AnthropicSimulator]) -> None:
    params = {"model": "claude-opus-4-7", "max_tokens": 50, "messages": [{"role": "user", "content": "hello"}]}
    made = answer(anthropic, "/v1/messages/batches", {"requests": [{"custom_id": "a", "params": params}]})
    assert list(unknown_fields(MessageBatch.model_validate(made))) == []
    anthropic.simulator.clock.advance(3600)
    ended = answer(anthropic, f"/v1/messages/batches/{made['id']}", method="GET")
    assert list(unknown_fields(MessageBatch.model_validate(ended))) == []
    results = httpx.get(f"{anthropic.url}/v1/messages/batches/{made['id']}/results", headers=KEYS).text
    (entry,) = (MessageBatchIndividualResponse.model_validate_json(line) for line in results.splitlines())
    assert list(unknown_fields(entry)) == []


def test_cohere_embeddings_are_as_the_sdk_has_them() -> None:
    with served(CohereSimulator()) as server:
        embedder = open_embedder("cohere/embed-v4.0@256", cache_dir=Path("unused"))
        embedder.embed_all(["a harbour"])
        embedder.close()
        told = answer(server, "/v2/embed", sent(server))
    assert list(unknown_fields(EmbedByTypeResponse.model_validate(told))) == []


def row(number: int) -> VectorRow:
    vector = np.eye(4, dtype=np.float32)[number]
    return VectorRow(
        id=f"d-v-1.{number}",
        document="d",
        version="v",
        generation=1,
        ordinal=number,
        chunk=f"c{number}",
        uri="file:///d",
        title="",
        section="",
        text="The harbour was quiet.",
        start=0,
        end=22,
        page=None,
        index_version="1",
        vector=vector,
        metadata={"author": "Ada", "year": 2026, "tags": ["a", "b"]},
    )


class Recording(PineconeSimulator):
    """Keeps what was asked and answered, by path."""

    def __init__(self) -> None:
        super().__init__(lag_seconds=0.0)
        self.heard: list[tuple[str, Any, Any]] = []

    def _answer(self, call: Any) -> Any:
        reply = super()._answer(call)
        self.heard.append((call.path.removeprefix("/i/mill"), call.body, reply))
        return reply


SHAPES = {
    "/vectors/upsert": ("UpsertRequest", "UpsertResponse"),
    "/query": ("QueryRequest", "QueryResponse"),
    "/vectors/delete": ("DeleteRequest", "DeleteResponse"),
    "/vectors/fetch": (None, "FetchResponse"),
    "/vectors/fetch_by_metadata": ("FetchByMetadataRequest", "FetchByMetadataResponse"),
    "/vectors/list": (None, "ListResponse"),
    "/describe_index_stats": ("DescribeIndexStatsRequest", "IndexDescription"),
}


def test_pinecone_requests_answers_and_errors_are_as_published(tmp_path: Path) -> None:
    with served(Recording()) as server:
        store = PineconeVectorStore.open(
            "pinecone://mill",
            StoreOptions(home=tmp_path, collection_key="c1", dimensions=4, spills=lambda: pytest.fail("no spill")),
        )
        store.upsert("s", [row(0), row(1)])
        store.search_vectors(["s"], row(0).vector, top_k=2)
        store.search_words(["s"], Wording({7: 1.0}, 2.0), top_k=2)
        store.count_versions("s", {"d": "v"})
        store.fetch("s", ["d-v-1.0"], with_vectors=True)
        list(store.list_rows("s"))
        store.count("s")
        store.delete_ids("s", ["d-v-1.0"])
        server.simulator.faults.add(Fault(kind="status", status=400, path="/vectors/upsert"))
        with pytest.raises(EmbedmillError):
            store.upsert("s", [row(2)])
        store.close()
        heard = server.simulator.heard
    assert {"/vectors/upsert", "/query", "/vectors/delete"} <= {path for path, _, _ in heard}
    for path, body, reply in heard:
        if path in SHAPES:
            asked, answered = SHAPES[path]
            assert asked is None or problems("pinecone", asked, body) == [], path
            shape = answered if reply.status == 200 else "rpcStatus"
            assert problems("pinecone", shape, reply.content) == [], path
        else:
            assert path.startswith("/indexes"), path
            assert body is None or problems("pinecone_control", "CreateIndexRequest", body) == []
            shape = "IndexModel" if reply.status < 400 else "ErrorResponse"
            assert problems("pinecone_control", shape, reply.content) == [], path
    assert [(path, reply.status) for path, _, reply in heard][:2] == [("/indexes/mill", 404), ("/indexes", 201)]


def test_pinecones_list_of_indexes_and_its_refusal_of_a_key_are_as_published() -> None:
    with served(PineconeSimulator(lag_seconds=0.0)) as server:
        fields = {"_values": {"type": "dense_vector", "dimension": 4, "metric": "cosine"}}
        deployment = {"deployment_type": "managed", "cloud": "aws", "region": "us-east-1"}
        body = {"name": "mill", "schema": {"fields": fields}, "deployment": deployment}
        answer(server, "/indexes", body)
        assert problems("pinecone_control", "IndexList", answer(server, "/indexes", method="GET")) == []
        for status in set(STATUSES) - {401}:
            server.simulator.faults.add(Fault(kind="status", status=status))
            assert problems("pinecone_control", "ErrorResponse", answer(server, "/indexes", body)) == []
        for place in ("/indexes", "/i/mill/query"):
            refused = httpx.request("POST", f"{server.url}{place}", json={"topK": 1, "vector": [1, 0, 0, 0]})
            # What the layer before the service refuses is plain text on every path.
            assert (refused.status_code, refused.text) == (401, "Unauthorized")
