"""Owns what models are asked about: the texts that a search found, and what was thought of them."""

from dataclasses import dataclass

from embedmill.retrieval.quotes import QuoteKind

LOWEST, HIGHEST = 1, 5
RELEVANT = 4
"""From this score on a text answers the question."""


@dataclass(frozen=True, slots=True)
class Passage:
    """One text that a search found; `similarity` is absolute, from 0 to 1. A table's head goes before `body_at`."""

    id: str
    document: str
    uri: str
    title: str
    section: str
    text: str
    similarity: float = 0.0
    body_at: int = 0


@dataclass(frozen=True, slots=True)
class Quote:
    """Words of a passage, with their offsets in characters of the passage's text."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Grade:
    """What a model said of a passage: a score from 1 to 5, and the quote that bears it.

    A score that is not borne out is 1: `fault` says what the quote turned out to be.
    """

    score: int
    quote: Quote | None = None
    fault: QuoteKind | None = None
