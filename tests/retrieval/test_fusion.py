"""Fusion is a pure function of the two sides' scores."""

import pytest

from embedmill.retrieval.fusion import fuse, ranked, standardise


def test_agreement_wins_over_either_side_alone() -> None:
    dense = {"both": 0.8, "near": 0.9, "worded": 0.2, "none": 0.1}
    lexical = {"both": 8.0, "worded": 9.0, "near": 1.0, "none": 0.5}
    assert next(iter(fuse(dense, lexical))) == "both"


def test_a_candidate_without_any_of_the_words_has_a_lexical_score_of_zero() -> None:
    dense = {"a": 0.5, "b": 0.5}
    assert fuse(dense, {"a": 3.0}) == pytest.approx(fuse(dense, {"a": 3.0, "b": 0.0}))


def test_units_do_not_matter() -> None:
    dense = {"a": 0.1, "b": 0.3, "c": 0.7}
    lexical = {"a": 9.0, "b": 2.0, "c": 1.0}
    stretched = fuse({id: 1000 * score - 5 for id, score in dense.items()}, lexical)
    assert stretched == pytest.approx(fuse(dense, lexical))


def test_a_side_that_finds_all_alike_has_no_say() -> None:
    assert list(fuse({"a": 0.5, "b": 0.5, "c": 0.5}, {"b": 2.0, "c": 1.0})) == ["b", "c", "a"]
    assert list(fuse({"a": 0.5, "b": 0.7}, {})) == ["b", "a"]


def test_nothing_fuses_to_nothing() -> None:
    assert fuse({}, {}) == {}


def test_ties_are_broken_the_same_way_every_time() -> None:
    assert list(ranked({"b": 1.0, "c": 2.0, "a": 1.0})) == ["c", "a", "b"]
    assert list(fuse({"b": 1.0, "a": 1.0}, {})) == ["a", "b"]


def test_standard_scores_have_mean_zero_and_deviation_one() -> None:
    scores = standardise([1.0, 2.0, 6.0])
    assert scores.mean() == pytest.approx(0)
    assert scores.std() == pytest.approx(1)
    assert standardise([3.0, 3.0]).tolist() == [0, 0]
    assert standardise([]).tolist() == []
