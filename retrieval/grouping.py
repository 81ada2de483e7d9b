"""Owns how the chunks of one document stand among those of others."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def spread(items: Iterable[T], document: Callable[[T], str], *, limit: int) -> Iterator[T]:
    """The first `limit` items of each document in their order, then the others in theirs: nothing is lost."""
    taken: Counter[str] = Counter()
    rest: list[T] = []
    for item in items:
        taken[document(item)] += 1
        if taken[document(item)] <= limit:
            yield item
        else:
            rest.append(item)
    yield from rest
