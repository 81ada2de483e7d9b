"""Columns find what `holds` says of each row, whatever metadata and conditions are made of."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from embedmill.shared.filtering.columns import Builder, key_of
from embedmill.shared.filtering.conditions import holds
from embedmill.shared.filtering.fields import fields_of
from tests.shared.filtering.made import CONDITIONS, METADATA, NUMBERS


@given(st.lists(st.tuples(METADATA, st.integers(1, 3)), max_size=8), CONDITIONS)
def test_columns_find_the_rows_that_hold(made: list[tuple[dict[str, Any], int]], condition: Any) -> None:
    builder, expected = Builder(), list[bool]()
    for metadata, rows in made:
        fields = fields_of({}, metadata)
        builder.mark(builder.values(metadata.items()), range(len(expected), len(expected) + rows))
        expected += [holds(condition, fields)] * rows
    assert builder.build(len(expected)).mask(condition).tolist() == expected


@given(NUMBERS, NUMBERS)
def test_numbers_sort_as_bytes_as_they_do_themselves(one: float, other: float) -> None:
    assert (key_of("number", one) < key_of("number", other)) == (one < other)
    assert (key_of("number", one) == key_of("number", other)) == (one == other)
