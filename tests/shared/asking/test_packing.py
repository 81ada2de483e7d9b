"""Packing texts into requests: never over a limit, nothing lost, hardly more requests than there must be."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedmill.shared.asking.packing import ItemSize, Plan, Room, lower_bound, pack

SIZES = st.lists(st.builds(ItemSize, st.integers(0, 60), st.integers(0, 200)), max_size=80)
ROOMS = st.builds(Room, st.integers(1, 12), st.none() | st.integers(1, 100), st.none() | st.integers(1, 400))
OPENAI = Room(inputs=2048, tokens=300_000)


def fits(request: list[int], sizes: list[ItemSize], room: Room) -> bool:
    tokens, bytes_ = (sum(getattr(sizes[p], name) for p in request) for name in ("tokens", "bytes"))
    within = (room.tokens is None or tokens <= room.tokens) and (room.bytes is None or bytes_ <= room.bytes)
    return len(request) <= room.inputs and (within or len(request) == 1)


@given(SIZES, ROOMS)
def test_every_text_is_in_one_request_and_no_request_is_over_a_limit(sizes: list[ItemSize], room: Room) -> None:
    plan = pack(sizes, room)
    assert sorted(position for request in plan for position in request) == list(range(len(sizes)))
    assert all(request == sorted(request) for request in plan)
    assert all(fits(request, sizes, room) for request in plan)


@given(st.lists(st.builds(ItemSize, st.integers(1, 8191)), max_size=400))
def test_requests_are_as_few_as_openai_allows(sizes: list[ItemSize]) -> None:
    least = lower_bound(sizes, OPENAI)
    assert len(pack(sizes, OPENAI)) <= max(least, int(1.02 * least) + (least * 300_000 - total(sizes) < 10_000))


def total(sizes: list[ItemSize]) -> int:
    return sum(size.tokens for size in sizes)


def lognormal(count: int) -> list[ItemSize]:
    draw = random.Random(1)
    return [ItemSize(min(max(1, int(draw.lognormvariate(6, 1))), 8191)) for _ in range(count)]


@pytest.mark.parametrize(
    "sizes",
    [
        [ItemSize(512)] * 20_000,
        [ItemSize(8000)] * 1500,
        lognormal(30_000),
        sorted(lognormal(30_000), key=lambda size: size.tokens),
        [ItemSize(10)] * 20_480 + [ItemSize(8000)] * 370,
        [ItemSize(8000), ItemSize(10), ItemSize(10)] * 3000,
    ],
    ids=["equal", "long", "natural", "sorted", "all the short ones first", "mixed"],
)
def test_requests_are_within_two_per_cent_of_the_fewest(sizes: list[ItemSize]) -> None:
    # Of 8,000-token texts no more than 37 fit a request, whatever the sum says.
    least = max(lower_bound(sizes, OPENAI), -(-sum(size.tokens == 8000 for size in sizes) // 37))
    assert len(pack(sizes, OPENAI)) <= 1.02 * least


def test_neighbours_stay_together_where_that_costs_nothing() -> None:
    plan: Plan = pack([ItemSize(3)] * 10, Room(inputs=4, tokens=12))
    assert plan == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_many_texts_are_packed_in_no_time() -> None:
    assert len(pack(lognormal(200_000), OPENAI)) < 1000
