"""A filter in Pinecone's words leaves every row that meets it, and no other that it can tell from those."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedmill.shared.filtering.conditions import Condition, holds
from embedmill.shared.filtering.fields import fields_of
from embedmill.shared.filtering.grammar import parse_filter
from embedmill.shared.providers.vectorstores.pinecone.filters import MARKS, filter_of, marked
from embedmill.simulators.pinecone_index import meets
from tests.shared.filtering.made import CONDITIONS, METADATA


def leaves(condition: Condition, metadata: dict[str, Any]) -> bool:
    """Whether a query with the filter may find a record of a row with this metadata."""
    wanted = filter_of(condition)
    return wanted is None or meets({"metadata": marked({}, metadata)}, wanted)


@given(METADATA, CONDITIONS)
def test_no_row_that_meets_a_filter_is_lost(metadata: dict[str, Any], condition: Condition) -> None:
    if holds(condition, fields_of({}, metadata)):
        assert leaves(condition, metadata)


@given(METADATA)
def test_what_a_record_has_for_filters_is_what_pinecone_takes(metadata: dict[str, Any]) -> None:
    for value in marked({}, metadata).values():
        assert isinstance(value, float) or all(isinstance(mark, str) for mark in value)


TELLING = (
    *("a = 1", "a = x", "a != 1", "a != x", "not exists(a)", "exists(a)", "a in (1, x)", "a not in (x, 1)", "a = true"),
    *("a > 1", "a <= 1", "not a > 1", "a >= 2020-05-01", "not a < 2020-05", "a = 2020", "a = 1 and exists(b)"),
    *("a = 1 or b = 2", "not (a = 1 or b = 2)", "not (a = 1 and not exists(b))"),
)


@pytest.mark.parametrize("text", TELLING)
@pytest.mark.parametrize(
    "metadata", [{}, {"a": 1}, {"a": "x"}, {"a": 5, "b": 2}, {"a": "2020-05-07"}, {"a": True}, {"b": 1}, {"a": "0.5"}]
)
def test_what_pinecone_can_say_is_left_to_it(text: str, metadata: dict[str, Any]) -> None:
    condition = parse_filter(text)
    assert leaves(condition, metadata) == holds(condition, fields_of({}, metadata))


@given(st.sampled_from(TELLING))
def test_a_record_without_marks_is_left_for_a_closer_look(text: str) -> None:
    wanted = filter_of(parse_filter(text))
    assert wanted is None or meets({"metadata": {"a": 1, "em_row": "{}"}}, wanted)


def test_a_row_with_too_many_values_has_no_marks() -> None:
    assert marked({}, {f"f{n}": n for n in range(80)})[MARKS]
    assert marked({}, {f"f{n}": n for n in range(800)}) == {}
    assert marked({}, {"many": [str(n) for n in range(800)]}) == {}
