"""The conformance suite of vector stores: subclass `VectorStoreContract` and give it a `store_factory` fixture.

The factory takes `dimensions` and opens the same, at first empty, store every time, as another process would. Reads
after writes are polled, because a remote store may take a moment.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest

from embedmill.shared.editions import Edition
from embedmill.shared.errors import BadVector, SettingsError
from embedmill.shared.filtering.conditions import IsOneOf
from embedmill.shared.providers.vectorstores.base import VectorStore
from embedmill.shared.providers.vectorstores.exact import counts_of
from embedmill.shared.providers.vectorstores.rows import Selection
from embedmill.shared.words.queries import parse_query, weigh
from embedmill.shared.words.weighing import Wording
from tests.contracts.filters import FilterContract
from tests.contracts.labels import LabelContract
from tests.contracts.rows import (
    DIMENSIONS,
    StoreFactory,
    eventually,
    make_row,
    near,
    one_of,
    unit_vector,
    vector_of,
    without_vector,
    worded,
    wording_of,
)

SYNTAX = (
    *('"', "apple AND", "apple OR", "NOT", "apple NEAR(pie, 2)", "text:apple", "app*", "^apple", "(", "a-b", "+"),
    *("{x} : y", "'; --", "\x00apple", "é\u0301", "_", "日本語", "\ud800"),
)


class VectorStoreContract(FilterContract, LabelContract):
    """What every store does alike."""

    @pytest.fixture
    def store(self, store_factory: StoreFactory) -> Iterator[VectorStore]:
        opened = store_factory(dimensions=DIMENSIONS)
        yield opened
        opened.close()

    def test_an_unknown_shard_reads_as_empty(self, store: VectorStore) -> None:
        assert store.count("never") == 0
        assert near(store, "never", unit_vector(1), top_k=3) == []
        assert worded(store, "never", "word", top_k=3) == []
        assert store.fetch("never", ["a"]) == {}
        assert store.fetch_documents("never", ["d"]) == {}
        assert store.score("never", ["a"], unit_vector(1)) == {}
        assert store.score_words("never", ["a"], Wording({1: 1.0}, 1.0)) == {}
        assert list(store.list_rows("never")) == []
        assert list(store.list_editions("never")) == []
        assert store.find_editions("never", ["d"]) == []
        assert store.count_versions("never", {"d": "v"}) == {"d": 0}
        assert store.count_editions("never", {"d": ("v", 1)}) == {"d": 0}
        assert store.delete_stale("never", {"d": 9}) == 0
        assert store.delete_ids("never", ["a"]) == 0
        assert store.describe("never").vectors == 0
        store.drop("never")

    def test_a_row_comes_back_as_it_was_written(self, store: VectorStore) -> None:
        text, metadata = "Zażółć\n\x00 \U0001f600", {"a": [1, "x"], "b": None}
        row = make_row(title="T", section="A > B", text=text, page=7, metadata=metadata, head=(3, 9), last_page=8)
        store.upsert("s", [row])
        eventually(lambda: store.count("s"), 1, "one row")
        fetched = store.fetch("s", [row.id, "unknown"], with_vectors=True)
        assert list(fetched) == [row.id]
        assert without_vector(fetched[row.id]) == without_vector(row)
        np.testing.assert_allclose(fetched[row.id].vector, row.vector, atol=1e-6)
        assert store.fetch("s", [row.id])[row.id].vector.size == 0

    def test_names_of_any_length_are_kept_and_filtered_by(self, store: VectorStore) -> None:
        row = make_row(uri=f"https://example.org/{'u' * 60_000}", title="t" * 60_000, section="s" * 60_000)
        store.upsert("s", [row, make_row("d2")])
        eventually(lambda: store.count("s"), 2, "both rows")
        assert without_vector(store.fetch("s", [row.id])[row.id]) == without_vector(row)
        assert [m.document for m in near(store, "s", unit_vector(1), top_k=9, where=one_of({"uri": row.uri}))] == ["d1"]

    def test_nothing_to_write_is_no_error(self, store: VectorStore) -> None:
        store.upsert("s", [])
        assert store.count("s") == 0

    def test_writing_again_changes_nothing(self, store: VectorStore) -> None:
        rows = [make_row(ordinal=n) for n in range(5)]
        store.upsert("s", rows)
        store.upsert("s", rows)
        eventually(lambda: store.count("s"), 5, "no duplicates")
        assert store.count_versions("s", {"d1": "v1"}) == {"d1": 5}

    def test_of_the_same_row_in_one_call_the_last_is_kept(self, store: VectorStore) -> None:
        store.upsert("s", [make_row(text="first"), make_row(text="last")])
        eventually(lambda: [row.text for row in store.list_rows("s")], ["last"], "last of one generation")

    def test_generations_write_rows_of_their_own(self, store: VectorStore) -> None:
        store.upsert("s", [make_row(text="second apple", generation=2)])
        store.upsert("s", [make_row(text="first banana", generation=1)])
        eventually(lambda: [r.text for r in store.list_rows("s")], ["first banana", "second apple"], "both are there")
        assert store.count_editions("s", {"d1": ("v1", 2)}) == {"d1": 1}
        assert store.count_versions("s", {"d1": "v1"}) == {"d1": 2}
        assert store.delete_stale("s", {"d1": 2}) == 1
        eventually(lambda: [row.text for row in store.list_rows("s")], ["second apple"], "the newer row stays")

    def test_a_row_is_kept_under_the_name_that_tells_its_generation(self, store: VectorStore) -> None:
        store.upsert("s", [make_row(id="d1-v1-0", generation=7)])
        eventually(lambda: [row.id for row in store.list_rows("s")], ["d1-v1-7.0"], "the name")

    def test_writing_a_row_anew_replaces_all_of_it(self, store: VectorStore) -> None:
        store.upsert("s", [make_row(text="second apple")])
        store.upsert("s", [make_row(text="third cherry", vector=unit_vector(0, 1))])
        eventually(lambda: [row.text for row in store.list_rows("s")], ["third cherry"], "the newest row")
        assert near(store, "s", unit_vector(0, 1), top_k=1)[0].score == pytest.approx(1, abs=1e-5)
        assert worded(store, "s", "apple banana", top_k=5) == []
        assert len(worded(store, "s", "cherry", top_k=5)) == 1

    def test_a_stale_delete_spares_rows_written_since(self, store: VectorStore) -> None:
        old = [make_row(ordinal=n, version="v1", generation=1) for n in range(3)]
        new = [make_row(ordinal=n, version="v2", generation=2) for n in range(2)]
        store.upsert("s", [*old, *new, make_row("other")])
        assert store.delete_stale("s", {"d1": 1, "absent": 5}) == 0
        assert store.delete_stale("s", {"d1": 2}) == 3
        assert store.delete_stale("s", {"d1": 2}) == 0
        eventually(
            lambda: sorted(row.id for row in store.list_rows("s")), ["d1-v2-2.0", "d1-v2-2.1", "other-v1-1.0"], "rows"
        )

    def test_deleting_by_id_takes_those_rows_only(self, store: VectorStore) -> None:
        store.upsert("s", [make_row(ordinal=n) for n in range(3)])
        assert store.delete_ids("s", ["d1-v1-1.1", "unknown"]) == 1
        eventually(lambda: [row.id for row in store.list_rows("s")], ["d1-v1-1.0", "d1-v1-1.2"], "rows")
        assert store.delete_ids("s", []) == 0

    def test_versions_are_counted_apart(self, store: VectorStore) -> None:
        store.upsert("s", [make_row(ordinal=n, version="v1") for n in range(3)])
        store.upsert("s", [make_row(ordinal=n, version="v2", generation=2) for n in range(2)])
        store.upsert("s", [make_row("d2")])
        counts = lambda: store.count_versions("s", {"d1": "v2", "d2": "v9", "d3": "v1"})  # noqa: E731
        eventually(counts, {"d1": 2, "d2": 0, "d3": 0}, "rows per version")
        first, second = Edition("v1", 1), Edition("v2", 2)
        expected = [("d1", first, 3), ("d1", second, 2), ("d2", first, 1)]
        assert sorted(store.list_editions("s")) == expected
        assert sorted(store.find_editions("s", ["d1", "absent"])) == expected[:2]
        editions = {"d1": ("v2", 2), "d2": ("v1", 2), "d3": ("v1", 1)}
        assert store.count_editions("s", editions) == {"d1": 2, "d2": 0, "d3": 0}

    def test_the_nearest_rows_come_first_by_cosine(self, store: VectorStore) -> None:
        rng = np.random.default_rng(0)
        vectors = rng.standard_normal((50, DIMENSIONS)).astype(np.float32)
        store.upsert("s", [make_row(f"d{n}", vector=vector) for n, vector in enumerate(vectors)])
        query = rng.standard_normal(DIMENSIONS).astype(np.float32)
        cosines = vectors @ query / (np.linalg.norm(vectors, axis=1) * np.linalg.norm(query))
        expected = [f"d{n}" for n in np.argsort(-cosines)[:10]]
        eventually(lambda: [m.document for m in near(store, "s", query, top_k=10)], expected, "ten nearest")
        found = near(store, "s", query, top_k=10)
        assert [m.score for m in found] == pytest.approx(sorted(cosines, reverse=True)[:10], abs=1e-5)
        assert found[0].version == "v1"
        assert len(near(store, "s", query, top_k=500)) == 50

    def test_scores_by_id_are_those_of_the_query(self, store: VectorStore) -> None:
        store.upsert("s", [make_row(ordinal=n, text=f"apple {'pie ' * n}") for n in range(4)])
        eventually(lambda: store.count("s"), 4, "rows")
        found = {match.id: match.score for match in near(store, "s", unit_vector(0.3, 1), top_k=4)}
        assert store.score("s", [*found, "unknown"], unit_vector(0.3, 1)) == pytest.approx(found, abs=1e-6)
        words = {match.id: match.score for match in worded(store, "s", "pie apple", top_k=4)}
        wording = wording_of(store, ["s"], "pie apple")
        assert store.score_words("s", [*found, "unknown"], wording) == pytest.approx(words)

    def test_rows_are_ranked_by_their_words(self, store: VectorStore) -> None:
        texts = ["apple tart", "pear and plum", "apple apple apple", "nothing of note"]
        store.upsert("s", [make_row(ordinal=n, text=text) for n, text in enumerate(texts)])
        eventually(lambda: store.count("s"), 4, "rows")
        ids = [f"d1-v1-1.{n}" for n in range(4)]
        scores = store.score_words("s", ids, wording_of(store, ["s"], "apple"))
        assert sorted(scores, key=lambda id: -scores[id]) == ["d1-v1-1.2", "d1-v1-1.0"]
        assert store.score_words("s", ids, wording_of(store, ["s"], " ")) == {}

    def test_a_documents_rows_are_had_in_every_version(self, store: VectorStore) -> None:
        rows = [make_row(ordinal=n, version="v1") for n in range(3)]
        rows += [make_row("d1", version="v2", generation=2), make_row("d10"), make_row("d2")]
        store.upsert("s", rows)
        eventually(lambda: store.count("s"), 6, "rows")
        found = store.fetch_documents("s", ["d1", "d2", "unknown"], with_vectors=True)
        assert sorted(found) == ["d1-v1-1.0", "d1-v1-1.1", "d1-v1-1.2", "d1-v2-2.0", "d2-v1-1.0"]
        np.testing.assert_allclose(found["d1-v1-1.1"].vector, rows[1].vector, atol=1e-6)
        assert without_vector(found["d2-v1-1.0"]) == without_vector(rows[-1])
        assert store.fetch_documents("s", ["d2"])["d2-v1-1.0"].vector.size == 0
        assert store.fetch_documents("s", []) == {}

    @pytest.mark.parametrize(
        ("filter", "expected"),
        [
            ({"document": "d1"}, {"d1"}),
            ({"document": ["d1", "d3"]}, {"d1", "d3"}),
            ({"uri": "file:///d2"}, {"d2"}),
            ({"lang": "de"}, {"d1", "d2"}),
            ({"lang": ["fr", "xx"]}, {"d3"}),
            ({"year": 2020}, {"d1"}),
            ({"tags": "b"}, {"d2", "d3"}),
            ({"lang": "de", "tags": "b"}, {"d2"}),
            ({'odd "key".x[0]': 1}, {"d3"}),
            ({"lang": "it"}, set()),
            ({"lang": []}, set()),
            ({"absent": "x"}, set()),
            ({}, {"d1", "d2", "d3"}),
        ],
    )
    def test_filters_limit_both_searches(
        self, store: VectorStore, filter: Mapping[str, Any], expected: set[str]
    ) -> None:
        metadata: list[Mapping[str, Any]] = [
            {"lang": "de", "year": 2020, "tags": ["a"]},
            {"lang": "de", "year": 2021, "tags": ["a", "b"]},
            {"lang": "fr", "tags": ["b"], 'odd "key".x[0]': 1},
        ]
        store.upsert("s", [make_row(f"d{n}", metadata=held, text="apple") for n, held in enumerate(metadata, 1)])
        eventually(lambda: store.count("s"), 3, "rows")
        assert {m.document for m in near(store, "s", unit_vector(1), top_k=9, where=one_of(filter))} == expected
        assert {m.document for m in worded(store, "s", "apple", top_k=9, where=one_of(filter))} == expected

    def test_words_are_found_in_title_section_and_text(self, store: VectorStore) -> None:
        filler = [make_row(f"f{n}", text="nothing of note") for n in range(20)]
        store.upsert("s", [make_row("t", title="engine running"), make_row("x", text="an engine is running"), *filler])
        store.upsert("s", [make_row("c", section="engine > Start")])
        eventually(lambda: {m.document for m in worded(store, "s", "engine", top_k=9)}, {"t", "x", "c"}, "hits")
        found = worded(store, "s", "running engine", top_k=9)
        assert {found[0].document, found[1].document} == {"t", "x"}
        assert [m.score for m in found] == sorted((m.score for m in found), reverse=True)
        assert found[0].score > 0

    @pytest.mark.parametrize("text", SYNTAX)
    def test_no_query_text_is_taken_for_syntax(self, store: VectorStore, text: str) -> None:
        store.upsert("s", [make_row(text="apple pie")])
        worded(store, "s", text, top_k=3)
        worded(store, "s", text, top_k=3, where=one_of({"document": text.replace("\ud800", "")}))
        assert store.count("s") == 1
        assert len(worded(store, "s", f"apple {text}", top_k=3)) <= 1

    def test_one_pass_over_shards_finds_what_reading_every_row_finds(self, store: VectorStore) -> None:
        rng = np.random.default_rng(5)
        texts = [" ".join(f"w{n}" for n in rng.zipf(1.3, rng.integers(1, 12)) if n < 40) for _ in range(60)]
        rows = [make_row(f"d{n}", text=text, vector=vector_of(rng)) for n, text in enumerate(texts)]
        for n, shard in enumerate(("s", "t", "u")):
            store.upsert(shard, rows[n::3])
        shards = ("s", "t", "u", "never")
        eventually(lambda: sum(map(store.count, shards)), 60, "rows")
        query = parse_query("w1 w2 w7 w30")
        counted = store.count_words(shards, query.terms)
        assert counted == VectorStore.count_words(store, shards, query.terms)
        wording, vector = weigh(query, counted.counts), vector_of(rng)
        selection = Selection(required=(frozenset(query.terms[:2]),), excluded=frozenset(query.terms[3:]))
        for chosen in (Selection(), selection):
            for top_k in (1, 10, 100):
                found = store.search_words(shards, wording, top_k=top_k, selection=chosen)
                assert found == VectorStore.search_words(store, shards, wording, top_k=top_k, selection=chosen)
                found = store.search_vectors(shards, vector, top_k=top_k, selection=chosen)
                assert found == VectorStore.search_vectors(store, shards, vector, top_k=top_k, selection=chosen)

    @pytest.mark.parametrize("top_k", [1, 3, 7])
    def test_ties_are_broken_by_id_in_every_cut_whatever_the_shard(self, store: VectorStore, top_k: int) -> None:
        documents = [f"d{n:02}" for n in (7, 3, 11, 5, 2, 9, 1, 8)]
        for n, document in enumerate(documents):
            store.upsert(("s", "t")[n % 2], [make_row(document, text="apple pie", vector=unit_vector(1, 2))])
        eventually(lambda: store.count("s") + store.count("t"), 8, "rows")
        expected = [f"{document}-v1-1.0" for document in sorted(documents)[:top_k]]
        for shards in (("s", "t"), ("t", "s")):
            wording = wording_of(store, shards, "apple pie")
            assert [m.id for m in store.search_words(shards, wording, top_k=top_k).matches] == expected
            assert [m.id for m in store.search_vectors(shards, unit_vector(2, 1), top_k=top_k).matches] == expected

    def test_rows_have_the_same_scores_by_id_as_in_a_search(self, store: VectorStore) -> None:
        texts = ("apple", "apple pie", "pie pie pie and more", "nothing of note")
        store.upsert("s", [make_row(f"d{n}", text=text, vector=unit_vector(1, n)) for n, text in enumerate(texts)])
        eventually(lambda: store.count("s"), 4, "rows")
        wording, vector = wording_of(store, ["s"], "apple pie"), unit_vector(1, 1)
        worded = store.search_words(["s"], wording, top_k=9).matches
        near = store.search_vectors(["s"], vector, top_k=9).matches
        ids = [f"d{n}-v1-1.0" for n in range(4)]
        assert store.score_words("s", [*ids, "unknown"], wording) == {match.id: match.score for match in worded}
        assert store.score("s", [*ids, "unknown"], vector) == {match.id: match.score for match in near}
        assert len(worded) == 3
        assert {(match.shard, match.version) for match in (*worded, *near)} == {("s", "v1")}

    def test_what_is_known_of_a_rows_words_is_what_its_texts_hold(self, store: VectorStore) -> None:
        terms = parse_query("apple pie plum").terms
        ids = [f"d{n}-v1-1.0" for n in range(3)]
        for texts in (("apple", "apple pie", "nothing of note"), ("pie", "nothing at all", "plum")):
            rows = [make_row(f"d{n}", text=text) for n, text in enumerate(texts)]
            store.upsert("s", rows)
            wording = wording_of(store, ["s"], "apple pie plum")
            eventually(lambda: len(store.score_words("s", ids, wording)), 2, "rows")  # noqa: B023 - asked at once
            store.search_words(["s"], wording, top_k=9)
            for id, found in store.find_terms("s", [*ids, "unknown"], terms).items():
                assert found == set(terms) & set(counts_of(rows[ids.index(id)]).terms.tolist())

    def test_words_are_counted_through_writes_and_deletes(self, store: VectorStore) -> None:
        terms = parse_query("apple pie plum").terms
        for generation, text in ((1, "apple pie"), (1, "apple plum"), (2, "plum plum")):
            store.upsert("s", [make_row("d1", text=text, generation=generation), make_row("d2", text="pie")])
            eventually(lambda: store.count_words(["s"], terms), VectorStore.count_words(store, ["s"], terms), "counts")
        store.delete_stale("s", {"d1": 2})
        store.delete_ids("s", ["d2-v1-1.0"])
        eventually(lambda: store.count("s"), 1, "row")
        counts = store.count_words(["s", "never"], terms).counts
        assert (counts.rows, counts) == (1, VectorStore.count_words(store, ["s"], terms).counts)
        store.drop("s")
        eventually(lambda: store.count_words(["s"], terms).counts.rows, 0, "rows after a drop")

    def test_deleted_rows_are_found_no_more(self, store: VectorStore) -> None:
        store.upsert("s", [make_row(f"d{n}", text=f"apple n{n}", vector=unit_vector(1, n)) for n in range(6)])
        eventually(lambda: len(near(store, "s", unit_vector(1), top_k=9)), 6, "all rows")
        store.delete_ids("s", ["d0-v1-1.0", "d3-v1-1.0"])
        store.upsert("s", [make_row("d9", text="apple", vector=unit_vector(1, 9))])
        left = {"d1", "d2", "d4", "d5", "d9"}
        eventually(lambda: {m.document for m in near(store, "s", unit_vector(1), top_k=9)}, left, "dense")
        assert near(store, "s", unit_vector(1, 9), top_k=1)[0].document == "d9"
        assert {m.document for m in worded(store, "s", "apple", top_k=9)} == left

    def test_rows_are_listed_in_order_whatever_the_page(self, store: VectorStore) -> None:
        expected = [f"d{n:02}" for n in range(23)]
        store.upsert("s", [make_row(document) for document in reversed(expected)])
        eventually(lambda: store.count("s"), 23, "rows")
        for page in (1, 7, 23, 500):
            assert [row.document for row in store.list_rows("s", page=page)] == expected
        assert next(store.list_rows("s", with_vectors=True)).vector.shape == (DIMENSIONS,)

    def test_rows_are_listed_that_a_filter_selects(self, store: VectorStore) -> None:
        store.upsert("s", [make_row(f"d{n}", metadata={"_access": ("=public", "=secret")[n % 2]}) for n in range(9)])
        eventually(lambda: store.count("s"), 9, "rows")
        public = Selection(IsOneOf("_access", ("=public",)))
        for page in (2, 500):
            assert [
                row.document for row in store.list_rows("s", page=page, selection=public)
            ] == "d0 d2 d4 d6 d8".split()

    def test_a_shard_describes_itself(self, store: VectorStore) -> None:
        store.upsert("s", [make_row(ordinal=n) for n in range(3)] + [make_row("d2")])
        eventually(lambda: store.describe("s").vectors, 4, "vectors")
        found = store.describe("s")
        assert (found.shard, found.documents, found.dimensions) == ("s", 2, DIMENSIONS)

    def test_to_expunge_what_was_deleted_leaves_what_is_there(self, store: VectorStore) -> None:
        store.expunge("s")
        store.upsert("s", [make_row("d1"), make_row("d2")])
        store.delete_ids("s", [make_row("d1").id])
        store.expunge("s")
        eventually(lambda: [row.document for row in store.list_rows("s")], ["d2"], "rows that are left")
        eventually(lambda: [m.document for m in near(store, "s", unit_vector(1), top_k=3)], ["d2"], "found")

    def test_shards_are_apart_and_dropping_one_leaves_the_other(self, store: VectorStore) -> None:
        store.upsert("s", [make_row()])
        store.upsert("t", [make_row()])
        store.drop("s")
        store.drop("s")
        eventually(lambda: (store.count("s"), store.count("t")), (0, 1), "rows per shard")
        assert near(store, "s", unit_vector(1), top_k=3) == []
        store.upsert("s", [make_row("d7")])
        eventually(lambda: [m.document for m in near(store, "s", unit_vector(1), top_k=3)], ["d7"], "written again")

    def test_vectors_of_the_wrong_size_or_not_finite_are_refused(self, store: VectorStore) -> None:
        nan = np.full(DIMENSIONS, np.nan, np.float32)
        for vector in (nan, np.ones(DIMENSIONS + 1, np.float32)):
            with pytest.raises(BadVector):
                store.upsert("s", [make_row("good"), make_row("bad", vector=vector)])
        assert store.count("s") == 0

    def test_a_zero_vector_is_kept_and_near_to_nothing(self, store: VectorStore) -> None:
        store.upsert("s", [make_row("zero", vector=np.zeros(DIMENSIONS, np.float32)), make_row("one")])
        eventually(lambda: [m.document for m in near(store, "s", unit_vector(1), top_k=2)], ["one", "zero"], "order")
        assert all(np.isfinite(m.score) for m in near(store, "s", np.zeros(DIMENSIONS, np.float32), top_k=2))

    @pytest.mark.parametrize("name", ["", "../x", "a/b", ".", "a.db", "-x", "x" * 65, "a b", "a\n"])
    def test_shard_names_are_checked(self, store: VectorStore, name: str) -> None:
        with pytest.raises(SettingsError):
            store.upsert(name, [make_row()])
        with pytest.raises(SettingsError):
            store.count(name)

    def test_another_opening_sees_the_same(self, store: VectorStore, store_factory: StoreFactory) -> None:
        store.upsert("s", [make_row()])
        store.close()
        again = store_factory(dimensions=DIMENSIONS)
        eventually(lambda: again.count("s"), 1, "rows after closing")
