"""Owns how near a hit is to a query by itself: a number that means the same for every query, as pure functions.

A score orders the hits of one query and says nothing of how good the best of them is. A similarity does: it is the
chance that an answerable query has a hit like this one, by the two things that were seen to tell (docs/search.md): the
cosine, as far as the model's was calibrated, and the share of the query's words, by their weight, that the hit holds.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

GOOD, WEAK = 0.3, 0.1
"""The least similarity of the best hit of a good answer, and of a weak one."""


JUDGED_HITS = 10
"""So many of the first hits say how good an answer is, however many are shown."""


class Relevance(StrEnum):
    """How near the best of the first hits is to the query."""

    GOOD = "good"
    WEAK = "weak"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a cosine and a share of words say, as weights of a logistic curve."""

    cosine: float
    words: float
    bias: float

    def similarity(self, *, cosine: float, words: float) -> float:
        """From 0 to 1, to four digits: what lies behind them differs with the machine."""
        strength = self.cosine * cosine + self.words * words + self.bias
        return round(1 / (1 + math.exp(-max(min(strength, 50.0), -50.0))), 4)


def relevance(similarities: Iterable[float]) -> Relevance:
    """What the similarities of the first hits say of an answer."""
    best = max(similarities, default=0.0)
    return Relevance.GOOD if best >= GOOD else Relevance.WEAK if best >= WEAK else Relevance.NONE
