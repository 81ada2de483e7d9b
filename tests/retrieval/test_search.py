"""The searcher over a real embedded store, with vectors and versions set by hand."""

import gc
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from numpy.typing import NDArray

from embedmill.retrieval import order
from embedmill.retrieval.question import Mode
from embedmill.retrieval.search import Searcher
from embedmill.retrieval.view import EVERY_CHUNK
from embedmill.shared.editions import Edition
from embedmill.shared.errors import UsageError
from embedmill.shared.filtering.conditions import IsOneOf
from embedmill.shared.providers.vectorstores.embedded.store import EmbeddedVectorStore
from embedmill.shared.providers.vectorstores.rows import Found, VectorRow
from embedmill.shared.sharding import ReadingOrder
from embedmill.shared.words.weighing import Wording
from tests.contracts.rows import DIMENSIONS, make_row
from tests.retrieval.orchard import AngleEmbedder, Tracker, angle, documents, fruit, write


def test_a_hit_has_everything_that_the_command_line_prints(
    store: EmbeddedVectorStore, tracker: Tracker, searcher: Searcher
) -> None:
    row = make_row("d1", title="T", section="A > B", text="apple pie", page=3, vector=angle(0), start=5, end=14)
    write(store, tracker, row, make_row("d2", text="pear", vector=angle(90)))
    result = searcher.search("apple 0")
    hit = orjson.loads(orjson.dumps(result.hits[0]))
    score = hit.pop("score")
    stages = hit.pop("stages")
    assert hit == {
        "rank": 1, "document": "d1", "uri": "file:///d1", "chunk": "c0", "section": "A > B", "start": 5, "end": 14,
        "text": "apple pie", "title": "T", "page": 3, "similarity": hit["similarity"], "copies": [], "copy_count": 0,
        "more_of_document": None, "context": None, "model_score": None, "quote": None,
        "pages": [3, 3], "head": None,
    }  # fmt: skip
    assert 0 < hit["similarity"] < 1
    assert list(stages) == ["dense", "lexical", "fused"]
    assert stages["dense"] == {"rank": 1, "score": pytest.approx(1)}
    assert stages["lexical"]["rank"] == 1
    assert stages["fused"] == {"rank": 1, "score": score}
    assert set(result.timings) >= {"embed", "dense", "lexical", "versions", "fuse", "fetch", "total"}
    assert 0 < sum(result.timings.values()) - result.timings["total"] <= result.timings["total"]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("dense", ["d5", "d4", "d6"]), ("lexical", ["d0", "d1", "d2"]), ("hybrid", ["d0", "d1", "d2"])],
)
def test_the_mode_decides_who_is_asked(
    store: EmbeddedVectorStore, tracker: Tracker, searcher: Searcher, mode: Mode, expected: list[str]
) -> None:
    fruit(store, tracker)
    query = "apple 45" if mode != "hybrid" else "apple 0"
    hits = searcher.search(query, mode=mode, top_k=3).hits
    assert documents(hits) == expected
    assert [hit.rank for hit in hits] == [1, 2, 3]
    assert set(hits[0].stages) == ({"dense", "lexical", "fused", "feedback"} if mode == "hybrid" else {mode})


def test_what_one_side_found_alone_has_the_true_score_of_the_other(
    store: EmbeddedVectorStore, tracker: Tracker, searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order, "DEPTHS", (1, 10))
    fruit(store, tracker)
    hits = {hit.document: hit for hit in searcher.search("apple 90", top_k=1).hits}
    hits |= {hit.document: hit for hit in searcher.search("apple 90", top_k=10).hits}
    assert hits["d0"].stages["dense"].score == pytest.approx(0, abs=1e-6)
    assert hits["d9"].stages["lexical"].score == 0
    assert hits["d9"].stages["lexical"].rank is None


def test_superseded_and_deleted_documents_are_never_shown(
    store: EmbeddedVectorStore, tracker: Tracker, searcher: Searcher
) -> None:
    fruit(store, tracker)
    store.upsert("s0", [make_row("d0", version="v2", generation=2, text="apple", vector=angle(0))])
    del tracker.active["d1"]
    assert "d1" not in documents(searcher.search("apple 0").hits)
    assert [hit.text for hit in searcher.search("apple 0").hits if hit.document == "d0"] == [
        "apple apple apple  and more words 0"
    ]
    tracker.active["d0"] = Edition("v2", 2)
    assert [hit.text for hit in searcher.search("apple 0").hits if hit.document == "d0"] == ["apple"]


def test_a_document_that_is_switched_during_the_query_is_not_missing(store: EmbeddedVectorStore) -> None:
    tracker = Tracker()
    write(store, tracker, make_row("moving", text="apple", vector=angle(0)))

    def look_up(documents: Collection[str]) -> Mapping[str, Edition]:
        if not tracker.asked:
            write(store, tracker, make_row("moving", version="v2", generation=2, text="apple", vector=angle(0)))
        return tracker(documents)

    hits = Searcher(store, ["s0"], AngleEmbedder(), look_up).search("apple 0").hits
    assert documents(hits) == ["moving"]


@pytest.mark.parametrize("mode", ["dense", "lexical", "hybrid"])
def test_dropped_rows_are_made_up_for(
    store: EmbeddedVectorStore, tracker: Tracker, searcher: Searcher, mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order, "DEPTHS", (10,))
    store.upsert("s0", [make_row(f"gone{n}", text="apple apple", vector=angle(0)) for n in range(300)])
    for n in range(12):
        write(store, tracker, make_row(f"d{n}", text=f"apple and something {n}", vector=angle(40 + n)))
    assert len(searcher.search("apple 0", mode=mode, top_k=10).hits) == 10


def test_each_document_is_looked_up_once_a_query(
    store: EmbeddedVectorStore, tracker: Tracker, searcher: Searcher
) -> None:
    fruit(store, tracker)
    searcher.search("apple 0")
    assert sum(map(len, tracker.asked)) == 10


def test_filters_reach_both_sides(store: EmbeddedVectorStore, tracker: Tracker, searcher: Searcher) -> None:
    fruit(store, tracker)
    assert set(documents(searcher.search("apple 0", where=IsOneOf("document", ("d2", "d7"))).hits)) == {"d2", "d7"}


def test_one_document_does_not_fill_the_page(store: EmbeddedVectorStore, tracker: Tracker, searcher: Searcher) -> None:
    write(store, tracker, *(make_row("long", n, text=f"apple x{n}", vector=angle(0)) for n in range(20)))
    write(store, tracker, *(make_row(f"d{n}", text=f"apple tree y{n}", vector=angle(10 + n)) for n in range(4)))
    found = documents(searcher.search("apple 0", top_k=10).hits)
    assert found == ["long"] * 3 + ["d0", "d1", "d2", "d3"] + ["long"] * 3
    unlimited = searcher.search("apple 0", top_k=10, view=EVERY_CHUNK).hits
    assert documents(unlimited) == ["long"] * 10
    assert len({hit.chunk for hit in unlimited}) == 10


def test_a_row_that_vanishes_before_it_is_fetched_is_replaced(
    store: EmbeddedVectorStore, tracker: Tracker, searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    fruit(store, tracker)
    fetch = store.fetch

    def fetch_after_a_delete(shard: str, ids: Sequence[str], **options: Any) -> dict[str, VectorRow]:
        store.delete_ids("s0", ["d0-v1-1.0"])
        return fetch(shard, ids, **options)

    monkeypatch.setattr(store, "fetch", fetch_after_a_delete)
    assert documents(searcher.search("apple 0", top_k=2).hits) == ["d1", "d2"]


@pytest.mark.parametrize("query", ["", "  \n", "..."])
def test_a_query_without_words_has_no_hits(
    store: EmbeddedVectorStore, tracker: Tracker, searcher: Searcher, query: str
) -> None:
    fruit(store, tracker)
    result = searcher.search(query)
    assert result.hits == []
    assert "total" in result.timings


def test_a_query_that_the_model_does_not_know_is_answered_by_its_words(
    store: EmbeddedVectorStore, tracker: Tracker, searcher: Searcher
) -> None:
    fruit(store, tracker)
    assert documents(searcher.search("apple").hits) == ["d0", "d1", "d2"]


def test_an_empty_collection_has_no_hits(searcher: Searcher) -> None:
    assert searcher.search("apple 0").hits == []


@pytest.mark.parametrize("arguments", [{"mode": "fuzzy"}, {"top_k": 0}, {"top_k": 1001}, {"top_k": "3"}])
def test_an_argument_that_makes_no_sense_is_a_usage_error(searcher: Searcher, arguments: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=str(next(iter(arguments.values())))):
        searcher.search("apple", **arguments)
    with pytest.raises(UsageError, match="NoneType"):
        searcher.search(None)  # type: ignore[arg-type]


def test_a_row_on_two_shards_is_one_hit(store: EmbeddedVectorStore, tracker: Tracker, searcher: Searcher) -> None:
    fruit(store, tracker)
    write(store, tracker, make_row("d0", text="apple apple apple", vector=angle(0)), shard="s1")
    assert documents(searcher.search("apple 0", top_k=3).hits).count("d0") == 1


class MovingStore(EmbeddedVectorStore):
    """Moves every document of `old` to `new`, as a resharding does, at the point of a search that a subclass takes."""

    moves = 0
    moving = False

    def move(self) -> None:
        if self.moving:
            rows = list(self.list_rows("old", with_vectors=True))
            self.upsert("new", rows)
            self.moves += 1
            self.delete_ids("old", [row.id for row in rows])
            self.moving = False

    def find_shards(self) -> ReadingOrder:
        return ReadingOrder(("old", "new"), self.moves)


class MovesAfterwards(MovingStore):
    """Between two questions of one query."""

    def search_vectors(self, shards: Sequence[str], vector: NDArray[np.float32], **options: Any) -> Found:
        found = super().search_vectors(shards, vector, **options)
        self.move()
        return found

    def search_words(self, shards: Sequence[str], wording: Wording, **options: Any) -> Found:
        found = super().search_words(shards, wording, **options)
        self.move()
        return found


class MovesWithin(MovingStore):
    """When all shards were looked through, and what was found is yet to be read."""

    def _named(self, *given: Any) -> list[Any]:
        self.move()
        return super()._named(*given)


class MovesBetweenShards(MovingStore):
    """As where shards are asked at once: the old home answers last."""

    def search_vectors(self, shards: Sequence[str], vector: NDArray[np.float32], **options: Any) -> Found:
        found = super().search_vectors(shards[1:], vector, **options)
        self.move()
        return replace(found, matches=found.matches + super().search_vectors(shards[:1], vector, **options).matches)

    def search_words(self, shards: Sequence[str], wording: Wording, **options: Any) -> Found:
        found = super().search_words(shards[1:], wording, **options)
        self.move()
        return replace(found, matches=found.matches + super().search_words(shards[:1], wording, **options).matches)


@pytest.mark.parametrize("mode", ["dense", "lexical", "hybrid"])
@pytest.mark.parametrize("kind", [MovesAfterwards, MovesWithin, MovesBetweenShards])
def test_a_document_that_is_moved_during_the_query_is_found_once(
    tmp_path: Path, tracker: Tracker, mode: Mode, kind: type[MovingStore]
) -> None:
    store = kind(tmp_path, dimensions=DIMENSIONS)
    write(store, tracker, make_row("moving", text="apple", vector=angle(0)), shard="old")
    store.moving = True
    searcher = Searcher(store, store.find_shards, AngleEmbedder(), tracker)
    assert documents(searcher.search("apple 0", mode=mode, top_k=2).hits) == ["moving"]
    assert store.count("old") == 0
    store.close()


class WrittenWithin(EmbeddedVectorStore):
    """Something is written while a search is about to read what it found."""

    writes: tuple[Callable[[], None], ...] = ()

    def _named(self, *given: Any) -> list[Any]:
        writes, self.writes = self.writes, ()
        for step in writes:
            step()
        return super()._named(*given)


@pytest.mark.parametrize("mode", ["dense", "lexical", "hybrid"])
def test_a_document_that_is_written_anew_during_the_query_is_found_in_its_new_version(
    tmp_path: Path, tracker: Tracker, mode: Mode
) -> None:
    store = WrittenWithin(tmp_path, dimensions=DIMENSIONS)
    former = make_row("d1", text="apple", vector=angle(0))
    write(store, tracker, former)

    def write_next() -> None:
        write(store, tracker, make_row("d1", version="v2", text="apple pie", vector=angle(0)))
        store.delete_ids("s0", [former.id])

    store.writes = (write_next,)
    hits = Searcher(store, ["s0"], AngleEmbedder(), tracker).search("apple 0", mode=mode).hits
    assert [hit.text for hit in hits] == ["apple pie"]
    store.close()


def test_rows_held_by_two_shards_are_one_hit(store: EmbeddedVectorStore, tracker: Tracker) -> None:
    for shard in ("s0", "s1"):
        write(store, tracker, make_row("both", text="apple", vector=angle(0)), shard=shard)
    hits = Searcher(store, ["s0", "s1"], AngleEmbedder(), tracker).search("apple 0", top_k=5).hits
    assert documents(hits) == ["both"]
    assert hits[0].stages["dense"].rank == 1


def test_a_query_looks_again_when_the_shards_changed_meanwhile(store: EmbeddedVectorStore, tracker: Tracker) -> None:
    write(store, tracker, make_row("moved", text="apple", vector=angle(0)), shard="s1")
    answers = iter([ReadingOrder(("s0",))])
    known = lambda: next(answers, ReadingOrder(("s0", "s1")))  # noqa: E731
    assert documents(Searcher(store, known, AngleEmbedder(), tracker).search("apple 0").hits) == ["moved"]


def test_nothing_is_looked_up_of_rows_that_were_seen_until_a_document_changes(
    store: EmbeddedVectorStore, tracker: Tracker, searcher: Searcher
) -> None:
    fruit(store, tracker)
    remembered = [set[str]()]
    searcher.find_seen = lambda: remembered[0]
    first = documents(searcher.search("apple 9").hits)
    asked = len(tracker.asked)
    assert documents(searcher.search("apple 9").hits) == first
    assert len(tracker.asked) == asked
    del tracker.active["d0"]
    remembered[0] = set()
    assert documents(searcher.search("apple 9").hits) == [name for name in first if name != "d0"]


def test_what_a_search_has_read_is_gone_with_its_result(
    store: EmbeddedVectorStore, tracker: Tracker, searcher: Searcher
) -> None:
    fruit(store, tracker)
    # Only what is made from here on is looked through.
    gc.freeze()
    gc.disable()
    try:
        assert searcher.search("apple 0").hits
        assert not any(isinstance(one, VectorRow) for one in gc.get_objects())
    finally:
        gc.enable()
        gc.unfreeze()
