"""Owns what a user's query says: words, "phrases" and -exclusions; everything else is text."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from embedmill.shared.words.cutting import WORD, term_id
from embedmill.shared.words.weighing import WordCounts, Wording, rarity


@dataclass(frozen=True, slots=True)
class QueryWord:
    """One word of a query with the terms that stand for it (a stem for each language, say) and its share of weight."""

    text: str
    terms: tuple[int, ...]
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words that have to stand side by side in one field."""

    text: str

    def held_by(self, *fields: str) -> bool:
        """Whether one of the fields holds the phrase."""
        return any(self.text.casefold() in field.casefold() for field in fields)


@dataclass(frozen=True, slots=True)
class WordQuery:
    """A query as its user meant it.

    `words` has the phrases' words too. `plain` is the text without signs and exclusions: what is embedded.
    """

    plain: str
    words: tuple[QueryWord, ...] = ()
    phrases: tuple[Phrase, ...] = ()
    excluded: tuple[QueryWord, ...] = ()
    excluded_phrases: tuple[Phrase, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def terms(self) -> tuple[int, ...]:
        """All terms that add to a score."""
        return tuple(dict.fromkeys(term for word in self.words for term in word.terms))


def parse_query(text: str) -> WordQuery:
    """The parts of a query."""
    words = dict.fromkeys(WORD.findall(text.casefold()))
    return WordQuery(text, tuple(QueryWord(word, (term_id(word),)) for word in words))


def weigh(query: WordQuery, counted: WordCounts, *, extra: Mapping[int, float] | None = None) -> Wording:
    """The wording that stores score: terms that no row holds are left out; `extra` adds terms (feedback, expansion)."""
    weights: dict[int, float] = {}
    holding = counted.holding or {}
    for word in query.words:
        for term in word.terms:
            if held := holding.get(term, 0):
                weights[term] = weights.get(term, 0.0) + word.weight * rarity(held, counted.rows)
    for term, weight in (extra or {}).items():
        weights[term] = weights.get(term, 0.0) + weight
    return Wording(dict(sorted(weights.items())), max(counted.words / counted.rows, 1.0) if counted.rows else 1.0)
