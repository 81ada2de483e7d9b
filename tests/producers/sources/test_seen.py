"""What a scan has met before: nothing is forgotten, and memory does not grow with the source."""

from hypothesis import given
from hypothesis import strategies as st

from embedmill.producers.sources.seen import SeenKeys


def mark(number: int) -> bytes:
    return number.to_bytes(16, "big")


@given(st.lists(st.lists(st.integers(0, 60), min_size=1, max_size=3)), st.integers(1, 10))
def test_it_knows_what_a_dictionary_knows(steps: list[list[int]], most_in_memory: int) -> None:
    seen, model = SeenKeys(most_in_memory), dict[int, int]()
    for line, numbers in enumerate(steps, start=1):
        known = {model[n] for n in numbers if n in model}
        assert (seen.find([mark(n) for n in numbers]) in known) if known else not seen.find([mark(n) for n in numbers])
        new = [n for n in numbers if n not in model]
        seen.add([mark(n) for n in new], line)
        model |= dict.fromkeys(new, line)


def test_marks_beyond_a_bound_are_not_kept_in_memory() -> None:
    seen = SeenKeys(most_in_memory=100)
    for number in range(5_000):
        seen.add([mark(number)], number)
        assert len(seen._young) < 100
    assert all(seen.find([mark(number)]) == number for number in range(5_000))
    assert seen.find([mark(5_001)]) is None
