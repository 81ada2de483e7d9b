"""Cuts what is too much for one statement or request into pages."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def pages(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items in their order, at most `size` at a time."""
    return (items[start : start + size] for start in range(0, len(items), size))


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The same of what is not there yet."""
    left = iter(items)
    while some := list(islice(left, size)):
        yield some


def walk(find: Callable[[str], Sequence[T]], *, key: Callable[[T], str]) -> Iterator[Sequence[T]]:
    """The pages that `find` has after a key, from the beginning until one is empty."""
    after = ""
    while found := find(after):
        yield found
        after = key(found[-1])
