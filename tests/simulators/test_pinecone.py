"""The Pinecone simulator through the vendor's SDK: the limits that the SDK does not check, and lateness."""

from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest
from pinecone import Index, Pinecone, ServerlessSpec
from pinecone.errors import ConflictError, NotFoundError, UnauthorizedError

from embedmill.simulators.base import Options
from embedmill.simulators.pinecone import PineconeSimulator
from embedmill.simulators.serving import SimulatorServer
from tests.services.pinecone import running_pinecone
from tests.waiting import wait_until

PER_MINUTE = 60
SPEC = ServerlessSpec(cloud="aws", region="us-east-1")


@pytest.fixture
def service() -> Iterator[SimulatorServer[PineconeSimulator]]:
    with running_pinecone(Options(requests_per_minute=PER_MINUTE)) as service:
        yield service


@pytest.fixture
def client(service: SimulatorServer[PineconeSimulator]) -> Iterator[Pinecone]:
    with Pinecone(api_key="key", host=service.url) as client:
        yield client


@pytest.fixture
def index(client: Pinecone) -> Iterator[Index]:
    made = client.indexes.create(name="i", dimension=4, metric="cosine", spec=SPEC)
    assert made.host is not None
    with Index(host=made.host, api_key="key") as index:
        yield index


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


def post(service: SimulatorServer[PineconeSimulator], path: str, **body: object) -> httpx.Response:
    """A request past the SDK, which would check some of it, wait and try again."""
    raw = orjson.dumps({"namespace": "n", **body})
    return httpx.post(f"{service.url}/i/i{path}", content=raw, headers={"api-key": "key"})


@pytest.mark.parametrize(
    ("expected", "vectors"),
    [
        (400, [vector(f"v{n}") for n in range(1001)]),
        (413, [vector(f"v{n}", metadata={"t": "x" * 39_000}) for n in range(60)]),
        (400, [vector(metadata={"t": "x" * 41_000})]),
        (400, [vector("x" * 513)]),
        (400, [vector("ä")]),
        (400, [vector(values=[0.1] * 3)]),
        (400, [vector(values=[0.0] * 4)]),
        (400, [vector(values=[float("nan")] * 4)]),
        (400, [vector(metadata={"t": {"deep": 1}})]),
        (200, [vector(metadata={"t": ["a"], "n": 1, "b": True})]),
    ],
)
def test_limits_are_the_vendors(
    service: SimulatorServer[PineconeSimulator], index: Index, expected: int, vectors: list[dict[str, object]]
) -> None:
    assert post(service, "/vectors/upsert", vectors=vectors).status_code == expected
    assert service.simulator.bill.total("write_units") == (5 if expected == 200 else 0)


def test_units_are_billed_as_the_vendors_page_says(index: Index, service: SimulatorServer[PineconeSimulator]) -> None:
    service.simulator.lag_seconds = 0

    def bill(amount: str) -> int:
        found = service.simulator.bill.total(amount)
        service.simulator.bill.clear()
        return found

    size = len("a") + 16 + len(orjson.dumps({"t": "x" * 6_000}))
    big = [vector("a", metadata={"t": "x" * 6_000}), vector("b")]
    assert 6_000 < size < 6_100
    index.upsert(vectors=big, namespace="n")
    assert bill("write_units") == 7, "a unit for each kilobyte of the request"
    index.upsert(vectors=[vector("a")], namespace="n")
    assert bill("write_units") == 5 + 7, "and for each of what it replaces, seen or not"
    answer = index.query(vector=[1, 0, 0, 0], top_k=1, namespace="n")
    assert (answer.usage.read_units, bill("read_milliunits")) == (1, 250)  # type: ignore[union-attr]
    index.fetch(ids=["a", "nobody"], namespace="n")
    assert bill("read_milliunits") == 1000
    index.list_paginated(namespace="n")
    assert bill("read_milliunits") == 1000
    index.delete(ids=["a", "nobody"], namespace="n")
    assert bill("write_units") == 5
    index.delete(delete_all=True, namespace="n")
    assert bill("write_units") == 5


def test_a_delete_takes_a_thousand_ids_and_no_filter(service: SimulatorServer[PineconeSimulator], index: Index) -> None:
    assert post(service, "/vectors/upsert", vectors=[vector()]).status_code == 200
    assert post(service, "/vectors/delete", ids=[f"v{n}" for n in range(1001)]).status_code == 400
    assert post(service, "/vectors/delete", filter={"t": "x"}).status_code == 400
    assert post(service, "/vectors/delete", ids=["a"]).status_code == 200


def test_writes_are_seen_late_and_tell_their_position(
    index: Index, service: SimulatorServer[PineconeSimulator]
) -> None:
    service.simulator.lag_seconds = 3600
    written = index.upsert(vectors=[vector()], namespace="n").response_info
    assert written is not None

    def query() -> Any:
        return index.query(vector=[1, 0, 0, 0], top_k=1, namespace="n")

    assert not query().matches
    assert (written.lsn_committed, query().response_info.lsn_reconciled) == (1, 0)
    service.simulator.clock.advance(3600)
    wait_until(lambda: [match.id for match in query().matches] == ["a"], "the write is seen")
    assert query().response_info.lsn_reconciled == 1


def test_a_namespace_is_limited_and_says_when_to_come_back(
    service: SimulatorServer[PineconeSimulator], index: Index
) -> None:
    assert service.simulator.limiter.take("n", {"requests": PER_MINUTE}) is None

    answer = post(service, "/vectors/upsert", vectors=[vector()])
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["code"] == 8
    assert post(service, "/vectors/upsert", vectors=[vector()], namespace="another").status_code == 200


def test_without_a_key_nothing_is_answered(service: SimulatorServer[PineconeSimulator]) -> None:
    with Pinecone(api_key="key", host=service.url) as client:
        client._http._client.headers["Api-Key"] = ""
        with pytest.raises(UnauthorizedError):
            client.indexes.describe("i")


FIELDS: dict[str, dict[str, Any]] = {
    "_values": {"type": "dense_vector", "dimension": 4, "metric": "dotproduct"},
    "_sparse_values": {"type": "sparse_vector"},
}


def sparse(*indices: int) -> dict[str, object]:
    return {"indices": list(indices), "values": [0.5] * len(indices)}


@pytest.fixture
def hybrid(client: Pinecone, service: SimulatorServer[PineconeSimulator]) -> Iterator[Index]:
    made = client.indexes.create(name="i", schema={"fields": FIELDS})
    assert made.host is not None
    with Index(host=made.host, api_key="key") as index:
        yield index
    service.simulator.indexes.clear()


def test_dense_and_sparse_products_add_up(hybrid: Index, service: SimulatorServer[PineconeSimulator]) -> None:
    service.simulator.lag_seconds = 0
    records = [vector("a", values=[1, 0, 0, 0], sparse_values=sparse(7, 9)), vector("b", values=[2, 0, 0, 0])]
    hybrid.upsert(vectors=records, namespace="n")

    def query(values: list[float], words: dict[str, object] | None) -> list[tuple[str, float]]:
        found = hybrid.query(vector=values, sparse_vector=words, top_k=9, namespace="n", include_values=True)
        return [(match.id, match.score) for match in found.matches]

    assert query([1, 0, 0, 0], None) == [("b", 2), ("a", 1)]
    assert query([0, 0, 0, 0], {"indices": [9, 100], "values": [4, 4]}) == [("a", 2), ("b", 0)]
    assert query([1, 0, 0, 0], {"indices": [7], "values": [8]}) == [("a", 5), ("b", 2)]
    held = hybrid.fetch(ids=["a"], namespace="n").vectors["a"]
    assert held.sparse_values is not None
    assert held.sparse_values.indices == [7, 9]
    assert hybrid.describe_index_stats().metric == "dotproduct"


@pytest.mark.parametrize(
    "wrong",
    [
        {"indices": [], "values": []},
        {"indices": [1, 2], "values": [0.5]},
        {"indices": [1, 1], "values": [0.5, 0.5]},
        {"indices": [2**32], "values": [0.5]},
        {"indices": [1], "values": [0]},
        sparse(*range(1, 1002)),
    ],
)
def test_sparse_vectors_have_their_limits(
    hybrid: Index, service: SimulatorServer[PineconeSimulator], wrong: dict[str, object]
) -> None:
    assert post(service, "/vectors/upsert", vectors=[vector(sparseValues=wrong)]).status_code == 400
    assert post(service, "/vectors/upsert", vectors=[vector(sparseValues=sparse(*range(1000)))]).status_code == 200


def test_an_index_made_without_sparse_vectors_takes_none(
    service: SimulatorServer[PineconeSimulator], index: Index, client: Pinecone
) -> None:
    client.indexes.create(name="j", dimension=4, metric="dotproduct", spec=SPEC)
    for name in ("i", "j"):
        url = f"{service.url}/i/{name}"
        for path, body in (
            ("/vectors/upsert", {"vectors": [vector(sparseValues=sparse(1))]}),
            ("/query", {"vector": [1, 0, 0, 0], "sparseVector": sparse(1), "topK": 1}),
        ):
            raw = orjson.dumps({"namespace": "n", **body})
            answer = httpx.post(f"{url}{path}", content=raw, headers={"api-key": "key"})
            assert (answer.status_code, "sparse" in answer.json()["message"]) == (400, True)


def test_sparse_values_are_billed_by_nine_bytes(hybrid: Index, service: SimulatorServer[PineconeSimulator]) -> None:
    hybrid.upsert(vectors=[vector(sparse_values=sparse(*range(900)))], namespace="n")
    (line,) = service.simulator.bill.as_json()["lines"]
    assert line["write_units"] == 9
