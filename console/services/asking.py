"""Answers to questions: every sentence is borne out by quotes, or is a passage's own."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Unpack

from pydantic import TypeAdapter

from embedmill.console.services.reach import in_collection
from embedmill.console.services.recording import CameTo, Door, note_query
from embedmill.console.services.searching import hidden_condition, open_searcher, question_text
from embedmill.console.services.serving import serves
from embedmill.console.services.switches import Switches
from embedmill.retrieval import explaining
from embedmill.retrieval.answering.answering import ANSWER, GivenAnswer, Source, answer
from embedmill.retrieval.answering.answers import Claim
from embedmill.retrieval.explaining import Explanation, explain_step
from embedmill.retrieval.hits import LEFT_OUT, Hit, SearchResult
from embedmill.retrieval.keeping import ResultKind, as_kept, kept_or_made
from embedmill.retrieval.relevance import Relevance
from embedmill.retrieval.search import Searcher
from embedmill.retrieval.steps import Step
from embedmill.retrieval.view import EVERY_SAYING, View
from embedmill.shared.access.principals import Right
from embedmill.shared.filtering.conditions import Condition
from embedmill.shared.headed import place_of, within_one
from embedmill.shared.runtime import Runtime

READ = 10
"""So many hits are read."""


@dataclass(frozen=True, slots=True)
class AskedQuote:
    """Words of a document, with their offsets in it."""

    document: str
    uri: str
    chunk: str
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class AskedClaim:
    """One sentence, and what bears it; `in_another` where it is in another language than the question."""

    text: str
    quotes: Sequence[AskedQuote]
    in_another: bool = False


@dataclass(frozen=True, slots=True)
class AskedDocument:
    """A document that was read."""

    document: str
    uri: str
    title: str


@dataclass(frozen=True, slots=True)
class AskSpend:
    """What a question came to; `unpriced_calls` are those whose price is not known and is missing in `usd`."""

    usd: float
    calls: int
    unpriced_calls: int | None = field(default=None, metadata=LEFT_OUT)


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a question.

    By its `id` readers say what they think of a document; None where no record is kept. `answered` is false where the
    documents do not say. `by` says who worded the answer: a model, or nobody, where it is passages as they stand.
    `removed` counts sentences that nothing bore out, `faults` why, by kind; `cut` says that the model was cut off, and
    there may be more. It was `cached` where it is given again as it was given before.
    """

    question: str
    answered: bool
    answer: str
    claims: Sequence[AskedClaim]
    removed: int
    documents: Sequence[AskedDocument]
    by: str
    faults: Mapping[str, int]
    cut: bool
    relevance: Relevance | None
    degraded: bool
    notes: Sequence[str]
    steps: Sequence[Step]
    spend: AskSpend
    timings: Mapping[str, float]
    id: str | None = None
    cached: bool = False
    explanation: Explanation | None = field(default=None, metadata=LEFT_OUT)


@dataclass(frozen=True, slots=True)
class Asked:
    """A reply with what it was found in."""

    reply: Reply
    found: SearchResult


KEPT: ResultKind[Asked] = ResultKind(
    "answer",
    cache(lambda: TypeAdapter(Asked)),
    steps_of=lambda asked: asked.reply.steps,
    is_whole=lambda asked: not (asked.reply.degraded or asked.reply.cut or asked.found.unsettled),
    as_kept=lambda asked, milliseconds: Asked(_as_kept(asked.reply, milliseconds), replace(asked.found, cached=True)),
)


OnClaim = Callable[[AskedClaim], object]


@serves("ask", Right.READ, in_collection(), filters=True)
def ask(
    runtime: Runtime,
    question: str,
    *,
    collection: str,
    where: str | None = None,
    view: View = EVERY_SAYING,
    on_claim: OnClaim | None = None,
    **switches: Unpack[Switches],
) -> Reply:
    """Answer a question from a collection; raises NotFound, UsageError, SettingsError.

    `on_claim` is given each sentence as soon as it is whole and its quotes are held, before the others are worded.
    """
    said = _Said(on_claim)
    reply = _recorded(runtime, question, said, collection=collection, where=where, view=view, **switches)
    said.rest(reply.claims)
    return reply


class _Said:
    """Passes sentences on, each once."""

    def __init__(self, on_claim: OnClaim | None) -> None:
        self._on_claim = on_claim
        self._count = 0

    def hear(self, claim: Claim, sources: Iterable[Source]) -> None:
        """One that a model has worded."""
        self._pass_on(_claim(claim, sources))

    def rest(self, claims: Sequence[AskedClaim]) -> None:
        """Those of the whole answer that were not passed on yet."""
        for claim in claims[self._count :]:
            self._pass_on(claim)

    def _pass_on(self, claim: AskedClaim) -> None:
        self._count += 1
        if self._on_claim is not None:
            self._on_claim(claim)


def _recorded(
    runtime: Runtime,
    question: str,
    said: _Said,
    *,
    collection: str,
    where: str | None,
    view: View,
    **switches: Unpack[Switches],
) -> Reply:
    text, condition = question_text(question, where, hint='embedmill ask "what you want to know"')
    with open_searcher(runtime, collection, **switches) as searcher:
        text, condition = searcher.hide(text), hidden_condition(searcher, where, condition)
        key = (READ, condition, view.unexplained, searcher.stages.digest)
        made = replace(view, explain=view.explain or searcher.shelf is not None)
        asked = kept_or_made(searcher.shelf, KEPT, key, text, lambda: _ask(searcher, text, condition, made, said))
        reply, found = asked.reply, asked.found
        reply = reply if view.explain else replace(reply, explanation=None)
        door = Door("ask", collection, "hybrid", filtered=condition is not None, ranked=searcher.judges is not None)
        return replace(reply, id=note_query(runtime, door, found, _came_to(reply, found)))


def _ask(searcher: Searcher, question: str, where: Condition | None, view: View, said: _Said) -> Asked:
    found = searcher.search(question, top_k=READ, where=where, view=view)
    answered = answer(question, found, searcher.judges, searcher.tally, tell=said.hear)
    return Asked(_reply(question, found, answered), found)


def _as_kept(reply: Reply, milliseconds: float) -> Reply:
    """The reply as it is when it is given again."""
    timings = dict.fromkeys(reply.timings, 0.0) | {"total": milliseconds}
    steps = as_kept(reply.steps)
    explanation = explaining.as_kept(reply.explanation, steps)
    free = AskSpend(0.0, 0)
    return replace(reply, steps=steps, spend=free, timings=timings, explanation=explanation, cached=True)


def _came_to(reply: Reply, found: SearchResult) -> CameTo:
    seconds = (reply.timings["total"] + reply.timings[ANSWER]) / 1000
    faults = Counter(found.new_faults) + Counter({} if reply.cached else reply.faults)
    return CameTo(reply.steps, faults, reply.degraded, seconds)


def _spend(steps: Sequence[Step]) -> AskSpend:
    unpriced = sum(step.unpriced_calls or 0 for step in steps)
    return AskSpend(round(sum(step.usd for step in steps), 6), sum(step.calls for step in steps), unpriced or None)


def _reply(question: str, found: SearchResult, answered: GivenAnswer) -> Reply:
    steps = [*found.steps, answered.step]
    read = {hit.document: AskedDocument(hit.document, hit.uri, hit.title) for hit in found.hits}
    return Reply(
        question=question,
        answered=answered.answer.answered,
        answer=answered.answer.text,
        claims=[_claim(claim, answered.sources(claim)) for claim in answered.answer.claims],
        removed=answered.answer.removed,
        documents=list(read.values()),
        by=answered.by,
        faults=answered.answer.faults,
        cut=answered.answer.cut,
        relevance=found.relevance,
        degraded=found.degraded or answered.step.failed,
        notes=[*found.remarks, *answered.notes],
        steps=steps,
        spend=_spend(steps),
        explanation=_explain(found, answered.step),
        timings={**found.timings, ANSWER: round(answered.step.seconds * 1000, 3)},
    )


def _claim(claim: Claim, sources: Iterable[Source]) -> AskedClaim:
    return AskedClaim(claim.text, [_quote(hit, *span) for hit, span in sources], claim.in_another)


def _explain(found: SearchResult, last: Step) -> Explanation | None:
    """What the search says of itself, with the step that answers."""
    told = found.explanation
    return told and replace(told, stages=[*told.stages, explain_step(last)])


def _quote(hit: Hit, start: int, end: int) -> AskedQuote:
    start, end = within_one(start, end, hit.head)
    place = place_of(start, end, head=hit.head, begin=hit.start)
    return AskedQuote(hit.document, hit.uri, hit.chunk, hit.text[start:end], *place)
