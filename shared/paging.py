"""Cuts what is too much for one statement or request into pages."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def pages(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items in their order, at most `size` at a time."""
    return (items[start : start + size] for start in range(0, len(items), size))
