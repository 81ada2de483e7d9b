"""What a scan has met before: nothing is forgotten, and memory does not grow with the source."""

from hypothesis import given
from hypothesis import strategies as st

from producers.sources.seen import Seen


def mark(number: int) -> bytes:
    return number.to_bytes(16, "big")


@given(st.lists(st.lists(st.integers(0, 60), min_size=1, max_size=3)), st.integers(1, 10))
def test_it_knows_what_a_set_knows(steps: list[list[int]], most_in_memory: int) -> None:
    seen, model = Seen(most_in_memory), set[int]()
    for numbers in steps:
        assert seen.has_any([mark(n) for n in numbers]) == bool(model & set(numbers))
        seen.add([mark(n) for n in numbers])
        model |= set(numbers)


def test_marks_beyond_a_bound_are_not_kept_in_memory() -> None:
    seen = Seen(most_in_memory=100)
    for number in range(5_000):
        seen.add([mark(number)])
        assert len(seen._young) < 100
    assert all(seen.has_any([mark(number)]) for number in range(5_000))
    assert not seen.has_any([mark(5_001)])
