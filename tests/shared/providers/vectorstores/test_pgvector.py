"""The pgvector store: the contract of every store, and what only a database server has."""

import math
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import psycopg
import pytest

from embedmill.shared.errors import FlowControl, ProviderUnavailable, SettingsError
from embedmill.shared.filtering.grammar import parse_filter
from embedmill.shared.providers.vectorstores.base import VectorStore
from embedmill.shared.providers.vectorstores.persistence import Persistence
from embedmill.shared.providers.vectorstores.pgvector import cutting, passes, words
from embedmill.shared.providers.vectorstores.pgvector.store import PgVectorStore
from embedmill.shared.providers.vectorstores.rows import Selection
from embedmill.shared.words.cutting import VERSION, term_id
from embedmill.shared.words.weighing import Wording
from tests.contracts.rows import DIMENSIONS, StoreFactory, make_row, near, one_of, unit_vector, worded, wording_of
from tests.contracts.vectorstore import VectorStoreContract
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
    found = near(store, "s", query, top_k=10, where=one_of({"rare": True}))
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
    assert [match.document for match in near(store, "s", vectors[1], top_k=1)] == ["d1"]
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


def write_as_released(server: postgres.Server, documents: Sequence[str]) -> None:
    """A shard as 0.1.0 kept it: words as Postgres cuts them, and nobody who counts."""
    server.execute("CREATE SCHEMA embedmill")
    server.execute(
        """CREATE TABLE embedmill."c1-d8-s" (
        id text COLLATE "C" PRIMARY KEY, document text COLLATE "C" NOT NULL, version text COLLATE "C" NOT NULL,
        generation bigint NOT NULL, ordinal integer NOT NULL, chunk text NOT NULL, uri text NOT NULL,
        title text NOT NULL, section text NOT NULL, text text NOT NULL, "start" bigint NOT NULL, "end" bigint NOT NULL,
        page integer, index_version text NOT NULL, metadata jsonb NOT NULL, vector vector(8) NOT NULL,
        words integer NOT NULL, lexemes tsvector NOT NULL)"""
    )
    server.execute("""CREATE INDEX "c1-d8-s-words" ON embedmill."c1-d8-s" USING gin (lexemes)""")
    for n, document in enumerate(documents):
        server.execute(
            f"""INSERT INTO embedmill."c1-d8-s" VALUES ('{document}-v1-1.0', '{document}', 'v1', 1, 0, 'c0',
            'file:///{document}', '', '', 'apple n{n}', 0, 10, NULL, 'i1', '{{}}', '[1,0,0,0,0,0,0,{n}]', 2, 'apple')"""
        )


def test_a_table_of_a_release_before_is_cut_anew_when_its_words_are_wanted(
    server: postgres.Server, store_factory: StoreFactory
) -> None:
    write_as_released(server, ["d1", "d2", "d3"])
    store = store_factory(dimensions=DIMENSIONS)
    assert [match.document for match in near(store, "s", unit_vector(1), top_k=9)] == ["d1", "d2", "d3"]
    where = parse_filter("document in (d2, d3) and uri ~ *d? and not exists(x)")
    assert [match.document for match in near(store, "s", unit_vector(1), top_k=9, where=where)] == ["d2", "d3"]
    assert [match.document for match in worded(store, "s", "apple n2", top_k=9)] == ["d3", "d1", "d2"]
    store.upsert("s", [make_row("d4", text="n2")])
    assert store.count_words(["s"], [term_id("n2")]).counts.holding == {term_id("n2"): 2}
    assert store.count_words(["s"], []) == VectorStore.count_words(store, ["s"], [])


def test_a_shard_whose_words_cannot_be_cut_in_time_is_named_and_goes_on_the_next_time(
    server: postgres.Server, store_factory: StoreFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_as_released(server, ["d1", "d2", "d3"])
    store = store_factory(dimensions=DIMENSIONS)
    monkeypatch.setattr(cutting, "ROWS", 2)
    clock = iter([0.0])
    with monkeypatch.context() as patched:
        patched.setattr(cutting, "time", SimpleNamespace(monotonic=lambda: next(clock, math.inf)))
        late = time.monotonic() + 50
        found = store.search_words(["s", "t"], Wording({term_id("apple"): 1.0}, 2.0), top_k=9, deadline=late)
    assert set(found.failed) == {"s"}
    assert [match.document for match in worded(store, "s", "apple", top_k=9)] == ["d1", "d2", "d3"]


def test_rows_of_another_cutter_are_cut_anew(
    server: postgres.Server, store_factory: StoreFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = store_factory(dimensions=DIMENSIONS)
    with monkeypatch.context() as patched:
        patched.setattr("embedmill.shared.providers.vectorstores.pgvector.rows.VERSION", VERSION - 1)
        store.upsert("s", [make_row("d1", text="apple")])
    store.upsert("s", [make_row("d2", text="apple pie")])
    assert store.count_words(["s"], []).counts.rows == 2
    assert {match.document for match in worded(store, "s", "apple", top_k=9)} == {"d1", "d2"}
    assert store.cut_anew("s") == store.cut_anew("never") == 0


def test_a_chore_cuts_as_long_as_it_may(server: postgres.Server, store_factory: StoreFactory) -> None:
    write_as_released(server, ["d1", "d2", "d3"])
    store = store_factory(dimensions=DIMENSIONS)
    assert store.cut_anew("s", deadline=-math.inf) == 0
    assert (store.cut_anew("s"), store.cut_anew("s")) == (3, 0)


def test_words_are_counted_right_through_writes_deletes_and_folds_of_several_writers(
    server: postgres.Server, store_factory: StoreFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(words, "FOLD_FROM_DELTAS", 3)
    stores = [store_factory(dimensions=DIMENSIONS) for _ in range(3)]
    stores[0].upsert("s", [make_row("d0")])

    def write(number: int) -> None:
        rng = np.random.default_rng(number)
        for _ in range(8):
            documents = [f"d{n}" for n in rng.integers(0, 12, 6)]
            texts = [" ".join(f"w{n}" for n in rng.integers(0, 9, 5)) for _ in documents]
            stores[number].upsert("s", [make_row(d, text=text) for d, text in zip(documents, texts, strict=True)])
            stores[number].delete_ids("s", [f"d{n}-v1-1.0" for n in rng.integers(0, 12, 2)])

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(write, range(3)))
    terms = [term_id(f"w{n}") for n in range(10)]
    assert stores[0].count_words(["s"], terms) == VectorStore.count_words(stores[1], ["s"], terms)


def test_a_shard_that_is_locked_is_named_and_the_others_answer(
    server: postgres.Server, store_factory: StoreFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passes, "LONGEST_LOCK_SECONDS", 0.02)
    store = store_factory(dimensions=DIMENSIONS)
    for shard in ("s", "t"):
        store.upsert(shard, [make_row(shard, text="apple")])
    wording = wording_of(store, ["s", "t"], "apple")
    with psycopg.connect(server.url) as connection:
        connection.execute('LOCK TABLE embedmill."c1-d8-t" IN ACCESS EXCLUSIVE MODE')
        found = store.search_words(["s", "t"], wording, top_k=9, deadline=time.monotonic() + 60)
        nearest = store.search_vectors(["s", "t"], unit_vector(1), top_k=9, deadline=time.monotonic() + 60)
    for answer in (found, nearest):
        assert [match.shard for match in answer.matches] == ["s"]
        assert set(answer.failed) == {"t"}


def test_a_server_that_is_away_fails_every_shard_of_a_search(store_factory: StoreFactory) -> None:
    away = PgVectorStore("postgresql://x@127.0.0.1:1/x", collection_key="c1", dimensions=DIMENSIONS)
    away._connections.persistence = Persistence(sleep=lambda _: None)
    found = away.search_vectors(["s", "t"], unit_vector(1), top_k=9, deadline=time.monotonic() + 5)
    assert set(found.failed) == {"s", "t"}
    assert set(away.search_words(["s"], Wording({1: 1.0}, 1.0), top_k=9).failed) == {"s"}
    assert set(away.count_words(["s"], [1]).failed) == {"s"}


def test_a_condition_that_leaves_few_rows_of_a_large_shard_finds_the_true_best(
    server: postgres.Server, store_factory: StoreFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_factory(dimensions=DIMENSIONS)
    store = PgVectorStore(server.url, collection_key="c1", dimensions=DIMENSIONS, index_from_rows=400)
    rng = np.random.default_rng(3)
    rows = [make_row(f"d{n}", text=f"n{n % 40}", vector=rng.standard_normal(8).astype("f4")) for n in range(800)]
    store.upsert("s", rows)
    assert store.has_index("s")
    few = Selection(required=(frozenset({term_id("n7")}),))
    query = -rows[7].vector
    found = store.search_vectors(["s"], query, top_k=30, selection=few)
    assert found == VectorStore.search_vectors(store, ["s"], query, top_k=30, selection=few)
    store.close()
