"""The Pinecone simulator through the vendor's SDK: the limits that the SDK does not check, and lateness."""

from collections.abc import Iterator

import httpx
import pytest
from pinecone import Index, Pinecone, ServerlessSpec
from pinecone.errors import ApiError, ConflictError, NotFoundError, UnauthorizedError

from shared.simulators.base import Options
from shared.simulators.pinecone import PineconeSimulator
from shared.simulators.serving import Running
from tests.services.pinecone import running_pinecone
from tests.waiting import wait_until

PER_MINUTE = 60
SPEC = ServerlessSpec(cloud="aws", region="us-east-1")


@pytest.fixture
def service() -> Iterator[Running[PineconeSimulator]]:
    with running_pinecone(Options(requests_per_minute=PER_MINUTE)) as service:
        yield service


@pytest.fixture
def client(service: Running[PineconeSimulator]) -> Iterator[Pinecone]:
    with Pinecone(api_key="key", host=service.url) as client:
        yield client


@pytest.fixture
def index(client: Pinecone) -> Iterator[Index]:
    made = client.indexes.create(name="i", dimension=4, metric="cosine", spec=SPEC)
    with Index(host=made.host, api_key="key") as index:
        yield index


def refused(index: Index, *vectors: dict[str, object]) -> int:
    with pytest.raises(ApiError) as error:
        index.upsert(vectors=list(vectors), namespace="n")
    return error.value.status_code


def vector(id: str = "a", **changes: object) -> dict[str, object]:
    return {"id": id, "values": [0.1, 0.2, 0.3, 0.4], "metadata": {}} | changes


def test_indexes_are_made_found_listed_and_deleted(client: Pinecone, index: Index) -> None:
    assert client.indexes.describe("i").dimension == 4
    assert [found.name for found in client.indexes.list()] == ["i"]
    with pytest.raises(ConflictError):
        client.indexes.create(name="i", dimension=4, metric="cosine", spec=SPEC)
    client.indexes.delete("i")
    with pytest.raises(NotFoundError):
        client.indexes.describe("i")


def test_limits_are_the_vendors(index: Index, service: Running[PineconeSimulator]) -> None:
    assert refused(index, *(vector(f"v{n}") for n in range(1001))) == 400
    assert refused(index, *(vector(f"v{n}", metadata={"t": "x" * 39_000}) for n in range(60))) == 413
    assert refused(index, vector(metadata={"t": "x" * 41_000})) == 400
    assert refused(index, vector("x" * 513)) == 400
    assert refused(index, vector(values=[0.1] * 3)) == 400
    assert refused(index, vector(values=[0.0] * 4)) == 400
    assert refused(index, vector(values=[float("nan")] * 4)) == 400
    assert refused(index, vector(metadata={"t": {"deep": 1}})) == 400
    with pytest.raises(ApiError):
        index.delete(ids=[f"v{n}" for n in range(1001)], namespace="n")
    assert service.simulator.bill.total("write_units") == 0


def test_writes_are_seen_late_and_tell_their_position(index: Index, service: Running[PineconeSimulator]) -> None:
    service.simulator.lag_seconds = 3600
    written = index.upsert(vectors=[vector()], namespace="n").response_info
    assert written is not None
    query = lambda: index.query(vector=[1, 0, 0, 0], top_k=1, namespace="n")  # noqa: E731
    assert not query().matches
    info = query().response_info
    assert info is not None
    assert (written.lsn_committed, info.lsn_reconciled) == (1, 0)
    service.simulator.clock.advance(3600)
    wait_until(lambda: [match.id for match in query().matches] == ["a"], "the write is seen")
    info = query().response_info
    assert info is not None
    assert info.lsn_reconciled == 1


def test_a_namespace_is_limited_and_says_when_to_come_back(service: Running[PineconeSimulator], index: Index) -> None:
    assert service.simulator.limiter.take("n", {"requests": PER_MINUTE}) is None

    def upsert(namespace: str) -> httpx.Response:  # the SDK would wait and try again
        body = {"vectors": [vector()], "namespace": namespace}
        return httpx.post(f"{service.url}/i/i/vectors/upsert", json=body, headers={"api-key": "key"})

    answer = upsert("n")
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["code"] == 8
    assert upsert("another").status_code == 200


def test_without_a_key_nothing_is_answered(service: Running[PineconeSimulator]) -> None:
    with Pinecone(api_key="key", host=service.url) as client:
        client._http._client.headers["Api-Key"] = ""
        with pytest.raises(UnauthorizedError):
            client.indexes.describe("i")
