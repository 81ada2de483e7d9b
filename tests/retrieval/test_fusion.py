"""Fusion is a pure function of the two sides' scores."""

from collections.abc import Mapping

import pytest

from embedmill.retrieval.fusion import Fusion, fuse, lead, ranked
from embedmill.retrieval.measured import measured

MEASURED = Fusion(0.5, own_scale=False)


def fused(dense: Mapping[str, float], lexical: Mapping[str, float], fusion: Fusion = MEASURED) -> dict[str, float]:
    return fuse(dense, lexical, most_of_words=10.0, fusion=fusion)


def test_agreement_wins_over_either_side_alone() -> None:
    others = {f"o{n}": 7.9 for n in range(10)}
    dense = {"both": 0.8, "near": 0.9, "worded": 0.2} | dict.fromkeys(others, 0.1)
    assert next(iter(fused(dense, {"both": 8.0, "worded": 8.1, "near": 1.0} | others))) == "both"


def test_a_candidate_without_any_of_the_words_has_a_lexical_score_of_zero() -> None:
    dense = {"a": 0.5, "b": 0.5}
    assert fused(dense, {"a": 3.0}) == fused(dense, {"a": 3.0, "b": 0.0})


def test_a_score_does_not_depend_on_who_else_is_a_candidate() -> None:
    many = {f"o{n}": 2.0 for n in range(20)}
    few = {"a": 4.0} | dict(list(many.items())[:12])
    dense = {"a": 0.5} | dict.fromkeys(many, 0.3)
    assert fused(dense, {"a": 4.0} | many)["a"] == fused(dense, few)["a"]


def test_words_decide_where_one_chunk_alone_holds_them() -> None:
    near = {f"n{n}": 0.9 for n in range(20)}
    named = fused(near | {"named": 0.1}, {"named": 6.0} | dict.fromkeys(near, 0.5))
    assert next(iter(named)) == "named"
    usual = fused(near | {"named": 0.1}, {"named": 6.0} | dict.fromkeys(near, 5.5))
    assert list(usual)[-1] == "named"


def test_the_lead_is_over_the_eleventh_or_the_last_that_has_any_of_the_words() -> None:
    assert lead([4.0, *[3.0] * 9, 1.0, 0.5]) == 0.75
    assert lead([4.0, 3.0, 0.0]) == 0.25
    assert lead([0.0, 0.5]) == 1
    assert lead([2.0] * 11) == lead([]) == lead([0.0, 0.0]) == 0


def test_cosines_of_an_unmeasured_model_are_stretched_to_the_usual_spread() -> None:
    dense = {f"d{n:03}": 0.9 - n / 1000 for n in range(200)}
    lexical = {id: 5.0 - n / 50 for n, id in enumerate(reversed(dense))}
    narrow = fused({id: 0.7 + score / 5 for id, score in dense.items()}, lexical, Fusion())
    assert list(narrow) == list(fused(dense, lexical, Fusion()))
    assert measured("openai/text-embedding-3-large@256").fusion == Fusion()
    assert not measured("local/minilm").fusion.own_scale


@pytest.mark.parametrize("fusion", [MEASURED, Fusion()])
def test_a_side_that_finds_all_alike_has_no_say(fusion: Fusion) -> None:
    assert list(fused({"a": 0.5, "b": 0.5, "c": 0.5}, {"b": 2.0, "c": 1.0}, fusion)) == ["b", "c", "a"]
    assert list(fused({"a": 0.5, "b": 0.7}, {}, fusion)) == ["b", "a"]
    assert list(fused({"a": 0.5, "b": 0.5}, {"a": 1.0, "b": 1.0}, fusion)) == ["a", "b"]


def test_one_candidate_and_none_are_fused_too() -> None:
    assert fused({"a": 0.5}, {"a": 1.0}, Fusion()).keys() == {"a"}
    assert fused({}, {}) == fuse({}, {}, most_of_words=0.0, fusion=Fusion()) == {}


def test_ties_are_broken_the_same_way_every_time() -> None:
    assert list(ranked({"b": 1.0, "c": 2.0, "a": 1.0})) == ["c", "a", "b"]
    assert list(fused({"b": 1.0, "a": 1.0}, {})) == ["a", "b"]
