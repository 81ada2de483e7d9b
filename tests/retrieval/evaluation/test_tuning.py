"""Tuning finds a weight on one half of the queries and reports on the other."""

from typing import Any

import pytest

from embedmill.retrieval.evaluation.measures import Gain
from embedmill.retrieval.evaluation.tuning import WEIGHTS, halves, tune
from embedmill.retrieval.fusion import Fusion
from embedmill.retrieval.hits import Hit, SearchResult, Understood

QUERIES = {f"q{number}": f"text {number}" for number in range(40)}
GRADES = {query: {"right": 1} for query in QUERIES}


class Weighed:
    """A searcher that is right where words count 2, and wrong the more, the further they are from it."""

    def __init__(self) -> None:
        self.judges = None
        self.word_weight: float | None = None
        self.asked: list[tuple[str, float | None]] = []

    def choose_fusion(self) -> Fusion:
        return Fusion(0.5)

    def search(self, text: str, **_: Any) -> SearchResult:
        self.asked.append((text, self.word_weight))
        wrong = int(abs((self.word_weight or 0) - 2) * 4)
        found = [*(f"wrong{number}" for number in range(wrong)), "right"]
        hits = [
            Hit(rank, -rank, document, "", "", "", 0, 1, "", "", None, {}) for rank, document in enumerate(found, 1)
        ]
        return SearchResult(hits, {}, Understood("", "", []), [], [], {}, degraded=False, notes=[])


def test_halves_are_the_same_whatever_else_is_asked() -> None:
    first, second = halves(QUERIES)
    assert sorted(first + second) == sorted(QUERIES)
    assert min(len(first), len(second)) > 10
    assert halves(list(QUERIES)[:20])[0] == [query for query in first if query in list(QUERIES)[:20]]


def test_the_best_weight_of_one_half_is_reported_on_the_other() -> None:
    searcher: Any = Weighed()
    found = tune(searcher, QUERIES, GRADES, gain=Gain.EXPONENTIAL)
    assert found is not None
    assert (found.usual, found.best) == (0.5, 2.0)
    assert found.tuned_on + found.reported_on == len(QUERIES)
    assert set(found.tried) == {f"{weight:g}" for weight in WEIGHTS}
    assert found.runs["best"]["mrr"].mean == 1
    assert found.runs["usual"]["mrr"].mean == pytest.approx(1 / 7)
    assert found.comparisons[0].wins == found.reported_on
    first, _ = halves(QUERIES)
    seen = {text for text, weight in searcher.asked if weight not in (0.5, 2.0)}
    assert seen == {QUERIES[query] for query in first}
    assert searcher.word_weight is None


def test_a_half_without_a_query_cannot_be_tuned_on() -> None:
    searcher: Any = Weighed()
    assert tune(searcher, {"q1": "a"}, {"q1": {"right": 1}}, gain=Gain.EXPONENTIAL) is None
