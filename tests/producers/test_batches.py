"""What a source holds is cut into batches by number, by size and by time."""

from itertools import count

from embedmill.producers.batches import BATCH_BYTES, BATCH_SECONDS, cut
from embedmill.producers.sources.base import HeldItem, Skipped

THINGS = [Skipped(f"file:///{number}", "") for number in range(7)]


def still() -> float:
    return 0.0


def test_a_batch_has_so_many_items_and_the_last_one_may_be_empty() -> None:
    assert [len(batch) for batch in cut(THINGS[:6], 3, clock=still)] == [3, 3, 0]


def test_a_batch_holds_so_many_bytes() -> None:
    large = [HeldItem(f"https://docs.example/{number}", b"x" * (BATCH_BYTES // 2)) for number in range(3)]
    assert [len(batch) for batch in cut(large, 100, clock=still)] == [2, 1]


def test_what_comes_slowly_is_recorded_while_more_is_read() -> None:
    ticks = count(step=int(BATCH_SECONDS) / 2)
    assert [len(batch) for batch in cut(THINGS, 100, clock=lambda: next(ticks))] == [2, 2, 2, 1]
