"""What every embedding cache promises, wherever its home is. Tests of one bring the fixtures `cache` and `again`.

`again` opens the same cache once more, as another process or host would.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from embedmill.shared.caches.embeddings import CHECKSUM_BYTES, DOCUMENT, KINDS, QUERY, EmbeddingCache, Size

Again = Callable[[], EmbeddingCache]


def address(number: int) -> bytes:
    return number.to_bytes(32, "big")


def vector(number: int) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    """Of numbers that lose nothing in half the width."""
    return np.random.default_rng(number).standard_normal(8).astype(np.float16).astype(np.float32)


VECTOR_BYTES = 8 * 2 + CHECKSUM_BYTES
QUERY_BYTES = 8 * 4 + CHECKSUM_BYTES


def evict(cache: EmbeddingCache, **changed: Any) -> dict[str, Size]:
    """Evict everything, but for what is said otherwise."""
    wanted: dict[str, Any] = {"kinds": KINDS, "unused_seconds": -1.0, "freeing": None, "limit": 1000}
    return cache.evict(**wanted | changed)


class CacheContract:
    """What was paid for is there afterwards, for everybody, bit by bit; and is paid for once."""

    def test_vectors_come_back_bit_by_bit(self, cache: EmbeddingCache) -> None:
        cache.put_many({address(n): vector(n) for n in range(3)})
        found = cache.get_many([address(n) for n in range(5)])
        assert set(found) == {address(n) for n in range(3)}
        assert all(np.array_equal(found[address(n)], vector(n)) for n in range(3))

    def test_a_documents_vector_is_kept_in_half_the_width_and_a_querys_as_it_is(self, cache: EmbeddingCache) -> None:
        exact = np.random.default_rng(7).standard_normal((3, 1536)).astype(np.float32)
        exact /= np.linalg.norm(exact, axis=1, keepdims=True)
        cache.put_many({address(0): exact[0]})
        cache.put_many({address(1): exact[1]}, kind=QUERY)
        cache.put_many({address(2): exact[2] * 1e6})
        found = cache.get_many([address(n) for n in range(3)])
        assert abs(float(found[address(0)] @ exact[0]) - 1) < 1e-5
        assert np.array_equal(found[address(1)], exact[1])
        assert np.array_equal(found[address(2)], exact[2] * np.float32(1e6)), "it has no room in half the width"
        assert cache.measure()[DOCUMENT] == Size(2, 1536 * 6 + 2 * CHECKSUM_BYTES)

    def test_what_is_only_noted_is_known_and_has_no_vector(self, cache: EmbeddingCache, again: Again) -> None:
        cache.put_many({address(1): vector(1)})
        assert cache.note_many([address(n) for n in range(3)]) == {address(0), address(2)}
        assert again().note_many([address(0), address(3)]) == {address(3)}
        assert cache.find_known([address(n) for n in range(5)], dimensions=0) == {address(n) for n in range(4)}
        assert np.array_equal(cache.get_many([address(1)])[address(1)], vector(1)), "a vector stays"
        assert cache.measure() == {DOCUMENT: Size(4, VECTOR_BYTES)}
        assert evict(cache) == {DOCUMENT: Size(4, VECTOR_BYTES)}
        assert cache.note_many([address(0)]) == {address(0)}
        assert cache.note_many([]) == set()

    def test_where_a_vector_is_wanted_a_note_is_none(self, cache: EmbeddingCache) -> None:
        cache.note_many([address(1)])
        assert cache.find_known([address(1)], dimensions=8) == set()
        assert cache.reserve([address(1)], owner="a", seconds=60) == {address(1)}
        cache.put_many({address(1): vector(1)})
        assert cache.find_known([address(1)], dimensions=8) == {address(1)}

    def test_what_is_damaged_is_dropped_counted_and_made_anew(self, cache: EmbeddingCache, again: Again) -> None:
        cache.put_many({address(n): vector(n) for n in range(3)})
        cache.drop_damaged([address(1)])
        assert set(cache.get_many([address(n) for n in range(3)], dimensions=8)) == {address(0), address(2)}
        assert again().count_damaged() == 1
        assert cache.get_many([address(0)], dimensions=9) == {}
        assert (cache.count_damaged(), cache.count()) == (2, 1)
        assert cache.measure() == {DOCUMENT: Size(1, VECTOR_BYTES)}
        assert cache.reserve([address(1)], owner="a", seconds=60) == {address(1)}
        cache.put_many({address(1): vector(1)})
        assert np.array_equal(again().get_many([address(1)])[address(1)], vector(1))

    def test_what_is_forgotten_is_gone_and_counts_as_no_damage(self, cache: EmbeddingCache, again: Again) -> None:
        cache.put_many({address(n): vector(n) for n in range(3)})
        cache.forget_many([address(1), address(7)])
        assert set(again().get_many([address(n) for n in range(3)])) == {address(0), address(2)}
        assert (cache.count_damaged(), cache.count()) == (0, 2)
        assert cache.measure() == {DOCUMENT: Size(2, 2 * VECTOR_BYTES)}
        assert isinstance(cache.wipe(), str)
        assert set(cache.get_many([address(n) for n in range(3)])) == {address(0), address(2)}

    def test_nothing_is_asked_and_nothing_stored(self, cache: EmbeddingCache) -> None:
        assert cache.get_many([]) == {}
        cache.put_many({})
        assert cache.reserve([], owner="a", seconds=60) == set()
        assert cache.find_holders([]) == set()

    def test_more_addresses_than_one_statement_takes_are_looked_up(self, cache: EmbeddingCache) -> None:
        cache.put_many({address(n): vector(n) for n in range(1201)})
        assert len(cache.get_many([address(n) for n in range(1300)])) == cache.count() == 1201

    def test_a_known_address_keeps_its_vector(self, cache: EmbeddingCache) -> None:
        cache.put_many({address(1): vector(1)})
        cache.put_many({address(1): vector(2)})
        assert np.array_equal(cache.get_many([address(1)])[address(1)], vector(1))

    def test_another_opening_sees_what_is_stored(self, cache: EmbeddingCache, again: Again) -> None:
        cache.put_many({address(1): vector(1)})
        assert again().count() == 1

    def test_an_address_is_reserved_for_one_owner(self, cache: EmbeddingCache, again: Again) -> None:
        assert cache.reserve([address(1), address(2)], owner="a", seconds=60) == {address(1), address(2)}
        assert again().reserve([address(2), address(3)], owner="b", seconds=60) == {address(3)}
        assert cache.find_holders([address(n) for n in range(1, 4)]) == {"a", "b"}

    def test_the_owner_may_reserve_again(self, cache: EmbeddingCache) -> None:
        cache.reserve([address(1)], owner="a", seconds=60)
        assert cache.reserve([address(1)], owner="a", seconds=60) == {address(1)}

    def test_what_is_stored_is_not_reserved(self, cache: EmbeddingCache) -> None:
        cache.put_many({address(1): vector(1)})
        assert cache.reserve([address(1), address(2)], owner="a", seconds=60) == {address(2)}

    def test_storing_and_releasing_end_a_reservation(self, cache: EmbeddingCache) -> None:
        cache.reserve([address(1), address(2)], owner="a", seconds=60)
        cache.put_many({address(1): vector(1)})
        cache.release("a")
        assert cache.find_holders([address(1), address(2)]) == set()
        assert cache.reserve([address(1), address(2)], owner="b", seconds=60) == {address(2)}

    def test_a_reservation_that_ran_out_is_taken_over(self, cache: EmbeddingCache) -> None:
        cache.reserve([address(1)], owner="a", seconds=-1)
        assert cache.reserve([address(1)], owner="b", seconds=60) == {address(1)}

    def test_a_reservation_of_a_clock_that_was_put_back_is_taken_over(self, cache: EmbeddingCache) -> None:
        cache.reserve([address(1)], owner="a", seconds=10 * 3600)
        assert cache.reserve([address(1)], owner="b", seconds=60) == {address(1)}

    def test_of_many_that_want_the_same_texts_at_once_each_text_goes_to_one(
        self, cache: EmbeddingCache, again: Again
    ) -> None:
        wanted = [address(n) for n in range(80)]

        def embed(owner: str) -> int:
            mine, made = again(), 0
            while missing := [a for a in wanted if a not in mine.get_many(wanted)]:
                reserved = mine.reserve(missing, owner=owner, seconds=60)
                mine.put_many({a: vector(1) for a in sorted(reserved)[:20]})
                made += len(reserved) - len(sorted(reserved)[20:])
                mine.release(owner)
            return made

        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(embed, "abcd")) == 80

    def test_what_is_held_is_measured_by_kind(self, cache: EmbeddingCache) -> None:
        assert cache.measure() == {}
        cache.put_many({address(n): vector(n) for n in range(3)})
        cache.put_many({address(n): vector(n) for n in range(2, 5)}, kind=QUERY)
        assert cache.measure() == {DOCUMENT: Size(3, 3 * VECTOR_BYTES), QUERY: Size(2, 2 * QUERY_BYTES)}
        assert cache.count() == 5

    def test_what_was_just_used_is_not_evicted(self, cache: EmbeddingCache) -> None:
        cache.put_many({address(1): vector(1)})
        assert evict(cache, unused_seconds=60.0) == {}
        assert cache.count() == 1

    def test_what_was_evicted_is_gone_may_be_reserved_and_stored_again(self, cache: EmbeddingCache) -> None:
        cache.put_many({address(n): vector(n) for n in range(3)})
        assert evict(cache) == {DOCUMENT: Size(3, 3 * VECTOR_BYTES)}
        assert (cache.get_many([address(1)]), cache.measure(), cache.count()) == ({}, {}, 0)
        assert cache.reserve([address(1)], owner="a", seconds=60) == {address(1)}
        cache.put_many({address(1): vector(9)})
        assert np.array_equal(cache.get_many([address(1)])[address(1)], vector(9))
        assert cache.measure() == {DOCUMENT: Size(1, VECTOR_BYTES)}

    def test_only_the_kinds_that_are_named_are_evicted(self, cache: EmbeddingCache) -> None:
        cache.put_many({address(1): vector(1)})
        cache.put_many({address(2): vector(2)}, kind=QUERY)
        assert evict(cache, kinds=[QUERY]) == {QUERY: Size(1, QUERY_BYTES)}
        assert set(cache.get_many([address(1), address(2)])) == {address(1)}

    def test_no_more_goes_than_is_wanted_and_the_oldest_first(self, cache: EmbeddingCache) -> None:
        for number in range(6):
            cache.put_many({address(number): vector(number)}, kind=KINDS[number % 2])
        assert sum(size.entries for size in evict(cache, freeing=VECTOR_BYTES + 1).values()) == 2
        assert set(cache.get_many([address(n) for n in range(6)])) == {address(n) for n in range(2, 6)}
        assert sum(size.entries for size in evict(cache, limit=3).values()) == 3
        assert set(cache.get_many([address(n) for n in range(6)])) == {address(5)}
        assert evict(cache, freeing=0) == {}

    def test_storing_again_what_is_known_counts_as_a_use(self, cache: EmbeddingCache) -> None:
        for number in range(3):
            cache.put_many({address(number): vector(number)})
        cache.put_many({address(0): vector(0)}, kind=QUERY)
        evict(cache, freeing=2 * VECTOR_BYTES)
        assert set(cache.get_many([address(n) for n in range(3)])) == {address(0)}
        assert cache.measure() == {DOCUMENT: Size(1, VECTOR_BYTES)}, "it keeps its kind"
