"""Hybrid search is no worse than either side, on judged collections; skips where they are not installed."""

import os
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from bench.retrieval import COLLECTIONS, Quality, index, measure, read_collection
from embedmill.retrieval.evaluation.report import TOLERATED_LOSS
from embedmill.retrieval.question import Mode
from embedmill.retrieval.search import Searcher
from embedmill.shared.editions import Edition
from embedmill.shared.providers.embeddings.local import LocalEmbedder
from embedmill.shared.providers.vectorstores.embedded.store import EmbeddedVectorStore
from embedmill.workers.chunking import ChunkSettings

BESIDE_THE_CHECKOUT = Path(__file__).parents[3] / "shared" / "data"
DATA = Path(os.environ.get("EMBEDMILL_TEST_DATA", BESIDE_THE_CHECKOUT))
EXPECTED_NDCG = {"cranfield": 0.39, "pyfaq": 0.6}
# What every run of the suite asks: every eighth query of a collection, which are easier than all. `make chaos` asks all
# of all.
QUICK = ("cranfield", 8, 0.53)


@pytest.mark.parametrize(
    ("name", "every", "expected"),
    [QUICK, *(pytest.param(name, 1, EXPECTED_NDCG[name], marks=pytest.mark.chaos) for name in COLLECTIONS)],
)
def test_hybrid_beats_both_sides(name: str, every: int, expected: float, tmp_path: Path) -> None:
    if not (DATA / name / "qrels.tsv").is_file():
        pytest.skip(f"no {name} in {DATA}; EMBEDMILL_TEST_DATA names the folder of test data")
    judged, embedder = read_collection(DATA / name), LocalEmbedder()
    judged = replace(judged, queries=dict(islice(judged.queries.items(), None, None, every)))
    store = EmbeddedVectorStore(tmp_path, dimensions=embedder.dimensions)
    index(judged, store, ["s0"], embedder, ChunkSettings())
    searcher = Searcher(store, ["s0"], embedder, lambda documents: dict.fromkeys(documents, Edition("v1", 1)))

    def quality(mode: Mode) -> Quality:
        return measure(judged, searcher, mode=mode)

    hybrid = quality("hybrid")
    for side in (quality("dense"), quality("lexical")):
        assert hybrid.ndcg_10 > side.ndcg_10
        assert hybrid.mrr_10 > side.mrr_10
        assert hybrid.recall_100 > side.recall_100 - TOLERATED_LOSS
    assert hybrid.ndcg_10 >= expected
    store.close()
