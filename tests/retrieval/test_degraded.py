"""A part that fails is said in the result, and the rest answers."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from embedmill.retrieval.hits import SearchResult
from embedmill.retrieval.look import FORMER_INDEX
from embedmill.retrieval.search import Searcher
from embedmill.retrieval.steps import Step
from embedmill.shared.errors import (
    EmbedmillError,
    FlowControl,
    KeyRefused,
    MissingExtra,
    ProviderUnavailable,
    StorageFailed,
)
from embedmill.shared.metering import Tally
from embedmill.shared.providers.embeddings.base import Embedder, InputType
from embedmill.shared.providers.vectorstores.embedded import listing, portions
from embedmill.shared.providers.vectorstores.embedded.store import EmbeddedVectorStore
from embedmill.shared.providers.vectorstores.rows import Found, VectorRow
from embedmill.shared.words import cutting
from tests.contracts.rows import make_row
from tests.retrieval.orchard import AngleEmbedder, MemoryStore, Tracker, angle, documents, fruit, write

BUDGET = FlowControl("the budget for day is used up", reason="budget", retry_after_seconds=9.0)


def step(result: SearchResult, name: str) -> Step:
    return next(step for step in result.steps if step.name == name)


def failing(error: Exception) -> Callable[[], Embedder]:
    class Failing(AngleEmbedder):
        def embed_batch(self, texts: Sequence[str], *, input_type: InputType = "document") -> NDArray[np.float32]:
            raise error

    return Failing


def missing() -> Embedder:
    raise MissingExtra("local/minilm needs the extra")


@pytest.mark.parametrize(
    ("embedder", "why"),
    [
        (failing(ProviderUnavailable("openai could not be reached")), "openai could not be reached"),
        (failing(KeyRefused("openai has no key")), "openai has no key"),
        (failing(BUDGET), "the budget for day is used up"),
        (failing(OSError("no such file")), "OSError: no such file"),
        (missing, "local/minilm needs the extra"),
    ],
)
def test_without_an_embedder_words_answer_and_the_result_says_why(
    store: EmbeddedVectorStore, tracker: Tracker, embedder: Callable[[], Embedder], why: str
) -> None:
    fruit(store, tracker)
    searcher = Searcher(store, ["s0", "s1"], embedder, tracker)
    result = searcher.search("apple 0")
    assert documents(result.hits) == ["d0", "d1", "d2"]
    assert (step(result, "embed").ran, step(result, "embed").why) == (False, why)
    assert result.degraded
    assert any(why in remark for remark in result.remarks)
    assert result.judged_by == "words"
    with pytest.raises(EmbedmillError, match=why):
        searcher.search("apple 0", mode="dense")
    whole = searcher.search("apple 0", mode="lexical")
    assert documents(whole.hits) == documents(result.hits)
    assert not whole.degraded


def test_a_whole_answer_is_not_degraded_and_says_what_every_step_took(
    store: EmbeddedVectorStore, tracker: Tracker, searcher: Searcher
) -> None:
    fruit(store, tracker)
    result = searcher.search("apple 0", top_k=4)
    assert (result.degraded, result.partial, result.remarks) == (False, [], [])
    unasked = {"expand", "normalise", "decompose", "subqueries", "phrases", "context", "filter", "rank"}
    assert all(s.ran != (s.name in unasked) for s in result.steps)
    assert (step(result, "embed").given, step(result, "embed").out) == (1, 1)
    assert (step(result, "dense").out, step(result, "lexical").out) == (10, 3)
    assert (step(result, "fuse").given, step(result, "fuse").out) == (10, 10)
    assert (step(result, "fetch").given, step(result, "fetch").out) == (10, 10)
    assert result.query.original == result.query.normalised == "apple 0"


@pytest.mark.parametrize("mode", ["dense", "lexical", "hybrid"])
def test_every_step_that_did_not_run_says_why(
    store: EmbeddedVectorStore, tracker: Tracker, searcher: Searcher, mode: Any
) -> None:
    fruit(store, tracker)
    for query in ("apple 0", "apple", "zebra 0", '"apple apple" 0'):
        steps = searcher.search(query, mode=mode).steps
        assert all(s.ran or s.why for s in steps), [s.name for s in steps if not (s.ran or s.why)]


def test_what_paid_calls_cost_is_in_their_step(store: EmbeddedVectorStore, tracker: Tracker) -> None:
    fruit(store, tracker)
    tally = Tally()

    class Paid(AngleEmbedder):
        def embed_batch(self, texts: Sequence[str], *, input_type: InputType = "document") -> NDArray[np.float32]:
            tally.calls += 1
            tally.microusd += 130
            return super().embed_batch(texts, input_type=input_type)

    searcher = Searcher(store, ["s0", "s1"], Paid(), tracker, tally=tally)
    for _ in range(2):
        result = searcher.search("apple 0")
        assert [(s.calls, s.usd) for s in result.steps if s.calls] == [(1, 0.00013)]


def damage(root: Path, shard: str) -> None:
    for file in root.glob(f"{shard}*"):
        shutil.rmtree(file) if file.is_dir() else file.unlink()
    (root / f"{shard}.db").write_bytes(b"no database at all " * 100)


@pytest.mark.parametrize("mode", ["dense", "lexical", "hybrid"])
def test_a_damaged_shard_is_named_and_the_others_answer(
    store: EmbeddedVectorStore, tracker: Tracker, tmp_path: Path, mode: Any
) -> None:
    fruit(store, tracker)
    damage(tmp_path, "s1")
    result = Searcher(store, ["s0", "s1"], AngleEmbedder(), tracker).search("apple 0", mode=mode)
    assert {hit.document for hit in result.hits} == (
        {"d0", "d1", "d2"} | ({"d3", "d4"} if mode != "lexical" else set())
    )
    assert (result.partial, result.degraded) == (["s1"], True)
    assert "not a database" in result.failures["s1"]
    assert any("s1" in remark for remark in result.remarks)


def test_when_no_shard_answers_the_search_fails(store: EmbeddedVectorStore, tracker: Tracker, tmp_path: Path) -> None:
    fruit(store, tracker)
    for shard in ("s0", "s1"):
        damage(tmp_path, shard)
    with pytest.raises(StorageFailed, match="no shard answers") as raised:
        Searcher(store, ["s0", "s1"], AngleEmbedder(), tracker).search("apple 0")
    assert "verify --repair" in raised.value.hint


def test_a_shard_that_lacks_what_it_should_hold_is_named_when_it_puts_up_nothing(
    store: EmbeddedVectorStore, tracker: Tracker
) -> None:
    fruit(store, tracker)
    asked: list[Sequence[str]] = []

    def find_lost(shards: Sequence[str]) -> dict[str, str]:
        asked.append(shards)
        return {"gone": "it is gone"} if "gone" in shards else {}

    searcher = Searcher(store, ["s0", "s1", "gone", "empty"], AngleEmbedder(), tracker, find_lost=find_lost)
    result = searcher.search("apple 0")
    assert asked == [["gone", "empty"]]
    assert (result.partial, result.failures) == (["gone"], {"gone": "it is gone"})
    assert len(result.hits) == 10
    searcher = Searcher(store, ["s0", "s1"], AngleEmbedder(), tracker, find_lost=find_lost)
    assert searcher.search("apple 0").partial == []
    assert len(asked) == 1


def test_a_shard_that_is_late_is_named(store: EmbeddedVectorStore, tracker: Tracker) -> None:
    fruit(store, tracker)
    result = Searcher(store, ["s0", "s1"], AngleEmbedder(), tracker, seconds=3600.0).search("apple 0")
    assert result.partial == []
    with pytest.raises(StorageFailed, match="late"):
        Searcher(store, ["s0", "s1"], AngleEmbedder(), tracker, seconds=-1.0).search("apple 0")


def test_what_a_shard_found_before_it_failed_is_not_ranked_beside_what_it_cannot_score(
    store: EmbeddedVectorStore, tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    fruit(store, tracker)
    score_words = store.score_words

    def fail_once_asked(shard: str, *rest: Any) -> dict[str, float]:
        if shard == "s1":
            raise StorageFailed("the disk is gone")
        return score_words(shard, *rest)

    monkeypatch.setattr(store, "score_words", fail_once_asked)
    result = Searcher(store, ["s0", "s1"], AngleEmbedder(), tracker).search("apple 0")
    assert {hit.document for hit in result.hits} == {f"d{n}" for n in range(5)}
    assert result.failures == {"s1": "the disk is gone"}


def test_texts_that_cannot_be_read_are_made_up_for_by_other_shards(
    store: EmbeddedVectorStore, tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    fruit(store, tracker)
    fetch = store.fetch

    def fail(shard: str, ids: Sequence[str], **options: Any) -> dict[str, VectorRow]:
        if shard == "s0":
            raise StorageFailed("unreadable")
        return fetch(shard, ids, **options)

    monkeypatch.setattr(store, "fetch", fail)
    result = Searcher(store, ["s0", "s1"], AngleEmbedder(), tracker).search("pear 0", mode="dense", top_k=3)
    assert documents(result.hits) == ["d5", "d6", "d7"]
    assert result.partial == ["s0"]


class HalfAway(MemoryStore):
    """One of its shards cannot be read; remembers which were asked for what is near."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Sequence[str]] = []

    def list_rows(self, shard: str, **options: Any) -> Iterator[VectorRow]:
        if shard == "s1":
            raise StorageFailed("away")
        return super().list_rows(shard, **options)

    def search_vectors(self, shards: Sequence[str], vector: NDArray[np.float32], **options: Any) -> Found:
        self.asked.append(shards)
        return super().search_vectors(shards, vector, **options)


def test_a_shard_that_failed_is_not_asked_again(tracker: Tracker) -> None:
    store = HalfAway()  # type: ignore[abstract]
    fruit(store, tracker)
    result = Searcher(store, ["s0", "s1"], AngleEmbedder(), tracker).search("apple 0")
    assert store.asked == [["s0"]]
    assert result.failures == {"s1": "away"}


@pytest.mark.parametrize("query", ["???", "%", "{}", " - ", '""'])
def test_punctuation_alone_is_no_query_and_nobody_is_asked(tracker: Tracker, query: str) -> None:
    class Untouched(EmbeddedVectorStore):
        def search_vectors(self, *_: Any, **__: Any) -> Found:
            raise AssertionError("asked")

    searcher = Searcher(Untouched(Path("nowhere"), dimensions=8), ["s0"], failing(AssertionError("asked")), tracker)
    result = searcher.search(query)
    assert (result.hits, result.degraded) == ([], False)
    assert "nothing is asked" in result.notes[0]
    assert not any(s.ran for s in result.steps)
    assert all(s.why for s in result.steps)


def test_a_query_without_a_word_in_the_collection_is_answered_by_meaning(
    store: EmbeddedVectorStore, tracker: Tracker, searcher: Searcher
) -> None:
    write(store, tracker, make_row("d", text="apple", vector=angle(0)))
    result = searcher.search("zebra 7")
    assert documents(result.hits) == ["d"]
    assert (step(result, "lexical").ran, step(result, "lexical").why) == (False, "no document holds any of its words")
    assert not result.degraded


class TestAnIndexOfAnotherCutter:
    @pytest.fixture
    def lagging(self, store: EmbeddedVectorStore, tracker: Tracker, monkeypatch: pytest.MonkeyPatch) -> Searcher:
        """Rows that another cutter cut, and no time to cut them anew."""
        fruit(store, tracker)
        monkeypatch.setattr(cutting, "VERSION", cutting.VERSION + 1)
        monkeypatch.setattr(listing, "CUT_AT_ONCE", 0)
        monkeypatch.setattr(portions.Pass, "for_a_share", lambda _: lambda: False)
        return Searcher(store, ["s0", "s1"], AngleEmbedder, tracker)

    def test_answers_whole_and_says_so(self, lagging: Searcher, store: EmbeddedVectorStore) -> None:
        result = lagging.search("apple 0")
        assert documents(result.hits)[:3] == ["d0", "d1", "d2"]
        assert not result.degraded
        assert step(result, "lexical").why == FORMER_INDEX
        assert f"lexical: {FORMER_INDEX}" in result.remarks
        assert result.unsettled, "it is not kept for those who ask when today's index is there"
        for shard in ("s0", "s1"):
            store.cut_anew(shard)
        after = lagging.search("apple 0")
        assert (step(after, "lexical").why, after.unsettled) == ("", None)
        assert [hit.score for hit in after.hits] == [hit.score for hit in result.hits]

    def test_a_search_begins_anew_when_the_index_becomes_another_meanwhile(
        self, lagging: Searcher, store: EmbeddedVectorStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        search_words = EmbeddedVectorStore.search_words

        def cut_before(self: EmbeddedVectorStore, *given: Any, **named: Any) -> Found:
            for shard in ("s0", "s1", "s0"):
                store.cut_anew(shard)
            return search_words(self, *given, **named)

        monkeypatch.setattr(EmbeddedVectorStore, "search_words", cut_before)
        result = lagging.search("apple 0")
        assert documents(result.hits)[:3] == ["d0", "d1", "d2"]
        assert (step(result, "lexical").why, result.unsettled, result.degraded) == ("", None, False)
