"""Whose a place in a store is, by the marks and the rows that are found there."""

from collections.abc import Sequence

import pytest

from embedmill.shared.errors import SettingsError
from embedmill.shared.providers.vectorstores.places import Owner, Place

ROWS = [f"d{n}" for n in range(10)]


class Shared:
    """A store that several installations write to; `rows` are the documents of each place."""

    def __init__(self) -> None:
        self.marks: dict[str, set[str]] = {}
        self.rows: dict[str, list[str]] = {}
        self.asked = 0
        self.rival = ""

    def read_marks(self, place: str) -> set[str]:
        self.asked += 1
        return set(self.marks.get(place, ()))

    def leave_mark(self, place: str, name: str) -> None:
        self.marks.setdefault(place, set()).update({name, self.rival} - {""})
        self.rival = ""

    def remove_mark(self, place: str, name: str) -> None:
        self.marks[place].discard(name)

    def sample_documents(self, place: str, shard: str, limit: int) -> list[str]:
        return self.rows.get(place, [])[:limit]


def opened(name: str | None, known: Sequence[str] = ()) -> Place:
    return Place("c1", Owner(lambda: name, lambda ids: sum(id in known for id in ids)))


def test_whoever_writes_first_has_the_place_and_the_next_one_a_place_of_its_own() -> None:
    store = Shared()
    assert opened("host-aaaa").find(store, "s", to_write=True) == "c1"
    assert opened("host-bbbb").find(store, "s", to_write=True) == "c1-bbbb"
    assert opened("host-aaaa").find(store, "s", to_write=False) == "c1"
    assert opened("host-bbbb").find(store, "s", to_write=False) == "c1-bbbb"


def test_a_place_of_the_first_release_is_its_trackers_who_knows_its_rows() -> None:
    store = Shared()
    store.rows["c1"] = ROWS
    assert opened("host-bbbb", known=ROWS[:5]).find(store, "s", to_write=True) == "c1-bbbb"
    assert opened("host-aaaa", known=ROWS[:9]).find(store, "s", to_write=True) == "c1"


def test_reading_leaves_no_mark_and_looks_once() -> None:
    store, place = Shared(), opened("host-aaaa")
    assert {place.find(store, "s", to_write=False) for _ in range(3)} == {"c1"}
    assert (store.marks, store.asked) == ({}, 1)
    assert place.find(store, "s", to_write=True) == "c1"
    assert store.marks == {"c1": {"host-aaaa"}}


def test_of_two_that_write_first_at_once_none_is_believed_to_be_alone() -> None:
    store = Shared()
    store.rival = "host-bbbb"
    assert opened("host-aaaa").find(store, "s", to_write=True) == "c1-aaaa"
    assert store.marks["c1"] == {"host-bbbb"}


def test_without_a_place_nothing_is_read_or_written() -> None:
    store = Shared()
    store.marks = {"c1": {"host-bbbb"}, "c1-aaaa": {"host-cccc"}}
    with pytest.raises(SettingsError, match="belongs to another installation"):
        opened("host-aaaa").find(store, "s", to_write=False)


def test_without_a_name_or_an_owner_nobody_asks() -> None:
    store = Shared()
    assert opened(None).find(store, "s", to_write=True) == "c1"
    assert Place("c1", None).find(store, "s", to_write=True) == "c1"
    assert store.asked == 0
