"""Owns the order of candidates: what each side said of them, and the score that orders them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from embedmill.retrieval.hits import StageScore
from embedmill.shared.providers.vectorstores.rows import Match

Scores = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Ranking:
    """Every candidate by id, and the last stage's scores, best first.

    `by_stage` has the scores that each stage gave, `ranks` the places of the rows that it put up by itself. `goes_on`
    where a side may hold more than it was asked for.
    """

    candidates: Mapping[str, Match]
    scores: Scores
    by_stage: Mapping[str, Scores]
    ranks: Mapping[str, Mapping[str, int]]
    goes_on: bool

    def stages_of(self, id: str) -> dict[str, StageScore]:
        """What each stage said of a candidate."""
        return {
            name: StageScore(self.ranks[name].get(id), values.get(id, 0.0)) for name, values in self.by_stage.items()
        }

    def score_of(self, stage: str, id: str) -> float:
        """What one stage said of a candidate; 0 where it said nothing, or did not run."""
        return self.by_stage[stage].get(id, 0.0) if stage in self.by_stage else 0.0


NO_OTHERS: Mapping[str, Match] = {}


def rank(
    scores: Mapping[str, Scores],
    found: Mapping[str, Sequence[Match]],
    candidates: Mapping[str, Match],
    *,
    depth: int,
) -> Ranking:
    """Rank the candidates by the last of the `scores`; `found` are the rows that a side put up, best first.

    The scores of a stage that put up none itself have the best first, as those of the last have.
    """
    final = list(scores)[-1]
    ranks = {name: _ranks([match.id for match in side]) for name, side in found.items()}
    ranks |= {name: _ranks(of) for name, of in scores.items() if name == final or name not in found}
    goes_on = any(len(side) >= depth for side in found.values())
    return Ranking(candidates, scores[final], scores, ranks, goes_on)


def scores_of(found: Iterable[Match]) -> dict[str, float]:
    """The scores that came with the rows."""
    return {match.id: match.score for match in found}


def missing(candidates: Mapping[str, Match], scores: Scores) -> list[Match]:
    """The candidates that have no score yet."""
    return [match for id, match in candidates.items() if id not in scores]


def _ranks(ids: Iterable[str]) -> dict[str, int]:
    return dict(zip(ids, count(1), strict=False))
