"""Owns what is remembered of a calculation: its latest results, as many as there is room for, in a plain dict."""

from collections.abc import Callable
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Remembered(dict[K, V]):
    """What `find` says of each key, of the `most` that were met lately or at least of half of these.

    A look at what is known costs no call of a function, so that `map(remembered.__getitem__, keys)` reads a text.
    """

    def __init__(self, find: Callable[[K], V], *, most: int) -> None:
        super().__init__()
        self._find = find
        self._half = most // 2
        self._before: dict[K, V] = {}

    def __missing__(self, key: K) -> V:
        found = self._before.get(key)
        return self.keep(key, self._find(key) if found is None else found)

    def keep(self, key: K, value: V) -> V:
        """Remember a value that was found otherwise; returns it."""
        if len(self) >= self._half:
            self._before = dict(self)
            self.clear()
        self[key] = value
        return value
