"""Search by words on Pinecone: indexes with sparse vectors, those of before without, and what a search is billed."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import wait
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from pinecone import Pinecone, ServerlessSpec

from embedmill.shared.errors import SettingsError
from embedmill.shared.providers.vectorstores.base import VectorStore
from embedmill.shared.providers.vectorstores.exact import counts_of
from embedmill.shared.providers.vectorstores.pinecone import asking
from embedmill.shared.providers.vectorstores.pinecone.searching import ANSWER_BYTES, TEXT_BYTES
from embedmill.shared.providers.vectorstores.pinecone.store import PineconeVectorStore
from embedmill.shared.providers.vectorstores.rows import Selection, VectorRow
from embedmill.shared.words import cutting
from embedmill.shared.words.queries import parse_query
from embedmill.shared.words.weighing import WordCounts, Wording
from embedmill.simulators.faults import Fault
from embedmill.simulators.pinecone import PineconeSimulator
from embedmill.simulators.serving import SimulatorServer
from tests.contracts.rows import DIMENSIONS, eventually, make_row, near, unit_vector, wording_of
from tests.services.pinecone import billed, running_pinecone
from tests.shared.providers.vectorstores.pinecone.opening import INDEX, open_pinecone


@pytest.fixture(scope="module")
def service() -> Iterator[SimulatorServer[PineconeSimulator]]:
    with running_pinecone(lag_seconds=0) as service:
        yield service


@pytest.fixture
def store(simulator: PineconeSimulator, tmp_path: Path) -> Iterator[PineconeVectorStore]:
    opened = open_pinecone(tmp_path)
    yield opened
    opened.close()


def weights(**words: float) -> dict[int, float]:
    """These weights for all terms that stand for a word."""
    return {term: weight for word, weight in words.items() for term in parse_query(word).terms}


def make_index(metric: str) -> None:
    """As somebody made it by hand, or a release before."""
    spec = ServerlessSpec(cloud="aws", region="us-east-1")
    with Pinecone() as client:
        client.indexes.create(name=INDEX, dimension=DIMENSIONS, metric=metric, spec=spec)


def test_a_new_index_takes_words(store: PineconeVectorStore, simulator: PineconeSimulator) -> None:
    store.upsert("s", [make_row(text="apple pie")])
    (index,) = simulator.indexes.values()
    assert (index.metric, index.has_sparse) == ("dotproduct", True)
    (record,) = simulator.vectors(INDEX, "c1-s").values()
    held = counts_of(make_row(text="apple pie")).terms.tolist()
    assert record["sparseValues"]["indices"] == held
    assert store.lacks_words == ""


def test_rows_that_went_before_they_were_read_are_told(
    store: PineconeVectorStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = make_row(text="apple")
    store.upsert("s", [row, make_row("d2", text="apple pie")])
    wording, fetch = wording_of(store, ["s"], "apple"), store.fetch

    def late(*given: Any, **options: Any) -> dict[str, VectorRow]:
        store.delete_ids("s", [row.id])
        return fetch(*given, **options)

    # So deep that an answer has no room for texts, which are read afterwards.
    depth = ANSWER_BYTES // TEXT_BYTES
    assert not store.search_words(["s"], wording, top_k=depth).vanished
    monkeypatch.setattr(store, "fetch", late)
    found = store.search_words(["s"], wording, top_k=depth)
    assert ([match.document for match in found.matches], found.vanished) == (["d2"], True)


def test_an_index_of_before_goes_on_without_words_and_says_so(
    store: PineconeVectorStore, simulator: PineconeSimulator
) -> None:
    make_index("cosine")
    store.upsert("s", [make_row("d1", text="apple"), make_row("d2", text="pear", vector=unit_vector(0, 1))])
    assert not any("sparseValues" in record for record in simulator.vectors(INDEX, "c1-s").values())
    assert [match.document for match in near(store, "s", unit_vector(1, 0.1), top_k=1)] == ["d1"]
    assert store.search_words(["s"], Wording(weights(apple=1), 5.0), top_k=9).matches == []
    assert "cosine" in store.lacks_words
    assert "EMBEDMILL_VECTOR_URL" in store.check()
    wording = wording_of(store, ["s"], "apple")
    assert list(store.score_words("s", ["d1-v1-1.0", "d2-v1-1.0"], wording)) == ["d1-v1-1.0"]
    excluding = Selection(excluded=frozenset(weights(apple=1)))
    found = store.search_vectors(["s"], unit_vector(1), top_k=9, selection=excluding)
    assert [match.document for match in found.matches] == ["d2"]


def test_an_index_without_a_field_for_words_is_the_users_to_change(
    store: PineconeVectorStore, simulator: PineconeSimulator
) -> None:
    make_index("dotproduct")
    with pytest.raises(SettingsError, match="sparse"):
        store.upsert("s", [make_row()])


def test_an_index_of_another_metric_is_refused(store: PineconeVectorStore, simulator: PineconeSimulator) -> None:
    make_index("euclidean")
    with pytest.raises(SettingsError, match="euclidean"):
        store.upsert("s", [make_row()])


def test_a_vector_of_any_length_comes_back_as_it_was(store: PineconeVectorStore, simulator: PineconeSimulator) -> None:
    long = make_row("d1", vector=np.full(DIMENSIONS, 3, np.float32))
    store.upsert("s", [long, make_row("d2")])
    held = simulator.vectors(INDEX, "c1-s")
    assert np.linalg.norm(held["d1-v1-1.0"]["values"]) == pytest.approx(1)
    rows = store.fetch("s", ["d1-v1-1.0", "d2-v1-1.0"], with_vectors=True)
    np.testing.assert_allclose(rows["d1-v1-1.0"].vector, long.vector, rtol=1e-6)
    np.testing.assert_array_equal(rows["d2-v1-1.0"].vector, make_row("d2").vector)
    store.upsert("s", [long])
    assert billed(simulator)["upsert"] == 5000, "the second time it was there already"


def test_both_scores_of_a_candidate_cost_no_more_than_the_two_queries(
    store: PineconeVectorStore, simulator: PineconeSimulator
) -> None:
    store.upsert("s", [make_row(f"d{n}", text=f"apple n{n}", vector=unit_vector(1, n)) for n in range(30)])
    eventually(lambda: store.count("s"), 30, "rows")
    wording = Wording(weights(apple=0.1, n7=3), 2.0)
    store.search_words(["s"], wording, top_k=1)  # the first one asks once whether another cutter's rows are there
    simulator.bill.clear()
    nearest = store.search_vectors(["s"], unit_vector(1), top_k=10).matches
    best = store.search_words(["s"], wording, top_k=10).matches
    ids = [match.id for match in (*nearest, *best)]
    assert len(store.score("s", ids, unit_vector(1))) == len(store.score_words("s", ids, wording)) == len(set(ids))
    assert billed(simulator) == {"query": 2000}


def test_candidates_that_are_too_large_for_one_answer_are_read_apart(
    store: PineconeVectorStore, simulator: PineconeSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("embedmill.simulators.pinecone.MAX_RESULT_BYTES", 9_000)
    rows = [make_row(f"d{n}", text=f"apple {'pie ' * n} n{n}", vector=unit_vector(1, n)) for n in range(30)]
    store.upsert("s", rows)
    eventually(lambda: store.count("s"), 30, "rows")
    wording = wording_of(store, ["s"], "apple pie n3")
    found = store.search_words(["s"], wording, top_k=9)
    assert found == VectorStore.search_words(store, ["s"], wording, top_k=9)
    nearest = store.search_vectors(["s"], unit_vector(1, 7), top_k=9)
    expected = VectorStore.search_vectors(store, ["s"], unit_vector(1, 7), top_k=9)
    assert [match.id for match in nearest.matches] == [match.id for match in expected.matches]
    assert [m.score for m in nearest.matches] == pytest.approx([m.score for m in expected.matches], abs=1e-6)


def test_a_row_with_more_words_than_a_sparse_vector_takes_is_scored_by_all_of_them(store: PineconeVectorStore) -> None:
    text = " ".join(f"common{n} common{n} common{n}" for n in range(1_000)) + " rare"
    store.upsert("s", [make_row("long", text=text), make_row("short", text="apple rare")])
    eventually(lambda: store.count("s"), 2, "rows")
    wording = Wording(weights(common5=1, rare=2), 1000.0)
    found = store.search_words(["s"], wording, top_k=9)
    assert found == VectorStore.search_words(store, ["s"], wording, top_k=9)


def test_required_words_that_are_rare_are_found_however_far_they_are_in_meaning(store: PineconeVectorStore) -> None:
    rng = np.random.default_rng(4)
    rows = [make_row(f"d{n}", text=f"apple n{n % 50}", vector=rng.standard_normal(8).astype("f4")) for n in range(400)]
    store.upsert("s", rows)
    eventually(lambda: store.count("s"), 400, "rows")
    selection = Selection(required=(frozenset(weights(n7=1)),))
    found = store.search_vectors(["s"], -rows[7].vector, top_k=8, selection=selection)
    assert found == VectorStore.search_vectors(store, ["s"], -rows[7].vector, top_k=8, selection=selection)


def test_a_shard_that_does_not_answer_in_time_is_named(
    store: PineconeVectorStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_over = Event()

    def ask(shard: str) -> str:
        assert shard == "s" or is_over.wait(30)
        return shard

    monkeypatch.setattr(asking, "wait", lambda futures, _: wait(list(futures)[:1]))
    answers = store._asking.each(["s", "t"], ask, deadline=time.monotonic() + 60)
    is_over.set()
    assert (answers.found, answers.failed) == ({"s": "s"}, {"t": "it was too late"})


def test_a_shard_that_fails_is_named_and_the_others_answer(
    store: PineconeVectorStore, simulator: PineconeSimulator
) -> None:
    for shard in ("s", "t"):
        store.upsert(shard, [make_row(shard, text="apple")])
        eventually(lambda shard=shard: store.count(shard), 1, "a row")  # type: ignore[misc]
    wording = wording_of(store, ["s", "t"], "apple")
    simulator.faults.add(Fault(kind="status", match="c1-t", path="/query", times=None))
    for found in (
        store.search_words(["s", "t"], wording, top_k=9),
        store.search_vectors(["s", "t"], unit_vector(1), top_k=9),
    ):
        assert [match.shard for match in found.matches] == ["s"]
        assert set(found.failed) == {"t"}


def test_words_are_counted_by_whoever_can(simulator: PineconeSimulator, tmp_path: Path) -> None:
    store = open_pinecone(tmp_path, count_words=lambda terms: WordCounts(7, 70, dict.fromkeys(terms, 3)))
    assert store.count_words(["s"], [5]).counts == WordCounts(7, 70, {5: 3})
    store.close()


def test_rows_of_another_cutter_are_searched_by_words_when_they_were_cut_anew(
    store: PineconeVectorStore, simulator: PineconeSimulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rows = [make_row(f"d{n}", text="apple", metadata={"big": "y" * 900 * (n % 2)}) for n in range(5)]
    store.upsert("s", rows)
    store.upsert("t", [make_row("other", text="pear")])
    eventually(lambda: store.count("s"), 5, "rows")
    monkeypatch.setattr(cutting, "VERSION", cutting.VERSION + 1)
    wording = wording_of(store, ["s", "t"], "apple")
    assert store.search_words(["s", "t"], wording, top_k=9).matches == []
    assert "verify --repair" in store.lacks_words
    assert len(store.score_words("s", [row.id for row in rows], wording)) == 5
    assert store.cut_anew("s") == 5
    assert store.search_words(["s", "t"], wording, top_k=9).matches == [], "the other shard is still to be cut"
    assert (store.cut_anew("t"), store.cut_anew("t")) == (1, 0)
    assert len(store.search_words(["s", "t"], wording, top_k=9).matches) == 5
    assert store.lacks_words == ""
    assert {record["metadata"]["em_cutter"] for record in simulator.vectors(INDEX, "c1-s").values()} == {
        cutting.VERSION
    }
    again = open_pinecone(tmp_path)
    simulator.bill.clear()
    again.search_words(["s", "t"], wording, top_k=9)
    again.search_words(["s", "t"], wording, top_k=9)
    assert billed(simulator)["query"] == 6000, "one look at each shard, and two searches"
    again.close()


def test_a_shard_of_which_nothing_is_known_yet_is_looked_at_again(
    store: PineconeVectorStore, simulator: PineconeSimulator
) -> None:
    for shard in ("s", "t"):
        store.upsert(shard, [make_row(shard, text="apple")])
        eventually(lambda shard=shard: store.count(shard), 1, "a row")  # type: ignore[misc]
    wording = wording_of(store, ["s", "t"], "apple")
    simulator.faults.add(Fault(kind="status", match="c1-t", path="/query", times=None))
    assert set(store.search_words(["s", "t"], wording, top_k=9).failed) == {"t"}
    simulator.faults.clear()
    found = store.search_words(["s", "t"], wording, top_k=9)
    assert {match.shard for match in found.matches} == {"s", "t"}
    assert not found.failed


def looks(simulator: PineconeSimulator, home: Path) -> int:
    """How many queries a fresh process pays beside those of one search of two shards."""
    fresh = open_pinecone(home, home=home)
    simulator.bill.clear()
    fresh.search_words(["s", "t"], Wording(weights(apple=1.0), 5.0), top_k=9)
    fresh.close()
    return billed(simulator)["query"] // 1000 - 2 * (not fresh.lacks_words)


def hold_two(store: PineconeVectorStore) -> None:
    for shard in ("s", "t"):
        store.upsert(shard, [make_row(shard, text="apple")])
        eventually(lambda shard=shard: store.count(shard), 1, "a row")  # type: ignore[misc]


def test_a_process_does_not_pay_for_what_its_home_knows_of_the_rows(
    store: PineconeVectorStore, simulator: PineconeSimulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hold_two(store)
    assert (looks(simulator, tmp_path), looks(simulator, tmp_path)) == (2, 0)
    (tmp_path / "other").mkdir()
    assert looks(simulator, tmp_path / "other") == 2
    monkeypatch.setenv("PINECONE_API_KEY", "of another project")
    assert looks(simulator, tmp_path) == 2, "another project's index of that name"
    monkeypatch.setattr(cutting, "VERSION", cutting.VERSION + 1)
    assert (looks(simulator, tmp_path), looks(simulator, tmp_path)) == (2, 2), "what is split is looked at again"


def test_what_a_home_knows_of_the_rows_is_believed_for_a_day(
    store: PineconeVectorStore, simulator: PineconeSimulator, tmp_path: Path
) -> None:
    hold_two(store)
    assert looks(simulator, tmp_path) == 2
    for mark in (tmp_path / "pinecone").iterdir():
        os.utime(mark, (time.time() - 90_000,) * 2)
    assert looks(simulator, tmp_path) == 2


def test_a_row_of_another_cutter_that_is_met_has_a_home_forget_what_it_knew(
    store: PineconeVectorStore, simulator: PineconeSimulator, tmp_path: Path
) -> None:
    hold_two(store)
    assert looks(simulator, tmp_path) == 2
    (record,) = simulator.vectors(INDEX, "c1-s").values()
    record["metadata"]["em_cutter"] = cutting.VERSION - 1
    reader = open_pinecone(tmp_path, home=tmp_path)
    reader.search_vectors(["s", "t"], unit_vector(1), top_k=9)
    assert "verify --repair" in reader.lacks_words
    assert reader.cut_anew("s") == 1
    assert reader.lacks_words == ""
    reader.close()
    assert (looks(simulator, tmp_path), looks(simulator, tmp_path)) == (1, 0)
