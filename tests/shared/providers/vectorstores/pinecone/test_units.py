"""The units of Pinecone's requests, against the examples of the vendor's own page."""

from types import SimpleNamespace

import pytest

from embedmill.shared.providers.vectorstores.metering import UNIT
from embedmill.shared.providers.vectorstores.pinecone.units import (
    FETCH,
    LIST,
    QUERY,
    milliunits_billed,
    milliunits_of_delete,
    milliunits_of_fetch,
    milliunits_of_list,
    milliunits_of_upsert,
    size_of,
)


@pytest.mark.parametrize(
    ("records", "size", "units"), [(1, 3_172, 5), (2, 3_172, 7), (10, 19_096, 191), (100, 3_570, 357)]
)
def test_writes_and_deletes_cost_a_unit_for_each_kilobyte_and_five_at_least(
    records: int, size: int, units: int
) -> None:
    assert milliunits_of_upsert([size] * records) == units * UNIT
    assert milliunits_of_delete([size] * records) == units * UNIT


def test_what_a_write_replaces_is_billed_besides() -> None:
    assert milliunits_of_upsert([6_240], [6_500]) == (7 + 7) * UNIT
    assert milliunits_of_upsert([100], [100]) == (5 + 1) * UNIT


def test_a_delete_of_what_is_not_there_costs_the_least() -> None:
    assert milliunits_of_delete([]) == 5 * UNIT


@pytest.mark.parametrize(("records", "units"), [(0, 1), (10, 1), (50, 5), (107, 11)])
def test_a_fetch_costs_a_unit_for_ten_records(records: int, units: int) -> None:
    assert milliunits_of_fetch(records) == units * UNIT


@pytest.mark.parametrize(("ids", "units"), [(0, 1), (100, 1), (101, 2)])
def test_a_list_costs_a_unit_for_each_page(ids: int, units: int) -> None:
    assert milliunits_of_list(ids) == units * UNIT


def test_a_record_is_as_large_as_its_id_its_floats_and_its_metadata() -> None:
    assert size_of("12345678", {"a": "x"}, dimensions=768) == 8 + 4 * 768 + len('{"a":"x"}')


def answered(read_units: int | None) -> SimpleNamespace:
    return SimpleNamespace(usage=SimpleNamespace(read_units=read_units))


def test_what_an_answer_tells_counts_and_otherwise_what_was_thought() -> None:
    assert milliunits_billed(QUERY, answered(7), otherwise=1000) == 7000
    assert milliunits_billed(QUERY, answered(None), otherwise=2000) == 2000
    assert milliunits_billed(QUERY, SimpleNamespace(usage=None), otherwise=2000) == 2000
    assert milliunits_billed(QUERY, None, otherwise=2000) == 0, "there is no such namespace"


def test_a_fraction_that_an_answer_cannot_tell_is_not_taken_for_nothing() -> None:
    assert milliunits_billed(QUERY, answered(0), otherwise=1000) == 250
    assert milliunits_billed(FETCH, answered(0), otherwise=1000) == 1000
    assert milliunits_billed(LIST, answered(0), otherwise=1000) == 1000
