"""The names of rows, and which of them readers see."""

import pytest

from embedmill.shared.editions import Edition, RowName, ordinal_of, parse_id, row_id


@pytest.mark.parametrize("document", ["d", "a-b", "a.b-1.2", "x\ny"])
def test_a_name_is_read_back(document: str) -> None:
    assert parse_id(row_id(document, "v1", 12, 3)) == RowName(document, Edition("v1", 12), 3)


def test_a_name_of_the_first_release_tells_no_generation() -> None:
    assert parse_id("a-b-v1-12") == RowName("a-b", Edition("v1", None), 12)


@pytest.mark.parametrize(
    "id", ["", "x", "a-b", "a-b-c", "a-b--1", "a-b-1.", "a-b-.1", "a-b-1.2.3", "a-b-\u0661", "a-b-1_0"]
)
def test_other_ids_are_not_ours(id: str) -> None:
    assert parse_id(id) is None


def test_readers_see_the_active_edition_and_what_tells_no_generation_of_its_version() -> None:
    active = Edition("v2", 5)
    assert Edition("v2", 5).is_seen_as(active)
    assert Edition("v2", None).is_seen_as(active)
    assert not Edition("v2", 4).is_seen_as(active)
    assert not Edition("v1", 5).is_seen_as(active)
    assert not Edition("v2", 5).is_seen_as(None)


@pytest.mark.parametrize("document", ["d", "a-b", "a.b-1.2", "d-v2-5.1"])
@pytest.mark.parametrize(
    "rest", ["v2-5.3", "v2-3", "v2-53", "v2-4.3", "v2-55.3", "v1-5.3", "v2-5.", "v2-.3", "v2-5.x", "v2-5.\u0661", "v2-"]
)
def test_a_row_is_seen_by_its_name_as_by_its_parts(document: str, rest: str) -> None:
    active, id = Edition("v2", 5), f"{document}-{rest}"
    name = parse_id(id)
    seen = name is not None and name.document == document and name.edition.is_seen_as(active)
    assert active.names(id, document) == seen
    assert not active.names(id, "other")
    if name is not None:
        assert ordinal_of(id) == str(name.ordinal)
