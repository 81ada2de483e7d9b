"""Owns the weight of words: BM25 over one count of the whole index version, whatever the shards (decision 0042)."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.words.counts import UNITS, TermCounts

SATURATION = 1.2
LENGTH_SHARE = 0.75


@dataclass(frozen=True, slots=True)
class WordCounts:
    """What an index version holds, over all of its shards: rows, words of all rows, and rows that hold each term.

    `former` is the version of the cutter whose index was counted, where today's has still to be made; or None.
    """

    rows: int = 0
    words: int = 0
    holding: Mapping[int, int] | None = None
    former: int | None = None


USUAL_WORDS = 200
"""Words of a row, where nobody has counted them."""


def alike(terms: Iterable[int]) -> WordCounts:
    """Counts by which every term is as rare as the others, where they may not be told or are not known."""
    return WordCounts(2, 2 * USUAL_WORDS, dict.fromkeys(terms, 1))


@dataclass(frozen=True, slots=True)
class Wording:
    """The words of a query as a store scores them: a weight for each term, rarity included, and the mean length.

    They are for the index of which they were counted: `former` is the version of its cutter, if that is not today's.
    """

    weights: Mapping[int, float]
    mean_length: float
    former: int | None = None


def rarity(holding: int, rows: int) -> float:
    """The inverse document frequency: above 0 for a word that every row holds too."""
    return math.log(1 + (rows - holding + 0.5) / (holding + 0.5))


def impacts(counts: NDArray[np.uint8], lengths: NDArray[np.uint32] | int, mean_length: float) -> NDArray[np.float64]:
    """What a term adds to a row's score at weight 1, for counts in quarters and lengths in words."""
    often = counts.astype(np.float64) / UNITS
    return often * (SATURATION + 1) / (often + SATURATION * (1 - LENGTH_SHARE + LENGTH_SHARE * lengths / mean_length))


def score(row: TermCounts, wording: Wording) -> float:
    """The BM25 score of one row, summed in the order of its terms; 0 without any of the words.

    Every store sums in this order and in 64 bits, so that all of them find the same number.
    """
    weights = np.array([wording.weights.get(term, 0.0) for term in row.terms.tolist()], np.float64)
    return math.fsum((weights * impacts(row.counts, row.length, wording.mean_length)).tolist())
