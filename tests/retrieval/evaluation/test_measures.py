"""Metrics of rankings, by hand."""

import builtins
import math
import sys
from typing import Any

import pytest

from embedmill.retrieval.evaluation.measures import METRICS, Gain, measure, require_library
from embedmill.retrieval.evaluation.runs import fold
from embedmill.shared.errors import MissingExtra, UsageError

GRADES = {"q": {"a": 3, "b": 1, "c": 0}, "unanswered": {"a": 1}}


def test_metrics_are_as_by_hand_and_an_unanswered_query_counts_as_0() -> None:
    values = measure({"q": ["c", "b", "x", "a"]}, GRADES)
    found = 1 / math.log2(3) + 7 / math.log2(5)
    assert values["ndcg@10"]["q"] == pytest.approx(found / (7 + 1 / math.log2(3)))
    assert (values["recall@10"]["q"], values["mrr"]["q"]) == (1, 0.5)
    assert values["map"]["q"] == pytest.approx((1 / 2 + 2 / 4) / 2)
    assert [values[metric]["unanswered"] for metric in METRICS] == [0, 0, 0, 0]


def test_the_gain_may_be_the_grade_itself() -> None:
    values = measure({"q": ["b", "a"]}, GRADES, gain=Gain.LINEAR)
    assert values["ndcg@10"]["q"] == pytest.approx((1 + 3 / math.log2(3)) / (3 + 1 / math.log2(3)))
    with pytest.raises(UsageError, match="too high"):
        measure({}, {"q": {"a": 1000}})
    assert measure({"q": ["a"]}, {"q": {"a": 1000}}, gain=Gain.LINEAR)["ndcg@10"]["q"] == 1


def test_the_order_that_was_found_counts_whatever_the_ids_are() -> None:
    """trec_eval orders equal scores by id, backwards."""
    for ranking in (["z", "a"], ["a", "z"]):
        assert measure({"q": ranking}, {"q": {"a": 1}})["mrr"]["q"] == 1 / (ranking.index("a") + 1)


def test_chunks_are_folded_to_their_documents_at_the_best_rank() -> None:
    found = fold([("a", 0.9), ("b", 0.8), ("a", 0.7), ("c", 0.6)])
    assert (found.documents, found.scores) == (("a", "b", "c"), (0.9, 0.8, 0.6))
    assert found.varies
    assert not fold([("a", 0.5), ("b", 0.5)]).varies


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *rest: Any, **more: Any) -> Any:
        if name == "ir_measures":
            raise ModuleNotFoundError(name=name)
        return real(name, *rest, **more)

    monkeypatch.delitem(sys.modules, "ir_measures", raising=False)
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtra, match=r"embedmill\[eval\]"):
        require_library()
