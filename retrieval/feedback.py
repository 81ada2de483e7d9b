"""Owns feedback from the first hits, as pure functions: what words they share says what else belongs to the answer.

The rare words of the first few chunks (Rocchio's method on words) score the candidates that are there already: nothing
else is looked for, so that it costs the same in a collection of any size. The first hits are those of the fused order,
which depends on the documents alone, and so does the outcome.
"""

import math
from collections.abc import Mapping, Sequence

from embedmill.retrieval.fusion import ranked
from embedmill.shared.words.counts import TermCounts
from embedmill.shared.words.queries import WordQuery
from embedmill.shared.words.weighing import SATURATION, WordCounts, Wording, impacts, rarity

FIRST = 3
"""So many of the first chunks are read."""
MOST_TERMS = 50
COMMON = 0.25
"""A term that more than this share of all chunks holds says nothing of the first."""


def why_not(query: WordQuery, weight: float) -> str:
    """Why a query has no use for feedback; empty if it has."""
    if not weight:
        return "it is switched off"
    if query.phrases:
        return "a phrase is asked for to the letter"
    if any(word.part_of for word in query.words):
        return "what is asked for is named to the letter"
    return ""


def weigh_terms(first: Sequence[TermCounts], mean_length: float) -> dict[int, float]:
    """The terms of the first chunks, best first, by how much they say of each; the first chunk says most."""
    shares: dict[int, float] = {}
    for place, row in enumerate(first):
        said = impacts(row.counts, row.length, mean_length) / (place + 2)
        for term, share in zip(row.terms.tolist(), said.tolist(), strict=True):
            shares[term] = shares.get(term, 0.0) + share
    return shares


def profile(shares: Mapping[int, float], counted: WordCounts, mean_length: float) -> Wording | None:
    """The terms that tell the first chunks from the others; None where there are none."""
    holding = counted.holding or {}
    telling = {
        term: share * rarity(holding[term], counted.rows)
        for term, share in shares.items()
        if 0 < holding.get(term, 0) <= COMMON * counted.rows
    }
    best = sorted(telling.items(), key=lambda item: (-item[1], item[0]))[:MOST_TERMS]
    return Wording(dict(sorted(best)), mean_length, counted.former) if best else None


def reinforce(
    fused: Mapping[str, float], scores: Mapping[str, float], learned: Wording, weight: float
) -> dict[str, float]:
    """Every candidate's score with what it shares with the first ones, best first."""
    most = (SATURATION + 1) * math.fsum(learned.weights.values())
    return ranked({id: score + weight * scores.get(id, 0.0) / most for id, score in fused.items()})
