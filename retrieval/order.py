"""Owns the one order of all that a search finds: the fused candidates, and behind them what the sides hold deeper."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from embedmill.retrieval.copies import Copies, FindTerms, alike, same
from embedmill.retrieval.grouping import spread
from embedmill.retrieval.hits import StageScore
from embedmill.retrieval.look import Looking
from embedmill.retrieval.passages import Grade
from embedmill.retrieval.ranking import Ranking
from embedmill.retrieval.steps import Steps
from embedmill.retrieval.view import View
from embedmill.shared.paging import batched
from embedmill.shared.providers.vectorstores.rows import Match, VectorRow

DEPTHS = (100, 1000, 4000)
"""Candidates that each side puts up, first and whenever more are wanted; quality is the same from 30 to 400."""
FOLD = "fold"
WINDOW = 50
"""So many rows are read and folded at a time."""


@dataclass(frozen=True, slots=True)
class RankedPlace:
    """A candidate in its place, with its row and its score."""

    match: Match
    row: VectorRow
    score: float
    ranking: Ranking
    """The ranking that it was found in."""
    grade: Grade | None = None
    """What a model said of it."""

    @property
    def stages(self) -> Mapping[str, StageScore]:
        """What each stage said of it; made when it is asked for, as most places are never shown."""
        return self.ranking.stages_of(self.row.id)


Rerank = Callable[[Iterator[RankedPlace]], Iterator[RankedPlace]]


class Order:
    """Every candidate once, best first, as a view wants it: near-copies folded, documents spread or limited.

    Whoever takes more places makes the sides look deeper. How many are taken changes nothing of those before: what is
    found deeper is ranked by itself and follows.
    """

    def __init__(self, look: Looking, view: View, steps: Steps, rerank: Rerank = iter) -> None:
        self.look = look
        self.view = view
        self._steps = steps
        self._rerank = rerank
        self._copies = Copies(look.words, same if view.to_the_word else alike) if view.fold else None
        self._left_out: dict[str, list[VectorRow]] = {}
        self.ends_early = False
        """Whether the places have ended though a side holds more."""
        self.ranking: Ranking | None = None
        """The first ranking that the places were made of."""

    def places(self) -> Iterator[RankedPlace]:
        """The places, from the first."""
        return self._limited(self._rerank(self._all()))

    def copies_of(self, row: VectorRow) -> list[VectorRow]:
        """What a row stands for, as far as places were taken."""
        return self._copies.of(row.id) if self._copies else []

    def left_out_of(self, document: str) -> list[VectorRow]:
        """The rows of a document that are over its limit, as far as places were taken."""
        return self._left_out.get(document, [])

    def _all(self) -> Iterator[RankedPlace]:
        placed: set[str] = set()
        lowest = float("inf")
        for depth in DEPTHS:
            ranking = self.look.rank(depth)
            self.ranking = self.ranking or ranking
            scores = _after(placed, lowest, ranking.scores)
            yield from self._spread(self._folded(ranking, scores))
            placed |= scores.keys()
            lowest = min(scores.values(), default=lowest)
            if not ranking.goes_on:
                return
        self.ends_early = True

    def _folded(self, ranking: Ranking, scores: Mapping[str, float]) -> Iterator[RankedPlace]:
        for ids in batched(scores, WINDOW):
            rows = self.look.fetch([ranking.candidates[id] for id in ids])
            there = [rows[id] for id in ids if id in rows]
            for row in self._fold(there, partial(_find_terms, self.look, ranking)):
                yield RankedPlace(ranking.candidates[row.id], row, scores[row.id], ranking)

    def _fold(self, rows: list[VectorRow], find_terms: FindTerms) -> list[VectorRow]:
        if self._copies is None:
            self._steps.skip(FOLD, "every copy is asked for")
            return rows
        with self._steps.step(FOLD, given=len(rows)) as step:
            leaders = self._copies.fold(rows, find_terms)
            step.out = len(leaders)
        return leaders

    def _spread(self, places: Iterable[RankedPlace]) -> Iterable[RankedPlace]:
        limit = self.view.spread
        return places if limit is None else spread(places, lambda place: place.row.document, limit=limit)

    def _limited(self, places: Iterator[RankedPlace]) -> Iterator[RankedPlace]:
        limit = self.view.per_document
        if not limit:
            yield from places
            return
        shown: Counter[str] = Counter()
        for place in places:
            document = place.row.document
            if shown[document] < limit:
                shown[document] += 1
                yield place
            else:
                self._left_out.setdefault(document, []).append(place.row)


def _find_terms(
    look: Looking, ranking: Ranking, ids: Sequence[str], terms: Sequence[int]
) -> Mapping[str, frozenset[int]]:
    """Which of some terms the candidates hold; no method, so that an order is gone with its rows when it was read."""
    return look.find_terms([ranking.candidates[id] for id in ids], terms)


def _after(placed: Collection[str], lowest: float, scores: Mapping[str, float]) -> Mapping[str, float]:
    """The scores of what was not placed before, moved so that none is above the `lowest` of what was."""
    if not placed:
        return scores
    new = {id: score for id, score in scores.items() if id not in placed}
    excess = max(max(new.values(), default=lowest) - lowest, 0.0)
    return {id: min(score - excess, lowest) for id, score in new.items()}
