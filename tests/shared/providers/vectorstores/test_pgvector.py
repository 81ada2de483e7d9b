"""The pgvector store: the contract of every store, and what only a database server has."""

from collections.abc import Iterator

import numpy as np
import pytest

from embedmill.shared.errors import FlowControl, ProviderUnavailable, SettingsError
from embedmill.shared.providers.vectorstores.persistence import Persistence
from embedmill.shared.providers.vectorstores.pgvector.store import PgVectorStore
from tests.contracts.vectorstore import (
    DIMENSIONS,
    StoreFactory,
    VectorStoreContract,
    make_row,
    near,
    one_of,
    unit_vector,
)
from tests.services import postgres
from tests.services.needed import require


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    require(postgres.why_not(extension="vector"))
    with postgres.running_database(extension="vector") as server:
        yield server


@pytest.fixture
def store_factory(server: postgres.Server) -> Iterator[StoreFactory]:
    opened: list[PgVectorStore] = []

    def open_store(*, dimensions: int) -> PgVectorStore:
        opened.append(PgVectorStore(server.url, collection_key="c1", dimensions=dimensions))
        return opened[-1]

    yield open_store
    for store in opened:
        store.close()
    server.execute("DROP SCHEMA IF EXISTS embedmill CASCADE")


class TestContract(VectorStoreContract):
    pass


def test_collections_dimensions_and_schemas_are_apart(server: postgres.Server, store_factory: StoreFactory) -> None:
    store_factory(dimensions=DIMENSIONS).upsert("s", [make_row()])
    others = [
        PgVectorStore(server.url, collection_key="c2", dimensions=DIMENSIONS),
        PgVectorStore(server.url, collection_key="c1", dimensions=4),
        PgVectorStore(f"{server.url}&schema=elsewhere", collection_key="c1", dimensions=DIMENSIONS),
    ]
    assert [store.count("s") for store in others] == [0, 0, 0]
    others[2].upsert("s", [make_row(), make_row("d2")])
    assert (others[2].count("s"), store_factory(dimensions=DIMENSIONS).count("s")) == (2, 1)
    for store in others:
        store.close()
    server.execute("DROP SCHEMA elsewhere CASCADE")


def test_a_large_shard_gets_an_index_that_filters_do_not_starve(
    server: postgres.Server, store_factory: StoreFactory
) -> None:
    store_factory(dimensions=DIMENSIONS)
    store = PgVectorStore(server.url, collection_key="c1", dimensions=DIMENSIONS, index_from_rows=400)
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((500, DIMENSIONS)).astype(np.float32)
    rows = [make_row(f"d{n}", vector=v, metadata={"rare": n % 50 == 0}) for n, v in enumerate(vectors)]
    store.upsert("s", rows[:300])
    assert not store.has_index("s")
    store.upsert("s", rows[300:])
    assert store.has_index("s")
    query = vectors[250]
    found = store.query("s", query, top_k=10, filter={"rare": True})
    assert found[0].document == "d250"
    assert len(found) == 10
    store.drop("s")
    assert not store.has_index("s")
    store.close()


@pytest.mark.parametrize("dimensions", [3072, 5000])
def test_many_dimensions_keep_their_precision(
    server: postgres.Server, store_factory: StoreFactory, dimensions: int
) -> None:
    store_factory(dimensions=DIMENSIONS)
    store = PgVectorStore(server.url, collection_key="big", dimensions=dimensions, index_from_rows=2)
    vectors = np.random.default_rng(2).standard_normal((3, dimensions)).astype(np.float32)
    store.upsert("s", [make_row(f"d{n}", vector=vector) for n, vector in enumerate(vectors)])
    assert store.has_index("s") == (dimensions <= 4000)
    assert [match.document for match in store.query("s", vectors[1], top_k=1)] == ["d1"]
    np.testing.assert_array_equal(store.fetch("s", ["d2-v1-1.0"], with_vectors=True)["d2-v1-1.0"].vector, vectors[2])
    store.close()


def test_escapes_of_the_text_are_undone(store_factory: StoreFactory) -> None:
    store = store_factory(dimensions=DIMENSIONS)
    odd = "\ufdd0 \ufdd00\0 \ufdd01"
    row = make_row(text=odd, title=odd, metadata={odd: odd})
    store.upsert("s", [row])
    (found,) = store.list_rows("s")
    assert (found.text, found.title, found.metadata) == (odd, odd, {odd: odd})
    assert [m.id for m in near(store, "s", unit_vector(1), top_k=2, where=one_of({odd: odd}))] == [row.id]


def test_lost_connections_are_replaced_and_a_server_that_is_away_parks_the_work(
    server: postgres.Server, store_factory: StoreFactory
) -> None:
    store = store_factory(dimensions=DIMENSIONS)
    store.upsert("s", [make_row()])
    server.terminate_sessions()
    assert store.count("s") == 1, "it is asked again on a new connection"
    away = PgVectorStore("postgresql://x@127.0.0.1:1/x", collection_key="c1", dimensions=DIMENSIONS)
    away._connections.persistence = Persistence(sleep=lambda _: None)
    with pytest.raises(ProviderUnavailable):
        away.upsert("s", [make_row()])
    with pytest.raises(FlowControl) as refused:
        away.upsert("s", [make_row()])
    assert refused.value.reason == "circuit"
    assert 0 < refused.value.retry_after_seconds <= 2


def test_wrong_credentials_are_the_users_fault(server: postgres.Server) -> None:
    url = server.url.replace("postgres@", "nobody-here@")
    with pytest.raises(SettingsError):
        PgVectorStore(url, collection_key="c1", dimensions=DIMENSIONS).count("s")
    with pytest.raises(SettingsError, match="schema"):
        PgVectorStore(f"{server.url}&schema=a.b", collection_key="c1", dimensions=DIMENSIONS)


def test_doctor_names_the_versions(store_factory: StoreFactory) -> None:
    assert "pgvector" in store_factory(dimensions=DIMENSIONS).check()
