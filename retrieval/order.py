"""Owns the one order of all that a search finds: the fused candidates, and behind them what the sides hold deeper."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from embedmill.retrieval.fusion import limit_per_group
from embedmill.retrieval.hits import StageScore
from embedmill.retrieval.look import Look
from embedmill.retrieval.ranking import Ranking
from embedmill.shared.providers.vectorstores.base import Match

DEPTHS = (100, 1000, 4000)
"""Candidates that each side puts up, first and whenever more are wanted; quality is the same from 30 to 400."""


@dataclass(frozen=True, slots=True)
class Place:
    """A candidate in its place, with its score and what each stage said of it."""

    match: Match
    score: float
    stages: Mapping[str, StageScore]


def places(look: Look, *, chunks_per_document: int | None) -> Iterator[Place]:
    """Every candidate once, best first; whoever takes more of them makes the sides look deeper.

    How many are taken changes nothing of those before: what is found deeper is ranked by itself and follows.
    """
    placed: set[str] = set()
    lowest = float("inf")
    for depth in DEPTHS:
        ranking = look.rank(depth)
        scores = _below(lowest, {id: score for id, score in ranking.scores.items() if id not in placed})
        for id in _ordered(list(scores), ranking, chunks_per_document):
            yield Place(ranking.candidates[id], scores[id], ranking.stages[id])
        placed |= scores.keys()
        lowest = min(scores.values(), default=lowest)
        if not ranking.goes_on:
            return


def _ordered(ids: Sequence[str], ranking: Ranking, chunks_per_document: int | None) -> Sequence[str]:
    if chunks_per_document is None:
        return ids
    documents = {id: ranking.candidates[id].document for id in ids}
    return limit_per_group(ids, documents, limit=chunks_per_document)


def _below(lowest: float, scores: Mapping[str, float]) -> dict[str, float]:
    """The scores, moved so that none is above those of what was placed before."""
    excess = max(max(scores.values(), default=lowest) - lowest, 0.0)
    return {id: min(score - excess, lowest) for id, score in scores.items()}
