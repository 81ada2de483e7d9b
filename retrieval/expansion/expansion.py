"""Owns expansion: other names of what a query names are looked for too, and count less than the user's own words.

Nothing of the query is replaced, and no model is asked.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

from embedmill.retrieval.expansion.thesaurus import TermMatch, Thesaurus
from embedmill.retrieval.expansion.units import Unit, units_of_query
from embedmill.shared.words.queries import WordQuery, parse_text, weight_of
from embedmill.shared.words.query_words import QueryWord
from embedmill.shared.words.weighing import WordCounts

EXPAND = "expand"
MOST_NAMES = 8
"""So many names are added to a query at most."""
SHARE = 0.4
"""What an added name weighs of the words that it stands beside, at most."""
MOST_SHARE = 0.5
"""What all added names weigh of all of the user's words, at most."""


@dataclass(frozen=True, slots=True)
class AddedName:
    """Another name of what a query names: its words, and the terms of the user's words that it stands beside."""

    text: str
    words: tuple[QueryWord, ...]
    beside: frozenset[int]


def expand(query: str, words: WordQuery, thesaurus: Thesaurus) -> tuple[AddedName, ...]:
    """Other names of what stands in a query, of each thing in turn, none of them twice."""
    units = units_of_query(query)
    matches = [match for match in thesaurus.find(units) if _says_something(units, match, words)]
    in_turn = chain.from_iterable(zip_longest(*(list(_names(units, match)) for match in matches)))
    known = set(words.terms)
    added: list[AddedName] = []
    for name in in_turn:
        if name is not None and len(added) < MOST_NAMES and (new := _new_words(name.words, known)):
            added.append(AddedName(name.text, new, name.beside))
            known.update(term for word in new for term in word.terms)
    return tuple(added)


def weigh_added(added: Sequence[AddedName], query: WordQuery, counted: WordCounts) -> dict[int, float]:
    """What the terms of added names weigh; those that no row holds are left out."""
    if not added:
        return {}
    shares = [_bounded(name, query, counted) for name in added]
    most = MOST_SHARE * math.fsum(weight_of(word, counted) for word in query.words)
    total = math.fsum(weight for words in shares for _, weight in words)
    scale = min(1.0, most / total) if total else 0.0
    holding = counted.holding or {}
    return {
        term: scale * weight for words in shares for word, weight in words for term in word.terms if holding.get(term)
    }


def _bounded(name: AddedName, query: WordQuery, counted: WordCounts) -> list[tuple[QueryWord, float]]:
    """The words of a name, which weigh together no more than a share of what they stand beside."""
    weights = [weight_of(word, counted) for word in name.words]
    stood_for = math.fsum(weight_of(word, counted) for word in query.words if not name.beside.isdisjoint(word.terms))
    total = math.fsum(weights)
    scale = SHARE * min(1.0, stood_for / total) if total else 0.0
    return [(word, scale * weight) for word, weight in zip(name.words, weights, strict=True)]


def _says_something(units: Sequence[Unit], match: TermMatch, words: WordQuery) -> bool:
    """Whether one of the words that were found counts: `is it possible` does not ask for information technology."""
    functional = frozenset(term for word in words.words if word.functional for term in word.terms)
    return any(unit.isdisjoint(functional) for unit in units[match.start : match.end])


def _names(units: Sequence[Unit], match: TermMatch) -> Iterator[AddedName]:
    beside = frozenset(chain.from_iterable(units[match.start : match.end]))
    for other in match.others:
        yield AddedName(other, parse_text(other).words, beside)


def _new_words(words: Sequence[QueryWord], known: set[int]) -> tuple[QueryWord, ...]:
    return tuple(word for word in words if not word.functional and known.isdisjoint(word.terms))
