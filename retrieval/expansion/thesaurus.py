"""Owns what a collection's documents call the same thing: a term with its synonyms, as ingestion found them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from embedmill.retrieval.expansion.units import STAYS, Unit, units_of
from embedmill.shared.words.folding import fold, normalise

LEAST_SIGNS = 2
"""Of a name that is looked for: one sign is a part of too much else."""


@dataclass(frozen=True, slots=True)
class TermMatch:
    """A place of a query where something stands that has other names, by the places of its words."""

    start: int
    end: int
    others: tuple[str, ...]
    """The other names, the term's own first."""


@dataclass(slots=True)
class _Name:
    units: tuple[Unit, ...]
    others: dict[str, str] = field(default_factory=dict)
    """Other names by their folded form: what is there twice is there once."""


class Thesaurus:
    """Looks up names in a query. Each of the groups is a term and its synonyms, those of the most documents first.

    A name finds its whole group, be it the term or a synonym. One that is in several groups finds all of them.
    """

    def __init__(self, groups: Iterable[Sequence[str]]) -> None:
        self._names: dict[str, _Name] = {}
        for group in groups:
            for name in group:
                self._add(name, group)
        self._by_first: dict[int, list[_Name]] = {}
        for found in self._names.values():
            for term in found.units[0]:
                self._by_first.setdefault(term, []).append(found)

    def find(self, units: Sequence[Unit]) -> list[TermMatch]:
        """The names that stand in a query, none within another: the longest first, and of equals the first."""
        found = sorted(self._matches(units), key=lambda match: (match.start - match.end, match.start))
        taken: set[int] = set()
        kept: dict[tuple[int, int], TermMatch] = {}
        for match in found:
            place = (match.start, match.end)
            if place in kept:
                others = dict.fromkeys((*kept[place].others, *match.others))
                kept[place] = TermMatch(*place, tuple(others))
            elif taken.isdisjoint(range(*place)):
                kept[place] = match
                taken.update(range(*place))
        return list(kept.values())

    def _add(self, name: str, group: Sequence[str]) -> None:
        units = tuple(units_of(name))
        key = _key(name)
        if not units or STAYS in units or len(key) < LEAST_SIGNS:
            return  # A name with a code in it stands in no query as words, though it may be added to one.
        known = self._names.setdefault(key, _Name(units))
        for other in group:
            if _key(other) != key:
                known.others.setdefault(_key(other), other)

    def _matches(self, units: Sequence[Unit]) -> Iterator[TermMatch]:
        for start, unit in enumerate(units):
            starting = {id(name): name for term in unit for name in self._by_first.get(term, ())}
            for name in starting.values():
                end = start + len(name.units)
                if end <= len(units) and _same(units[start:end], name.units):
                    yield TermMatch(start, end, tuple(name.others.values()))


def _same(units: Sequence[Unit], others: Sequence[Unit]) -> bool:
    return all(not unit.isdisjoint(other) for unit, other in zip(units, others, strict=True))


def _key(name: str) -> str:
    return " ".join(fold(normalise(name)).split())
