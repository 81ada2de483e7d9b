"""Owns the fusion of dense and lexical scores into one ranking, as pure functions.

The fused score of a chunk is its cosine, and the share of the query's words that it holds (by weight, from 0 to 1),
times what words count beside that model's cosines. Both are absolute: they mean the same for every query, so a query
whose words nobody holds is decided by meaning, and one that no chunk is near to by words, without a rule. What was
compared, and the figures, are in docs/quality.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter

_ID, _SCORE = itemgetter(0), itemgetter(1)

FOLLOWERS = 10
"""The lead is how far the best is above the one that many places behind, as a share of itself."""
USUAL_SPREAD, SPREAD_OVER = 0.3, 100
"""How far the 100th nearest chunk is behind the nearest, in cosines of the models that were measured."""
LEAST_SPREAD = 0.01


@dataclass(frozen=True, slots=True)
class Fusion:
    """What counts beside a model's cosines: the share of the query's words, and of the first hits' words (`feedback`).

    Words count more where the best of them stands alone: by `leading` times the fourth power of its lead. `own_scale`
    where nobody has measured the model: its cosines are then stretched, query by query, as if their spread was that of
    the measured ones.
    """

    words: float = 0.35
    leading: float = 8.0
    feedback: float = 0.8
    own_scale: bool = True


UNMEASURED_MODEL = Fusion()


def fuse(
    dense: Mapping[str, float],
    lexical: Mapping[str, float],
    *,
    most_of_words: float,
    fusion: Fusion,
    is_named: bool = False,
) -> dict[str, float]:
    """Score of every candidate, best first. A candidate without a lexical score holds none of the words.

    `most_of_words` is what a chunk with all of the words would score by them. Words decide where what is asked for
    `is_named` to the letter: no cosine tells -25 from 25.
    """
    leading = fusion.leading if is_named else fusion.leading * lead(list(lexical.values())) ** 4
    stretch = _stretch(sorted(dense.values(), reverse=True)) if fusion.own_scale else 1.0
    words = (fusion.words + leading) / most_of_words if most_of_words else 0.0
    ids = dense.keys() | lexical.keys()
    return ranked({id: stretch * dense.get(id, 0.0) + words * lexical.get(id, 0.0) for id in ids})


def lead(scores: Sequence[float]) -> float:
    """How far the best is above the eleventh, or the last of fewer, from 0 to 1; 1 for one alone."""
    best = sorted((score for score in scores if score > 0), reverse=True)[: FOLLOWERS + 1]
    if len(best) < 2:
        return float(len(best))
    return 1 - best[-1] / best[0]


def ranked(scores: Mapping[str, float]) -> dict[str, float]:
    """The same scores, best first, ties by id."""
    return dict(sorted(sorted(scores.items(), key=_ID), key=_SCORE, reverse=True))


def _stretch(cosines: Sequence[float]) -> float:
    """What makes the spread of some cosines, best first, the usual one; 1 where they do not differ."""
    spread = cosines[0] - cosines[:SPREAD_OVER][-1] if cosines else 0.0
    return USUAL_SPREAD / spread if spread > LEAST_SPREAD else 1.0
