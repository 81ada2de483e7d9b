"""Rendezvous hashing moves only what has to move."""

from collections import Counter

import pytest

from embedmill.shared.sharding import reading_order, shard_for

DOCUMENTS = [f"document-{n}" for n in range(4000)]


def test_the_choice_is_the_same_on_every_machine() -> None:
    shards = ["s0", "s1", "s2", "s3"]
    assert [shard_for(f"document-{n}", shards) for n in range(6)] == ["s2", "s2", "s0", "s2", "s0", "s1"]
    assert all(shard_for(d, shards) == shard_for(d, shards[::-1]) for d in DOCUMENTS[:100])


@pytest.mark.parametrize("count", [1, 2, 5, 16])
def test_documents_spread_evenly(count: int) -> None:
    held = Counter(shard_for(d, [f"s{n}" for n in range(count)]) for d in DOCUMENTS)
    mean = len(DOCUMENTS) / count
    assert len(held) == count
    assert all(abs(number - mean) < 5 * mean**0.5 for number in held.values())


@pytest.mark.parametrize("count", [1, 3, 8])
def test_a_new_shard_takes_its_share_and_nothing_else_moves(count: int) -> None:
    before = [f"s{n}" for n in range(count)]
    after = [*before, "new"]
    moved = [d for d in DOCUMENTS if shard_for(d, before) != shard_for(d, after)]
    assert {shard_for(d, after) for d in moved} == {"new"}
    share = len(DOCUMENTS) / (count + 1)
    assert abs(len(moved) - share) < 5 * share**0.5


def test_removing_a_shard_moves_only_its_documents() -> None:
    before = ["s0", "s1", "s2"]
    moved = [d for d in DOCUMENTS if shard_for(d, before) != shard_for(d, before[:2])]
    assert {shard_for(d, before) for d in moved} == {"s2"}


@pytest.mark.parametrize(("before", "after"), [(2, 5), (5, 2), (1, 2), (3, 3)])
def test_readers_ask_the_shard_that_loses_a_document_before_the_one_that_gains_it(before: int, after: int) -> None:
    leaving, shards = ([f"s{n}" for n in range(count)] for count in (before, after))
    order = reading_order(leaving, shards)
    assert sorted(order) == sorted({*leaving, *shards})
    for document in DOCUMENTS[:500]:
        old, new = shard_for(document, leaving), shard_for(document, shards)
        assert order.index(old) <= order.index(new)


def test_outside_a_move_the_order_is_that_of_the_shards() -> None:
    assert reading_order((), ("b", "a")) == ("b", "a")
