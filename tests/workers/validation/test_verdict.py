"""Reading an answer: what is usable is used, what is not has a reason, and nothing is ever raised."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedmill.workers.validation.answers import read_answer, verdict_from_json
from embedmill.workers.validation.verdict import Verdict, verdict_by_rules

BODIES = {"c1": "The pump runs. Page 3. It stops at noon.", "c2": "Another chunk."}


def verdict(id_: str, **changed: Any) -> dict[str, Any]:
    fields = {"reasoning": "clear", "score": 4, "missing_context": "", "extraneous_spans": [], "caveats": []}
    return {"id": id_, **fields, **changed}


def answer(*verdicts: Any) -> str:
    return json.dumps({"verdicts": verdicts})


def test_a_whole_answer_gives_a_verdict_for_each_id() -> None:
    reading = read_answer(answer(verdict("c1", score=5), verdict("c2", score=1)), BODIES)
    assert {id_: v.score for id_, v in reading.found.items()} == {"c1": 5, "c2": 1}
    assert reading.problem == ""


def test_spans_that_do_not_stand_in_the_chunk_word_for_word_are_dropped_and_recorded() -> None:
    reading = read_answer(answer(verdict("c1", extraneous_spans=["Page 3.", "page 3", "", "Page 4."])), BODIES)
    assert reading.found["c1"].cuts == ("Page 3.",)
    assert reading.found["c1"].not_found == ("page 3", "Page 4.")


@pytest.mark.parametrize(
    "wrong",
    [
        {"score": 0},
        {"score": 6},
        {"score": "5"},
        {"score": True},
        {"score": 4.5},
        {"score": None},
        {"reasoning": None},
        {"caveats": "none"},
        {"extraneous_spans": [1]},
    ],
)
def test_a_verdict_outside_the_schema_leaves_only_its_own_chunk_without_one(wrong: dict[str, Any]) -> None:
    reading = read_answer(answer(verdict("c1", **wrong), verdict("c2")), BODIES)
    assert reading.found.keys() == {"c2"}
    assert "schema" in reading.problem


def test_an_unknown_id_is_ignored_and_named() -> None:
    reading = read_answer(answer(verdict("c1"), verdict("c2"), verdict("c99", score=1)), BODIES)
    assert reading.found.keys() == BODIES.keys()
    assert "not asked for" in reading.problem


def test_two_verdicts_that_contradict_each_other_count_as_none() -> None:
    reading = read_answer(answer(verdict("c1", score=1), verdict("c1", score=5), verdict("c2")), BODIES)
    assert reading.found.keys() == {"c2"}
    assert "answered twice, and differently" in reading.problem


def test_the_same_verdict_twice_counts_once() -> None:
    assert read_answer(answer(verdict("c1"), verdict("c1"), verdict("c2")), BODIES).found.keys() == BODIES.keys()


def test_of_an_answer_that_was_cut_off_the_whole_verdicts_count() -> None:
    text = answer(verdict("c1", score=2), verdict("c2"))
    reading = read_answer(text[: text.index('"c2"') + 20], BODIES)
    assert {id_: v.score for id_, v in reading.found.items()} == {"c1": 2}
    assert "cut off" in reading.problem
    assert "1 had no usable answer" in reading.problem


def test_words_around_the_json_do_no_harm() -> None:
    fenced = f"Here it is:\n```json\n{answer(verdict('c1'), verdict('c2'))}\n```"
    assert read_answer(fenced, BODIES).found.keys() == BODIES.keys()


@pytest.mark.parametrize(
    "text", ["", "no", "[]", "{}", '{"verdicts": 3}', "null", '{"verdicts": {"c1": 5}}', "{" * 5000]
)
def test_an_answer_without_a_list_of_verdicts_says_so(text: str) -> None:
    reading = read_answer(text, BODIES)
    assert (reading.found, bool(reading.problem)) == ({}, True)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from([*verdict("c1")]), inner),
    max_leaves=20,
)


@given(st.lists(json_values))
def test_no_list_of_verdicts_raises(items: list[Any]) -> None:
    read_answer(json.dumps({"verdicts": items}), BODIES)


@given(st.text(alphabet=st.sampled_from([*'{}[]":,\\verdictsc1 5\n\ud800'])))
def test_no_text_raises(text: str) -> None:
    read_answer(text, BODIES)


@given(st.integers(min_value=0, max_value=400))
def test_no_cut_raises_or_makes_a_verdict_up(length: int) -> None:
    text = answer(verdict("c1", score=2, reasoning='quoted "words" and }{'), verdict("c2", score=3))
    for id_, found in read_answer(text[:length], BODIES).found.items():
        assert found.score == {"c1": 2, "c2": 3}[id_]


def test_the_rules_verdict_is_recorded_as_theirs() -> None:
    kept = verdict_by_rules("A sentence of words that is long enough to be judged by them.", fallback="refused")
    junk = verdict_by_rules("-----", fallback="refused")
    assert (kept.source, kept.score, kept.fallback) == ("rules", 3, "refused")
    assert (junk.source, junk.score) == ("rules", 1)


def test_a_verdict_survives_being_stored() -> None:
    before = Verdict("model", 3, "why", "context", ("a",), ("b",), ("c",), repaired=True)
    assert verdict_from_json(json.dumps(before.as_json() | {"added_later": 1})) == before
    for score in (0, 6, 3.0, True, "3"):
        assert verdict_from_json(json.dumps(before.as_json() | {"score": score})) is None
