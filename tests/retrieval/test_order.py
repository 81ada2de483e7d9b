"""One order whatever is asked for and however the rows are laid out: over corpora full of ties and copies."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedmill.retrieval import order
from embedmill.retrieval.hits import Hit
from embedmill.retrieval.question import MODES, Mode
from embedmill.retrieval.search import Searcher
from embedmill.shared.providers.vectorstores.base import VectorStore
from embedmill.shared.providers.vectorstores.embedded.store import EmbeddedVectorStore
from embedmill.shared.providers.vectorstores.rows import VectorRow
from tests.contracts.rows import make_row
from tests.retrieval.orchard import AngleEmbedder, MemoryStore, Tracker, angle, documents, write

WORDS = st.lists(st.sampled_from(["apple", "pear", "plum", "fig"]), min_size=1, max_size=4).map(" ".join)
CORPORA = st.lists(
    st.tuples(st.integers(0, 6), WORDS, st.sampled_from([0, 10, 20, 90])),
    min_size=1,
    max_size=25,
    unique_by=lambda drawn: drawn[0] * 100 + len(drawn[1]),
)


def rows_of(corpus: Sequence[tuple[int, str, int]]) -> list[VectorRow]:
    """Rows of a few documents; many have the same words and the same vector."""
    return [
        make_row(f"d{document}", ordinal, text=text, vector=angle(degrees))
        for ordinal, (document, text, degrees) in enumerate(corpus)
    ]


def found(rows: Sequence[VectorRow], *, shards: int, top_k: int, mode: Mode, seed: int) -> list[Hit]:
    """Hits over the rows, written in an order and spread over shards that the seed decides."""
    names = [f"s{n}" for n in range(shards)]
    tracker = Tracker()
    store: VectorStore = MemoryStore()  # type: ignore[abstract]
    for place, row in enumerate(sorted(rows, key=lambda row: (row.ordinal * 7 + seed) % 11)):
        write(store, tracker, row, shard=names[(place + seed) % shards])
    return Searcher(store, names, AngleEmbedder(), tracker).search("apple plum 5", top_k=top_k, mode=mode).hits


def told(hits: Sequence[Hit]) -> list[tuple[Any, ...]]:
    return [(hit.document, hit.chunk, hit.score, hit.similarity, hit.stages, hit.copies) for hit in hits]


@given(
    corpus=CORPORA,
    shards=st.integers(2, 5),
    seed=st.integers(0, 10),
    few=st.integers(1, 12),
    mode=st.sampled_from(MODES),
)
def test_the_first_hits_are_the_same_whatever_is_asked_for_and_however_rows_are_laid_out(
    corpus: list[tuple[int, str, int]], shards: int, seed: int, few: int, mode: Mode
) -> None:
    rows = rows_of(corpus)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(order, "DEPTHS", (3, 7, 100))
        many = found(rows, shards=1, top_k=100, mode=mode, seed=0)
        assert told(found(rows, shards=shards, top_k=few, mode=mode, seed=seed)) == told(many[:few])
    shown = {hit.chunk for hit in many} | {copy.chunk for hit in many for copy in hit.copies}
    assert sum(1 + hit.copy_count for hit in many) == (len(rows) if mode == "dense" else len(shown))


def test_whoever_wants_more_gets_what_the_sides_hold_deeper_behind(
    store: EmbeddedVectorStore, tracker: Tracker, searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order, "DEPTHS", (2, 4, 50))
    for n in range(30):
        write(
            store,
            tracker,
            make_row(f"d{n:02}", text=f"{'apple ' * (n % 3 + 1)} x{n}", vector=angle(n)),
            shard=f"s{n % 2}",
        )
    hits = searcher.search("apple 0", top_k=30).hits
    assert sorted(documents(hits)) == [f"d{n:02}" for n in range(30)]
    assert all(one.score >= other.score for one, other in pairwise(hits))
    for top_k in (1, 5, 12, 29):
        assert told(searcher.search("apple 0", top_k=top_k).hits) == told(hits[:top_k])


def test_rows_that_readers_do_not_see_change_nothing(
    store: EmbeddedVectorStore, tracker: Tracker, searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order, "DEPTHS", (4,))
    for n in range(8):
        write(store, tracker, make_row(f"d{n}", text=f"apple tree {n}", vector=angle(10 + n)))
    before = documents(searcher.search("apple 0").hits)
    store.upsert("s1", [make_row(f"gone{n}", text=f"apple tree {n}", vector=angle(0)) for n in range(50)])
    assert documents(searcher.search("apple 0").hits) == before
