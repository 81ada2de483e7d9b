"""Owns what a collection calls things, as far as it is known: its terms with their synonyms, and its owner's words."""

from collections.abc import Iterable, Sequence
from functools import cached_property

from embedmill.shared.words.queries import parse_text
from embedmill.shared.words.query_words import QueryWord

MOST_SHOWN = 60
"""So many terms are shown to a model: those with words of the question first, then those of the most documents."""
MOST_NAMES = 4
"""So many names of one term are shown."""


class Vocabulary:
    """What a collection calls things.

    Each of the groups is a term and its synonyms, those of the most documents first; `domain` is what the owner says.
    """

    def __init__(self, groups: Iterable[Sequence[str]], domain: str = "") -> None:
        self._groups = [tuple(group) for group in groups if group]
        self._domain = domain

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known of the collection's wording."""
        return not self._groups and not self._domain.strip()

    def knows(self, word: QueryWord) -> bool:
        """Whether a word, in any form, is one of the collection's."""
        return not self._terms.isdisjoint(word.terms)

    def show(self, question: str) -> str:
        """The terms that may matter to a question, one a line."""
        asked = _terms(question)
        near = sorted(self._groups, key=lambda group: asked.isdisjoint(self._terms_of[group]))
        return "\n".join(_line(group) for group in near[:MOST_SHOWN])

    @cached_property
    def _terms_of(self) -> dict[tuple[str, ...], frozenset[int]]:
        return {group: _terms(" ".join(group)) for group in self._groups}

    @cached_property
    def _terms(self) -> frozenset[int]:
        return frozenset().union(_terms(self._domain), *self._terms_of.values())


def _terms(text: str) -> frozenset[int]:
    return frozenset(term for word in parse_text(text).words if not word.functional for term in word.terms)


def _line(group: Sequence[str]) -> str:
    term, *others = (" ".join(name.split()) for name in group[:MOST_NAMES])
    return f"{term}; also: {', '.join(others)}" if others else term
