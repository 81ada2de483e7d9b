"""Owns staged ranking: similarity puts passages up, a cheap model sifts them, a strong one grades those that are left.

Every stage may fail, as a whole or for some passages. What no model has judged is unjudged, which is neither good nor
bad: it keeps the order of the stage before, on that stage's own scale, behind what is relevant and before what is not.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import IntEnum
from itertools import accumulate
from typing import Protocol

from pydantic import TypeAdapter, ValidationError

from embedmill.retrieval.grading.questions import AskedQuestion, FlawCounts, Grading, RankingQuestion, Sifting
from embedmill.retrieval.grading.reranking import VendorJudge, as_score, by_relevance, rerank
from embedmill.retrieval.passages import HIGHEST, LOWEST, RELEVANT, Grade, Passage, Quote
from embedmill.retrieval.steps import Running, Steps
from embedmill.shared.asking.sending import Pacing, ask_all
from embedmill.shared.errors import EmbedmillError
from embedmill.shared.metering import Meter
from embedmill.shared.prompts import PromptText
from embedmill.shared.providers.models.base import Model

_GRADE = TypeAdapter(Grade)

SIFT, RANK = "filter", "rank"
PASSES_ABOVE = 2
"""A sifted passage is looked at more closely when it scores above this."""


SEES_SOMETHING = 0.5
"""From this relevance of a vendor's reranker on, of 1, a passage is worth a look though nothing is near."""
NOTHING_NEAR = "nothing that was found is near the question, and the filter saw nothing in it"


class Prompted(Protocol):
    """A question with its model and its prompt; `purpose` is what the ledger calls it."""

    model: Model
    asked: AskedQuestion
    purpose: str

    @property
    def prompt(self) -> PromptText:
        """The instructions."""


class AnswerMemory(Protocol):
    """Keeps what models answered by content address, as JSON."""

    def recall(self, addresses: Sequence[str], asked: Prompted) -> Mapping[str, str]:
        """Those that are known, before what is left is asked."""

    def keep(self, answers: Mapping[str, str], asked: Prompted) -> None:
        """Keep what was answered."""


class NoMemory:
    """Keeps nothing."""

    def recall(self, addresses: Sequence[str], asked: Prompted) -> Mapping[str, str]:
        """Nothing is known."""
        del addresses, asked
        return {}

    def keep(self, answers: Mapping[str, str], asked: Prompted) -> None:
        """It is forgotten."""


@dataclass(frozen=True, slots=True)
class Judge:
    """A model that may be asked, who keeps its books, and how: requests at once, seconds for an answer and for all."""

    model: Model
    meter: Meter
    memory: AnswerMemory = field(default_factory=NoMemory)
    concurrency: int = 4
    seconds: float = 20.0
    stage_seconds: float = 45.0


@dataclass(frozen=True, slots=True)
class Weights:
    """What a final score is made of; similarity is brought to the model's range first."""

    similarity: float = 0.3
    model: float = 0.7


@dataclass(frozen=True, slots=True)
class Depths:
    """How many passages a stage is shown at most: those that similarity puts up, and those that are graded."""

    candidates: int = 50
    ranked: int = 20


class Standing(IntEnum):
    """The classes of the final order, the first first."""

    RELEVANT = 0
    UNJUDGED = 1
    IRRELEVANT = 2


@dataclass(frozen=True, slots=True)
class JudgedPassage:
    """A passage in its final place. `score` compares within its class; a passage that no model judged has no grade.

    Passages of a class are in order of what `decides`, which is the score with half as much of the similarity.
    """

    passage: Passage
    score: float
    standing: Standing
    grade: Grade | None = None
    decides: float = 0.0

    @property
    def quote(self) -> Quote | None:
        """The words that bear the grade."""
        return None if self.grade is None else self.grade.quote


@dataclass(frozen=True, slots=True)
class StagedOrder:
    """All passages, the best first, and what was wrong with the models' answers.

    `trail` has the ids of the passages as each stage left them that judged some.
    """

    judged: Sequence[JudgedPassage]
    counts: Sequence[FlawCounts]
    trail: Mapping[str, Sequence[str]] = field(default_factory=dict)


def rank_staged(
    asked: AskedQuestion,
    passages: Sequence[Passage],
    *,
    sift: Judge | VendorJudge | None,
    rank: Judge | None,
    steps: Steps,
    weights: Weights | None = None,
    depths: Depths | None = None,
    nothing_near: bool = False,
) -> StagedOrder:
    """The passages, which come best first by similarity, as the models see them; raises nothing of theirs.

    Where the search knows of `nothing_near`, only what the cheap model sees something in is worth an expensive call.
    """
    counts: list[FlawCounts] = []
    depths = depths or Depths()
    chosen = list(passages[: depths.candidates])
    sifted: Mapping[Passage, Grade] = {}
    relevance: Mapping[Passage, float] = {}
    if sift is None:
        steps.skip(SIFT, "no model is set for it")
    elif not chosen or (not nothing_near and _is_little(chosen, rank)):
        steps.skip(SIFT, "there is too little to choose from")
    elif isinstance(sift, VendorJudge):
        relevance = _rerank(sift, asked, chosen, steps)
        chosen = by_relevance(chosen, relevance)
    else:
        sifted = _ask(SIFT, Sifting(sift.model, asked), chosen, sift, steps, counts)
        chosen = _passing(chosen, sifted)
    if nothing_near:
        chosen = [passage for passage in chosen if passage in sifted or relevance.get(passage, 0.0) >= SEES_SOMETHING]
    graded: Mapping[Passage, Grade] = {}
    if rank is None:
        steps.skip(RANK, "no model is set for it")
    elif not chosen:
        steps.skip(RANK, NOTHING_NEAR if nothing_near else "nothing passed the filter")
    else:
        graded = _ask(RANK, RankingQuestion(rank.model, asked), chosen[: depths.ranked], rank, steps, counts)
    weights = weights or Weights()
    said = StageSaid(sifted, relevance, weights)
    ordered = _ordered(passages, graded, said)
    trail = {SIFT: _ids(_ordered(passages, {}, said))} if sifted or relevance else {}
    return StagedOrder(ordered, counts, trail | ({RANK: _ids(ordered)} if graded else {}))


def _is_little(passages: Sequence[Passage], rank: Judge | None) -> bool:
    """Whether one call of the stage after takes them all."""
    return len(passages) <= (1 if rank is None else RankingQuestion.room.inputs)


def _ask(
    name: str, question: Grading, passages: Sequence[Passage], judge: Judge, steps: Steps, counts: list[FlawCounts]
) -> Mapping[Passage, Grade]:
    pace = Pacing(judge.concurrency, apart=True, seconds=judge.seconds, all_seconds=judge.stage_seconds)
    with steps.step(name, given=len(passages)) as step:
        step.model, step.prompt = question.model.name, question.prompt.hash
        known = _recalled(question, passages, judge.memory)
        left = [passage for passage in passages if passage not in known]
        try:
            errors = ask_all(question, question.pack(left), meter=judge.meter, pace=pace) if left else {}
            judge.memory.keep(_as_json(question), question)
        except EmbedmillError as error:
            errors = dict.fromkeys((p for p in left if p not in question.found), error)
        question.keep(known)
        step.out = len(question.found)
        _tell(step, errors, len(passages))
    counts.append(question.counts)
    return question.found


def _rerank(
    sift: VendorJudge, asked: AskedQuestion, passages: Sequence[Passage], steps: Steps
) -> Mapping[Passage, float]:
    with steps.step(SIFT, given=len(passages)) as step:
        relevance, errors = rerank(sift, asked, passages, step)
        _tell(step, errors, len(passages))
    return relevance


def _recalled(question: Grading, passages: Sequence[Passage], memory: AnswerMemory) -> dict[Passage, Grade]:
    """What was asked before; a grade that cannot be read is asked for anew."""
    addresses = {question.address(passage): passage for passage in passages}
    found: dict[Passage, Grade] = {}
    for address, stored in memory.recall(list(addresses), question).items():
        with suppress(ValidationError):
            found[addresses[address]] = _GRADE.validate_json(stored)
    return found


def _as_json(question: Grading) -> dict[str, str]:
    return {question.address(p): _GRADE.dump_json(grade).decode() for p, grade in question.found.items()}


def _tell(step: Running, errors: Mapping[Passage, EmbedmillError], given: int) -> None:
    if not errors:
        return
    reason = str(next(iter(errors.values())))
    if len(errors) == given:
        step.fail(reason)
    else:
        step.failed, step.why = True, f"{len(errors)} of {given} were not judged: {reason}"


def _passing(passages: Sequence[Passage], sifted: Mapping[Passage, Grade]) -> list[Passage]:
    """Those worth a closer look, the best first: by the sifter's score, unjudged ones as if they just passed."""
    passing = [p for p in passages if p not in sifted or sifted[p].score > PASSES_ABOVE]
    return sorted(passing, key=lambda p: -(sifted[p].score if p in sifted else PASSES_ABOVE + 1))


@dataclass(frozen=True, slots=True)
class StageSaid:
    """What the first stage said: grades of a model or the relevance of a reranker, and how much either counts."""

    sifted: Mapping[Passage, Grade]
    relevance: Mapping[Passage, float]
    weights: Weights


def _ordered(passages: Sequence[Passage], graded: Mapping[Passage, Grade], said: StageSaid) -> list[JudgedPassage]:
    """By class, then by score, then by the place that similarity gave; no score is above one before it."""
    judged = [_judged(passage, graded.get(passage), said) for passage in passages]
    if not graded and not said.sifted and not said.relevance:
        return judged
    judged.sort(key=lambda item: (item.standing, -item.decides))
    lowest = accumulate((item.score for item in judged), min)
    return [replace(item, score=score) for item, score in zip(judged, lowest, strict=True)]


def _ids(judged: Iterable[JudgedPassage]) -> list[str]:
    return [item.passage.id for item in judged]


def _judged(passage: Passage, graded: Grade | None, said: StageSaid) -> JudgedPassage:
    """A passage with its class; one that only the stage before has let pass is scored by what that stage said."""
    sifted = said.sifted.get(passage)
    if graded is not None:
        standing = Standing.RELEVANT if graded.score >= RELEVANT else Standing.IRRELEVANT
        return _scored(passage, graded.score, standing, said.weights, graded)
    if sifted is not None and sifted.score <= PASSES_ABOVE:
        return _scored(passage, sifted.score, Standing.IRRELEVANT, said.weights, sifted)
    if passage in said.relevance:
        return _scored(passage, as_score(said.relevance[passage]), Standing.UNJUDGED, said.weights)
    passed = PASSES_ABOVE + 1 if sifted is None else sifted.score
    return _scored(passage, passed, Standing.UNJUDGED, said.weights)


def _scored(
    passage: Passage, grade: float, standing: Standing, weights: Weights, bears: Grade | None = None
) -> JudgedPassage:
    """The whole of similarity is on the model's scale in the score.

    In what decides it is on half of that: with the usual weights all of it is worth less than a step of the model's, so
    that the model's order stands and similarity breaks its ties. Weighed above a third, similarity outvotes a grade.
    """
    near = min(max(passage.similarity, 0.0), 1.0)
    wide, narrow = LOWEST + (HIGHEST - LOWEST) * near, (HIGHEST - LOWEST) / 2 * near
    by_model = weights.model * grade
    score, decides = by_model + weights.similarity * wide, by_model + weights.similarity * narrow
    return JudgedPassage(passage, score, standing, bears, decides)
