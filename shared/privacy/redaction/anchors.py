"""Places worth a look: where a literal stands that a pattern cannot do without.

All literals of all detectors are found in one pass (RE2), which costs a tenth of looking for one after the other.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import re2


class Literals:
    """Literals that are looked for together; one that is part of another is found within it, too."""

    def __init__(self, literals: Iterable[str]) -> None:
        self._literals = sorted(set(literals), key=lambda literal: (-len(literal), literal))
        self._within = {
            outer: [(inner, outer.index(inner)) for inner in self._literals if inner in outer]
            for outer in self._literals
        }

    @cached_property
    def _pattern(self) -> Any:
        return re2.compile("|".join(map(re2.escape, self._literals)))

    def find(self, text: str) -> "Anchors":
        """Where they stand in a text."""
        places: dict[str, list[int]] = {}
        for match in self._pattern.finditer(text):
            start = match.start()
            for literal, offset in self._within[match[0]]:
                places.setdefault(literal, []).append(start + offset)
        return Anchors(places, len(text))


class Anchors:
    """Where literals stand in a text of a length."""

    __slots__ = ("_length", "_places")

    def __init__(self, places: Mapping[str, Sequence[int]], length: int) -> None:
        self._places = places
        self._length = length

    def has(self, literal: str) -> bool:
        """Whether a literal stands anywhere."""
        return literal in self._places

    def of(self, literals: Iterable[str]) -> Iterator[int]:
        """Where each of the literals begins."""
        for literal in literals:
            yield from self._places.get(literal, ())

    def around(self, literals: Iterable[str], *, before: int, after: int) -> Iterator[tuple[int, int]]:
        """Spans of so many characters around the literals, in order; those that touch are one."""
        return merged(((place - before, place + after) for place in self.of(literals)), self._length)


def merged(spans: Iterable[tuple[int, int]], length: int) -> Iterator[tuple[int, int]]:
    """Spans in order within a text of a length, those that touch as one."""
    start = end = -1
    for first, last in sorted(spans):
        if first <= end:
            end = max(end, last)
            continue
        if end > 0:
            yield max(0, start), min(end, length)
        start, end = first, last
    if end > 0:
        yield max(0, start), min(end, length)
