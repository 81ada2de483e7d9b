"""Owns the searching for what a question is made of: each part by itself, and all of it merged under the whole.

The question as it stands is looked for as ever and has half of the weight. Of the parts the best one of each candidate
has the other half, since a text that answers one part need not know of the others. Phrases, exclusions and filters of
the question hold for every part, and no part is divided again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from embedmill.retrieval.embedding import Vector, embed
from embedmill.retrieval.fusion import ranked
from embedmill.retrieval.look import Look
from embedmill.retrieval.question import SearchQuestion
from embedmill.retrieval.ranking import Ranking, Scores
from embedmill.retrieval.steps import Steps
from embedmill.shared.errors import EmbedmillError
from embedmill.shared.providers.embeddings.base import Embedder
from embedmill.shared.providers.vectorstores.rows import Match, VectorRow
from embedmill.shared.words.queries import parse_text
from embedmill.shared.words.query_words import QueryWord

SUBQUERIES = "subqueries"
PARTS_SHARE = 0.5
"""What the parts weigh together; the question as it stands has the rest, which is never less."""


@dataclass(frozen=True, slots=True)
class QuestionPart:
    """A part of a question, with its vector, where the question has one."""

    question: SearchQuestion
    vector: Vector | None


def part_of(question: SearchQuestion, subquery: str) -> SearchQuestion:
    """A sub-query as a question of its own: signs in it mean nothing, those of the whole question hold."""
    whole = question.words
    words = replace(
        parse_text(subquery),
        phrases=whole.phrases,
        excluded=whole.excluded,
        excluded_phrases=whole.excluded_phrases,
    )
    return replace(question, text=subquery, words=words, added=())


def embed_parts(
    questions: Sequence[SearchQuestion], open_embedder: Callable[[], Embedder], steps: Steps, *, with_vectors: bool
) -> list[QuestionPart]:
    """The parts, ready to be looked for; none where one of them cannot be embedded."""
    if not questions:
        steps.skip(SUBQUERIES, "the question is looked for as a whole")
        return []
    if not with_vectors:
        return [QuestionPart(question, None) for question in questions]
    with steps.step(SUBQUERIES, given=len(questions)) as step:
        quiet = steps.apart()
        try:
            parts = [QuestionPart(question, embed(question, open_embedder, quiet)) for question in questions]
        except EmbedmillError as error:
            step.fail(str(error))
            return []
        if quiet.degraded:
            step.fail(next(told.why for told in quiet.told() if told.failed))
            return []
        step.out = len(parts)
    return parts


class DividedLook:
    """A look at the whole of a question and at its parts, ranked as one."""

    def __init__(self, whole: Look, parts: Callable[[Steps], Sequence[Look]], steps: Steps) -> None:
        self._whole = whole
        self._steps = steps
        with steps.step(SUBQUERIES):
            self._parts = parts(steps.apart())

    @property
    def words(self) -> tuple[QueryWord, ...]:
        """The words of the whole."""
        return self._whole.words

    def rank(self, depth: int) -> Ranking:
        """The best of the whole and of each part, ranked; every candidate is scored by all of them."""
        found = self._whole.find(depth)
        with self._steps.step(SUBQUERIES, given=len(self._parts)):
            found_by_parts = [part.find(depth) for part in self._parts]
        sides = [side for found_by in (found, *found_by_parts) for side in found_by.values()]
        candidates = {match.id: match for side in sides for match in side}
        whole = self._whole.rank_found(found, depth, candidates)
        with self._steps.step(SUBQUERIES, given=len(self._parts)) as step:
            parts = [
                part.rank_found(found_by, depth, candidates)
                for part, found_by in zip(self._parts, found_by_parts, strict=True)
            ]
            step.out = len(candidates) - len({match.id for side in found.values() for match in side})
        return _merged(whole, parts, candidates)

    def fetch(self, matches: Sequence[Match]) -> dict[str, VectorRow]:
        """The rows with their texts by id."""
        return self._whole.fetch(matches)

    def fetch_beside(self, matches: Sequence[Match]) -> dict[str, VectorRow]:
        """Those of the rows that are there and may be shown beside hits."""
        return self._whole.fetch_beside(matches)

    def find_terms(self, matches: Sequence[Match], terms: Sequence[int]) -> Mapping[str, frozenset[int]]:
        """Which of some terms the rows hold, of those of which that is known without reading them."""
        return self._whole.find_terms(matches, terms)


def merge(whole: Scores, parts: Sequence[Scores]) -> dict[str, float]:
    """Every candidate's score, best first, on the scale of the whole: its own there, and that of its best part."""
    best = max(whole.values(), default=0.0)
    scale = best if best > 0 else 1.0
    votes = [_votes(part) for part in parts]
    return ranked(
        {
            id: (1 - PARTS_SHARE) * score + PARTS_SHARE * scale * max(vote.get(id, 0.0) for vote in votes)
            for id, score in whole.items()
        }
    )


def _votes(part: Scores) -> Mapping[str, float]:
    """From 0 to 1: the shares of the best score."""
    best = max(part.values(), default=0.0)
    return {id: max(score, 0.0) / best for id, score in part.items()} if best > 0 else {}


def _merged(whole: Ranking, parts: Sequence[Ranking], candidates: Mapping[str, Match]) -> Ranking:
    scores = merge({id: whole.scores.get(id, 0.0) for id in candidates}, [part.scores for part in parts])
    ranks = {id: place for place, id in enumerate(scores, 1)}
    return Ranking(
        candidates,
        scores,
        {**whole.by_stage, SUBQUERIES: scores},
        {**whole.ranks, SUBQUERIES: ranks},
        goes_on=any(ranking.goes_on for ranking in (whole, *parts)),
    )
