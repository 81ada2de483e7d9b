"""Asks every question of the set, by whatever models a runtime has, and says what was wrong with each answer."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from embedmill.console.services import asking
from embedmill.console.services.asking import Reply
from embedmill.console.services.collections import create_collection
from embedmill.producers.sources.given import GivenSource
from embedmill.shared.addresses import digest
from embedmill.shared.db.collections import get_collection
from embedmill.workers.runtime import WorkerRuntime
from tests.adversarial.cases import Case, Document
from tests.shared.db.tracker import Tracker
from tests.workers.working import submit_sources, work_off

COLLECTION = "adversarial"
EVERYTHING = 100
"""So many are judged: what is found at all is the subject of other sets."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a question; `faults` are in words, and none where all was right."""

    case: Case
    reply: Reply
    faults: Sequence[str] = field(default_factory=list)


def index(runtime: WorkerRuntime, documents: Iterable[Document], *, embedding: str) -> None:
    """Put the documents into a collection of their own."""
    create_collection(runtime, COLLECTION, embedding=embedding, validator="off", candidates=EVERYTHING)
    tracker = Tracker(runtime.database)
    tracker.collection = runtime.database.query(lambda connection: get_collection(connection, COLLECTION))
    submit_sources(runtime, tracker, [GivenSource.of(document.as_given for document in documents)])
    work_off(runtime, tracker)


def ask_each(
    runtime: WorkerRuntime, cases: Iterable[Case], documents: Sequence[Document], *, beside: int | None = None
) -> Iterator[Outcome]:
    """Every question, answered by models; from all documents, or from its own and so many others."""
    texts = {document.text.strip(): document.id for document in documents}
    for case in cases:
        where = None if beside is None else _some(case, documents, beside)
        reply = asking.ask(runtime, case.question, collection=COLLECTION, where=where, rank=True, cache=False)
        yield Outcome(case, reply, list(_faults(case, reply, texts)))


def _some(case: Case, documents: Sequence[Document], beside: int) -> str:
    """A filter: what answers, what is a trap, and some others."""
    others = sorted((document.id for document in documents), key=lambda id: digest(case.id, id))[:beside]
    return f"name in ({', '.join(json.dumps(id) for id in {*case.supports, *case.traps, *others})})"


def _faults(case: Case, reply: Reply, texts: Mapping[str, str]) -> Iterator[str]:
    if reply.degraded:
        yield f"degraded: {'; '.join(reply.notes)}"
    if reply.answered and not case.supports:
        yield f"answered though no document says: {reply.answer!r}"
    if not reply.answered and case.supports:
        yield "not answered though a document says"
    if reply.answered:
        yield from (f"does not say {text!r}" for text in case.says if text not in _told(reply))
        yield from (f"says {text!r}" for text in case.never if text in _told(reply))
    yield from (f"cites {id}" for id in sorted(_cited(reply, texts) & set(case.traps)))


def _told(reply: Reply) -> str:
    """All that a reader sees of an answer."""
    return " ".join([reply.answer, *(quote.text for claim in reply.claims for quote in claim.quotes)])


def _cited(reply: Reply, texts: Mapping[str, str]) -> set[str]:
    quotes = [quote.text for claim in reply.claims for quote in claim.quotes]
    return {id for text, id in texts.items() if any(quote in text for quote in quotes)}


def report(outcomes: Sequence[Outcome]) -> list[str]:
    """A table by kind, and every fault."""
    asked = Counter(outcome.case.kind for outcome in outcomes)
    right = Counter(outcome.case.kind for outcome in outcomes if not outcome.faults)
    hallucinated = sum(sum(outcome.reply.faults.values()) for outcome in outcomes)
    lines = [f"{kind:20} {right[kind]:3} of {asked[kind]:3} right" for kind in asked]
    spent = sum(outcome.reply.spend.usd for outcome in outcomes)
    total = f"{right.total()} of {asked.total()} right, {hallucinated} quotes in answers refused, {spent:.2f} dollars"
    wrong = [
        f"{outcome.case.id}: {outcome.case.question!r} {fault}" for outcome in outcomes for fault in outcome.faults
    ]
    return [*lines, total, *wrong]
