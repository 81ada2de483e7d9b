"""What a service returns is published by one rule."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum

from embedmill.console.rendering import FIRST, LEFT_OUT, published_as, to_json


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True, slots=True)
class Inner:
    count: int
    dead_again: int = field(metadata=published_as("dead again"))


@dataclass(frozen=True, slots=True)
class Outer:
    colour: Colour
    inner: tuple[Inner, ...]
    by_colour: dict[Colour, Inner]
    nothing: str | None = None
    absent: str | None = field(default=None, metadata=LEFT_OUT)


def test_a_result_is_its_fields_in_their_order() -> None:
    inner = Inner(1, 2)
    rendered = to_json(Outer(Colour.RED, (inner,), {Colour.RED: inner}))
    inner_json = {"count": 1, "dead again": 2}
    assert rendered == {"colour": "red", "inner": [inner_json], "by_colour": {"red": inner_json}, "nothing": None}
    assert list(rendered) == ["colour", "inner", "by_colour", "nothing"]
    assert type(rendered["colour"]) is str


@dataclass(frozen=True, slots=True)
class Named(Inner):
    size: int
    name: str = field(metadata=FIRST)


def test_a_field_may_come_before_inherited_ones() -> None:
    assert list(to_json(Named(1, 2, 3, "it"))) == ["name", "count", "dead again", "size"]


def test_a_field_may_be_left_out_while_it_is_none() -> None:
    assert to_json(Outer(Colour.RED, (), {}, absent="here"))["absent"] == "here"


def test_times_are_told_in_utc_to_the_second() -> None:
    moment = datetime(2026, 11, 29, 14, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=2)))
    assert to_json(moment) == to_json(moment.astimezone(UTC)) == "2026-11-29T12:00:00Z"
