"""Owns the place of grading in a search: the first candidates come in the models' order, the others as before."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from itertools import islice

from embedmill.retrieval.grading.questions import AskedQuestion, FlawCounts
from embedmill.retrieval.grading.reranking import VendorJudge
from embedmill.retrieval.grading.staged import RANK, SIFT, Depths, Judge, Weights, rank_staged
from embedmill.retrieval.grading.staged import StagedOrder as GradedOrder
from embedmill.retrieval.order import FOLD, RankedPlace, Rerank
from embedmill.retrieval.passages import Passage
from embedmill.retrieval.relevance import JUDGED_HITS, Relevance
from embedmill.retrieval.steps import Steps

STEPS = (SIFT, RANK)
NOBODY_ASKED = "no model was asked for"

Similarity = Callable[[RankedPlace], float | None]
Judging = Callable[[Iterable[float | None]], Relevance | None]
"""From similarities of the first places to how good all of them are."""


@dataclass(frozen=True, slots=True)
class Judges:
    """The models that grade what a search finds and answer from it, and what the collection's owner says of its domain.

    Without the one that answers, passages are shown as they stand.
    """

    sift: Judge | VendorJudge | None = None
    rank: Judge | None = None
    answer: Judge | None = None
    domain: str = ""
    weights: Weights = field(default_factory=Weights)
    depths: Depths = field(default_factory=Depths)

    @property
    def stands_for(self) -> tuple[object, ...]:
        """Who grades, and how it counts: on what else an order depends."""
        return _name(self.sift), _name(self.rank), *astuple(self.weights), *astuple(self.depths)


def _name(judge: Judge | VendorJudge | None) -> str:
    return "" if judge is None else judge.model.name


class Grader:
    """Grades the places of one query; asks about the same places once, however often the shards are looked at."""

    def __init__(self, question: str, judges: Judges | None, steps: Steps) -> None:
        self._question = question
        self._judges = judges
        self._steps = steps
        self._known: dict[tuple[str, ...], GradedOrder] = {}
        self.counts: list[FlawCounts] = []
        self.trail: Mapping[str, Sequence[str]] = {}
        """The ids of what was graded as each stage left them, and as they came to the first of them."""
        if judges is None:
            for name in STEPS:
                steps.skip(name, NOBODY_ASKED)

    @property
    def faults(self) -> dict[str, int]:
        """Quotes that the passages do not hold, by kind."""
        faults: Counter[str] = Counter()
        for counts in self.counts:
            faults.update(counts.quotes)
        return dict(faults)

    def by(self, similarity: Similarity, judge: Judging) -> Rerank:
        """What puts places in order, by how near they are, and by what the first of them say of all."""
        return lambda places: self._order(places, similarity, judge)

    def _order(self, places: Iterator[RankedPlace], similarity: Similarity, judge: Judging) -> Iterator[RankedPlace]:
        """The places as the models see them, without models as they come."""
        if self._judges is None:
            yield from places
            return
        first = list(islice(places, self._judges.depths.candidates))
        known = judge(similarity(place) for place in first[:JUDGED_HITS])
        passages = [_passage(place, similarity) for place in first]
        graded = self._judge(passages, nothing_near=known is Relevance.NONE)
        judged = graded.judged
        if not graded.trail:
            yield from first
            yield from places
            return
        by_id = {place.row.id: place for place in first}
        for item in judged:
            yield replace(by_id[item.passage.id], score=item.score, grade=item.grade)
        lowest = min((item.score for item in judged), default=0.0)
        yield from _behind(places, lowest)

    def _judge(self, passages: Sequence[Passage], *, nothing_near: bool) -> GradedOrder:
        assert self._judges is not None
        key = tuple(passage.id for passage in passages)
        if key not in self._known:
            judges = self._judges
            asked = AskedQuestion(self._question, judges.domain)
            order = rank_staged(
                asked,
                passages,
                sift=judges.sift,
                rank=judges.rank,
                steps=self._steps,
                weights=judges.weights,
                depths=judges.depths,
                nothing_near=nothing_near,
            )
            self._known[key] = order
            self.trail = {FOLD: key, **order.trail}
            self.counts += order.counts
        return self._known[key]


def _passage(place: RankedPlace, similarity: Similarity) -> Passage:
    row = place.row
    return Passage(row.id, row.document, row.uri, row.title, row.section, row.text, similarity(place) or 0.0)


def _behind(places: Iterator[RankedPlace], lowest: float) -> Iterator[RankedPlace]:
    """The places that nobody graded, with scores that are not above the graded ones."""
    excess: float | None = None
    for place in places:
        excess = max(place.score - lowest, 0.0) if excess is None else excess
        yield replace(place, score=place.score - excess)
