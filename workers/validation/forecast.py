"""What a model validator would be asked: the calls of a run are packed, worded and counted, and not made."""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from embedmill.shared.addresses import digest
from embedmill.shared.asking.question import Request
from embedmill.shared.db.samples import TERMS, VERDICT, Counts, Sampled
from embedmill.shared.ledger import Tokens
from embedmill.shared.prompts import load_prompt
from embedmill.shared.providers.models.rules import judge as judge_by_rules
from embedmill.shared.spend.estimates import ValidationLoad
from embedmill.shared.tokenizer import count_many
from embedmill.workers.chunking import ChunkSet
from embedmill.workers.validation.passages import ChunkPassage, make_passages
from embedmill.workers.validation.sampling import is_chunk_sampled, is_document_sampled
from embedmill.workers.validation.terms import MOST_CHARACTERS
from embedmill.workers.validation.wording import MOST_CHUNKS, MOST_TOKENS, pack_passages, verdict_prompt, word_request

BATCH_TOKENS = 100_000
"""So many tokens of chunks are packed together, about as a worker's batch is; a sample is asked about with its like."""

MOST_MET = 1_000_000
"""Addresses that are remembered, so that the same chunk is counted once."""


def know_nothing(_: Sequence[str]) -> Collection[str]:
    """No verdict is known."""
    return ()


@dataclass(frozen=True, slots=True)
class AskingPolicy:
    """Which chunks of a collection are asked about, with what was sampled there before, and whose terms.

    `judge` is whom verdicts would be from, `find_known` tells those addresses that have one, which costs nothing.
    """

    audits: bool
    chunks: Counts = field(default_factory=Counts)
    documents: Counts = field(default_factory=Counts)
    terms_share: float = 0.0
    judge: str = ""
    find_known: Callable[[Sequence[str]], Collection[str]] = know_nothing


@dataclass(slots=True)
class Forecast:
    """Adds up documents as they are split; tokens are those of our tokenizer, and of prompts alone."""

    policy: AskingPolicy
    verdicts: ValidationLoad = field(default_factory=ValidationLoad)
    terms: ValidationLoad = field(default_factory=ValidationLoad)
    _waiting: list[ChunkPassage] = field(default_factory=list)
    _met: set[str] = field(default_factory=set)
    _chunks: Counts | None = None
    _documents: Counts | None = None

    def add(self, chunk_set: ChunkSet, document: str) -> None:
        """Take in a document."""
        chosen = [chunk for chunk in chunk_set.chunks if self._is_asked_about(chunk_set, chunk.ordinal, document)]
        self._waiting += self._unknown(make_passages(chunk_set, chosen, document=document, judge=self.policy.judge))
        self._ask_for_terms(chunk_set, document)
        if sum(passage.tokens for passage in self._waiting) >= BATCH_TOKENS:
            self._pack()

    def finish(self) -> ValidationLoad:
        """What all that was taken in comes to."""
        self._pack()
        return self.verdicts + self.terms

    def _unknown(self, passages: Sequence[ChunkPassage]) -> list[ChunkPassage]:
        """Those whose verdict nobody has, each once."""
        known = {*self._met, *self.policy.find_known([passage.address for passage in passages])}
        fresh = {s.address: s for s in passages if s.address not in known}
        if len(self._met) > MOST_MET:
            self._met.clear()
        self._met |= fresh.keys()
        return list(fresh.values())

    def _pack(self) -> None:
        known: str | None = None
        for request in pack_passages(self._waiting):
            self._count(request, again=request.shares_start and request.items[0].document == known)
            known = request.items[0].document
        self._waiting.clear()

    def _is_asked_about(self, chunk_set: ChunkSet, ordinal: int, document: str) -> bool:
        if not self.policy.audits:
            return judge_by_rules(chunk_set.chunks[ordinal].shown(chunk_set.text)) is None
        counts = self._chunks or self.policy.chunks
        chosen = is_chunk_sampled(_sampled(VERDICT, document, chunk_set.ids[ordinal]), counts)
        self._chunks = Counts(counts.sampled + chosen, counts.judged, counts.errors)
        return chosen

    def _ask_for_terms(self, chunk_set: ChunkSet, document: str) -> None:
        counts, share = self._documents or self.policy.documents, self.policy.terms_share
        candidate = _sampled(TERMS, document, digest("terms", chunk_set.text, length=24))
        if chunk_set.chunks and is_document_sampled(candidate, counts, share=share):
            self._documents = Counts(counts.sampled + 1, counts.judged, counts.errors)
            self.terms += ask_for_terms(chunk_set)

    def _count(self, request: Request[ChunkPassage], *, again: bool) -> None:
        """A call; what is shared with those before it is read from the provider's prompt cache."""
        prompt = word_request(request)
        rubric, *user = count_many([block.text for block in (*prompt.system, *prompt.user)])
        shared = user[0] if request.shares_start else 0
        read = (rubric if self.verdicts.chunks else 0) + (shared if again else 0)
        tokens = Tokens(into=sum(user) - shared, cache_read=read, cache_write=rubric + shared - read)
        self.verdicts += ValidationLoad(calls=1, chunks=len(request.items), tokens=tokens)


def ask_alone(passages: Sequence[ChunkPassage]) -> ValidationLoad:
    """What passages of one document come to among many others with which they share calls, without the rubric."""
    asked = ValidationLoad()
    for position, request in enumerate(pack_passages(passages)):
        user = count_many([block.text for block in word_request(request).user])
        shared = user[0] if request.shares_start else 0
        filled = max(len(request.items) / MOST_CHUNKS, sum(s.tokens for s in request.items) / MOST_TOKENS)
        kept = {"cache_read" if position else "cache_write": shared}
        asked += ValidationLoad(
            calls=1 if request.shares_start else min(1.0, filled),
            chunks=len(request.items),
            tokens=Tokens(into=sum(user) - shared, **kept),
        )
    return asked


def add_rubric(asked: ValidationLoad) -> ValidationLoad:
    """With what every call says first, which the provider keeps for those after it."""
    if not asked.calls:
        return asked
    (rubric,) = count_many([verdict_prompt().text])
    read = math.ceil(max(0.0, asked.calls - 1) * rubric)
    return asked + ValidationLoad(tokens=Tokens(cache_read=read, cache_write=rubric))


def ask_for_terms(chunk_set: ChunkSet) -> ValidationLoad:
    """What the terms of a document come to."""
    asked = count_many([load_prompt("embedmill.workers.validation", "terms").text, chunk_set.text[:MOST_CHARACTERS]])
    return ValidationLoad(calls=1, documents=1, tokens=Tokens(into=sum(asked)))


def _sampled(kind: str, document: str, chunk: str) -> Sampled:
    return Sampled(0, document, None, kind, chunk, 0, "")
