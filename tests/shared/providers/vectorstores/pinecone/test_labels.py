"""Labels are told apart by Pinecone itself, also for records that have too many values for a filter, or none."""

from collections.abc import Mapping
from typing import Any

import pytest

from embedmill.shared.access.labels import Labels, kept_with
from embedmill.shared.filtering.conditions import All
from embedmill.shared.filtering.grammar import parse_filter
from embedmill.shared.providers.vectorstores.pinecone.filters import LABELS, MARKS, filter_of, marked
from embedmill.simulators.pinecone_index import meets
from tests.contracts.labels import LEVELS, MANY_VALUES, OWNERS, REACHES, is_within

FEW: dict[str, Any] = {"year": 2026}


def is_left(metadata: Mapping[str, Any], condition: Any) -> bool:
    """Whether the service leaves a record, before anybody here looks at it."""
    wanted = filter_of(condition)
    return wanted is None or meets({"metadata": dict(metadata)}, wanted)


@pytest.mark.parametrize("given", [FEW, MANY_VALUES], ids=["few values", "too many"])
def test_the_service_leaves_just_what_is_within_reach(given: dict[str, Any]) -> None:
    for reach in REACHES:
        for labels in (Labels(access, owner) for access in LEVELS for owner in OWNERS):
            made = marked({"uri": "u"}, kept_with(given, labels))
            assert (MARKS in made) is (given is FEW)
            assert is_left(made, reach.condition) is is_within(reach, labels), (reach, labels)
            both = All((reach.condition, parse_filter("year = 1999")))
            assert not is_left(made, both) or (given is MANY_VALUES and is_within(reach, labels))


def test_records_of_older_releases_have_their_collections_labels() -> None:
    for reach in REACHES:
        assert is_left({}, reach.condition) is is_within(reach, Labels())


def test_a_record_without_labels_and_a_filter_without_any_are_as_before() -> None:
    assert LABELS not in marked({"uri": "u"}, FEW)
    assert LABELS not in str(filter_of(parse_filter("year = 2026 or not exists(day)")))
