"""What a model validator would be asked: the calls of a run are packed, worded and counted, and not made."""

from dataclasses import dataclass, field

from shared.addresses import digest
from shared.db.samples import TERMS, VERDICT, Counts, Sampled
from shared.prompts import load_prompt
from shared.providers.models.rules import judge as judge_by_rules
from shared.spend.terms import Tokens
from shared.tokenizer import count_many
from workers.chunking import ChunkSet
from workers.validation.calls import Call, pack_calls, word_call
from workers.validation.sampling import is_chunk_sampled, is_document_sampled
from workers.validation.subject import Subject, make_subjects
from workers.validation.terms import MOST_CHARACTERS

ANSWER_TOKENS_PER_CHUNK, ANSWER_TOKENS_PER_DOCUMENT = 120, 600
"""Rules of thumb for a verdict with its reasoning, and for the terms of a document; the ledger has the truth."""
BATCH_TOKENS = 100_000
"""So many tokens of chunks are packed together, about as a worker's batch is; a sample is asked about with its like."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Which chunks of a collection are asked about, with what was sampled there before, and whose terms."""

    audits: bool
    chunks: Counts = field(default_factory=Counts)
    documents: Counts = field(default_factory=Counts)
    terms_share: float = 0.0


@dataclass(slots=True)
class Forecast:
    """Adds up documents as they are split; tokens are those of our tokenizer."""

    policy: Policy
    calls: int = 0
    inputs: int = 0
    """Chunks that are asked about."""
    tokens: Tokens = field(default_factory=Tokens)
    _waiting: list[Subject] = field(default_factory=list)
    _chunks: Counts | None = None
    _documents: Counts | None = None

    def add(self, chunk_set: ChunkSet, document: str) -> None:
        """Take in a document."""
        chosen = [chunk for chunk in chunk_set.chunks if self._is_asked_about(chunk_set, chunk.ordinal, document)]
        self._waiting += make_subjects(chunk_set, chosen, document=document, judge="")
        self._ask_for_terms(chunk_set, document)
        if sum(subject.tokens for subject in self._waiting) >= BATCH_TOKENS:
            self.finish()

    def finish(self) -> None:
        """Count what was taken in and not counted yet."""
        known: str | None = None
        for call in pack_calls(self._waiting):
            self._count(call, again=call.shares_document and call.subjects[0].document == known)
            known = call.subjects[0].document
        self._waiting.clear()

    def _is_asked_about(self, chunk_set: ChunkSet, ordinal: int, document: str) -> bool:
        if not self.policy.audits:
            return judge_by_rules(chunk_set.chunks[ordinal].body(chunk_set.text)) is None
        counts = self._chunks or self.policy.chunks
        chosen = is_chunk_sampled(_sampled(VERDICT, document, chunk_set.ids[ordinal]), counts)
        self._chunks = Counts(counts.sampled + chosen, counts.judged, counts.errors)
        return chosen

    def _ask_for_terms(self, chunk_set: ChunkSet, document: str) -> None:
        counts, share = self._documents or self.policy.documents, self.policy.terms_share
        candidate = _sampled(TERMS, document, digest("terms", chunk_set.text, length=24))
        if chunk_set.chunks and is_document_sampled(candidate, counts, share=share):
            self._documents = Counts(counts.sampled + 1, counts.judged, counts.errors)
            asked = count_many([load_prompt("workers.validation", "terms").text, chunk_set.text[:MOST_CHARACTERS]])
            self._add(Tokens(into=sum(asked), out=ANSWER_TOKENS_PER_DOCUMENT))

    def _count(self, call: Call, *, again: bool) -> None:
        """A call; what is shared with those before it is read from the provider's prompt cache."""
        prompt = word_call(call)
        rubric, *user = count_many([block.text for block in (*prompt.system, *prompt.user)])
        shared = user[0] if call.shares_document else 0
        read = (rubric if self.calls else 0) + (shared if again else 0)
        self.inputs += len(call.subjects)
        self._add(
            Tokens(
                into=sum(user) - shared,
                out=ANSWER_TOKENS_PER_CHUNK * len(call.subjects),
                cache_read=read,
                cache_write=rubric + shared - read,
            )
        )

    def _add(self, tokens: Tokens) -> None:
        self.calls += 1
        self.tokens += tokens


def _sampled(kind: str, document: str, chunk: str) -> Sampled:
    return Sampled(0, document, None, kind, chunk, 0, "")
