"""Places worth a look: where a literal stands that a pattern cannot do without.

All literals of all detectors are found in one pass (Aho-Corasick).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from ahocorasick_rs import AhoCorasick, Implementation


class Literals:
    """Literals that are looked for together; one that is part of another is found within it, too."""

    def __init__(self, literals: Iterable[str]) -> None:
        self._literals = sorted(set(literals))

    @cached_property
    def _automaton(self) -> AhoCorasick:
        return AhoCorasick(self._literals, implementation=Implementation.DFA)

    def find(self, text: str) -> "Anchors":
        """Where they stand in a text."""
        places: dict[str, list[int]] = {}
        for number, start, _ in self._automaton.find_matches_as_indexes(text, overlapping=True):
            places.setdefault(self._literals[number], []).append(start)
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

    def __bool__(self) -> bool:
        """Whether any stands somewhere."""
        return bool(self._places)

    def __iter__(self) -> Iterator[str]:
        """The literals that stand somewhere."""
        return iter(self._places)

    def at(self, literal: str) -> Sequence[int]:
        """Where one begins."""
        return self._places.get(literal, ())

    def of(self, literals: frozenset[str]) -> list[int]:
        """Where each of the literals begins."""
        if literals.isdisjoint(self._places):
            return []
        return [place for literal, places in self._places.items() if literal in literals for place in places]

    def around(self, literals: frozenset[str], *, before: int, after: int) -> Iterable[tuple[int, int]]:
        """Spans of so many characters around the literals, in order; those that touch are one."""
        places = self.of(literals)
        return merged([(place - before, place + after) for place in places], self._length) if places else ()


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
