"""What documents come to, summed and scaled: chunks, tokens, and what validation would ask about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Self, TypeVar

from embedmill.shared.collections import CollectionSettings
from embedmill.shared.db import samples
from embedmill.shared.db.samples import Counts
from embedmill.shared.db.sealed import TITLE
from embedmill.shared.db.sizes import SizedDocument
from embedmill.shared.db.verdicts import find_verdicts
from embedmill.shared.errors import FlowControl
from embedmill.shared.loading import loaders
from embedmill.shared.privacy.verdict_seals import open_verdict
from embedmill.shared.providers.endpoints import MODELS, find_endpoint
from embedmill.shared.providers.names import ModelName
from embedmill.shared.runtime import Runtime
from embedmill.shared.spend.estimates import ValidationLoad

if TYPE_CHECKING:
    from embedmill.shared.caches.embeddings import EmbeddingCache
    from embedmill.shared.db.collections import Collection
    from embedmill.shared.loading.loaders import Loaded
    from embedmill.workers.chunking import ChunkSet
    from embedmill.workers.parsing.sandbox import Parser
    from embedmill.workers.validation.forecast import Forecast


T = TypeVar("T")
GOLDEN = 0.6180339887
MOST_MET = 1_000_000
"""Texts that are remembered, so that the same text is counted once."""
SINGLES = 4
"""So many chunks of a document that was read are asked about one by one."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over documents; `embedded` is what goes to an embedder or comes from the cache, `due` what is paid for."""

    documents: float = 0
    unreadable: float = 0
    chunks: float = 0
    tokens: float = 0
    embedded_chunks: float = 0
    embedded_tokens: float = 0
    due_chunks: float = 0
    due_tokens: float = 0
    text_bytes: float = 0

    def __add__(self, other: Self) -> Self:
        return replace(self, **{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})

    def scaled(self, factor: float) -> Self:
        """The same for so many times as much."""
        return replace(self, **{f.name: factor * getattr(self, f.name) for f in fields(self)})


@dataclass(frozen=True, slots=True)
class MeasuredDocuments:
    """What documents come to, and what a validating model would be asked; `read` of them were read for it."""

    totals: Totals
    asked: ValidationLoad
    read: int

    @property
    def is_exact(self) -> bool:
        """Whether every document was read, and no model is asked, whose answers nobody can know."""
        return self.read == self.totals.documents and not self.asked.calls


@dataclass(slots=True)
class Measurer:
    """Splits documents and counts what is due of them."""

    runtime: Runtime
    settings: CollectionSettings
    parser: "Parser"
    collection: "Collection | None" = None
    _met: set[bytes] = field(default_factory=set)

    def measure(self, chunk_set: "ChunkSet") -> Totals:
        """One document."""
        from embedmill.shared.providers.models.rules import judge
        from embedmill.shared.tokenizer import count_many

        shown = chunk_set.shown()
        is_judged = self.settings.validator != "off"
        chunks = {
            text: chunk
            for text, judged, chunk in zip(chunk_set.embedded_texts(), shown, chunk_set.chunks, strict=True)
            if not is_judged or judge(judged) is None
        }
        kept = list(chunks)
        # A model on this machine counts what a chunk holds, a vendor what it is sent: the heading above it, too.
        is_instant = self.runtime.embedder(self.settings.embedding).is_instant
        counts = [chunk.tokens for chunk in chunks.values()] if is_instant else count_many(kept)
        tokens = dict(zip(kept, counts, strict=True))
        due = self._find_due(kept)
        return Totals(
            documents=1,
            chunks=len(chunk_set.chunks),
            tokens=sum(chunk.tokens for chunk in chunk_set.chunks),
            embedded_chunks=len(tokens),
            embedded_tokens=sum(tokens.values()),
            due_chunks=len(due),
            due_tokens=sum(tokens[text] for text in due),
            text_bytes=sum(len(text.encode("utf-8", "replace")) for text in shown),
        )

    def _find_due(self, texts: Sequence[str]) -> list[str]:
        """Those that are in no cache and have not been met; all of these while the cache is away."""
        embedder = self.runtime.embedder(self.settings.embedding)
        by_address = {embedder.address(text): text for text in texts}
        fresh = [address for address in by_address if address not in self._met]
        if len(self._met) > MOST_MET:
            self._met.clear()
        self._met.update(fresh)
        try:
            known = self._cache.find_known(fresh, dimensions=embedder.kept_dimensions)
        except FlowControl:
            known = set()
        return [by_address[address] for address in fresh if address not in known]

    @property
    def _cache(self) -> "EmbeddingCache":
        return self.runtime.cache if self.collection is None else self.runtime.cache_of(self.collection.id)

    def split(self, loaded: "Loaded", *, uri: str, title: str) -> "ChunkSet":
        """A document's chunks; raises DocumentError, ParserCrashed."""
        from embedmill.workers.stages.chunk import parse, split

        return split(parse(loaded, self.parser, name=uri), self.settings, title=title)

    def split_listed(self, listed: SizedDocument) -> "ChunkSet":
        """The chunks of a document that was submitted; raises what reading it raises."""
        loaded = loaders.load(self.runtime, listed.uri, listed.origin)
        return self.split(loaded, uri=listed.uri, title=self.runtime.vault.open_text(TITLE, listed.title))


@dataclass(frozen=True, slots=True)
class Prospect:
    """What documents come to when all of their chunks are judged together, or one by one, or their terms collected.

    `known` are chunks that have a verdict already.
    """

    every: ValidationLoad = field(default_factory=ValidationLoad)
    singly: ValidationLoad = field(default_factory=ValidationLoad)
    terms: ValidationLoad = field(default_factory=ValidationLoad)
    known: float = 0

    def __add__(self, other: "Prospect") -> "Prospect":
        return Prospect(
            self.every + other.every,
            self.singly + other.singly,
            self.terms + other.terms,
            self.known + other.known,
        )

    def scaled(self, factor: float) -> "Prospect":
        """The same for so many times as much."""
        every, singly, terms = (of.scaled(factor) for of in (self.every, self.singly, self.terms))
        return Prospect(every, singly, terms, factor * self.known)


@dataclass(frozen=True, slots=True)
class Outline:
    """How a collection's chunks are judged by a model, and what it looked at before."""

    runtime: Runtime
    settings: CollectionSettings
    collection: "Collection | None" = None
    verdicts: Counts = field(default_factory=Counts)
    terms: Counts = field(default_factory=Counts)

    @classmethod
    def read(cls, runtime: Runtime, settings: CollectionSettings, collection: "Collection | None") -> Self:
        """As it is now; a collection that is not there yet has seen nothing."""
        if collection is None:
            return cls(runtime, settings)
        id_ = collection.id
        kinds = (samples.VERDICT, samples.TERMS)
        found = runtime.database.query(lambda c: [samples.get_counts(c, id_, kind) for kind in kinds])
        return cls(runtime, settings, collection, *found)

    @property
    def asks(self) -> bool:
        """Whether a model is asked at all."""
        return self.settings.gates or self.settings.audits

    def forecast(self) -> "Forecast":
        """What a run from here on would ask, call by call."""
        from embedmill.workers.validation.forecast import AskingPolicy, Forecast

        policy = AskingPolicy(
            audits=self.settings.audits,
            chunks=self.verdicts,
            documents=self.terms,
            terms_share=self.runtime.settings.terms_sample,
            judge=self._judge,
            find_known=self._find_known,
        )
        return Forecast(policy)

    def ask_alone(self, chunk_set: "ChunkSet", uri: str) -> "Prospect":
        """What a document comes to that has its share of the calls: chunks together, chunks one by one, its terms."""
        from embedmill.shared.providers.models.rules import judge
        from embedmill.workers.validation.forecast import ask_alone, ask_for_terms
        from embedmill.workers.validation.passages import make_passages

        chunks = [c for c, text in zip(chunk_set.chunks, chunk_set.shown(), strict=True) if judge(text) is None]
        passages = make_passages(chunk_set, chunks, document=uri, judge=self._judge)
        known = self._find_known([passage.address for passage in passages])
        single = ValidationLoad()
        if self.settings.audits:
            some = spread(passages, SINGLES)
            for passage in some:
                single += ask_alone([passage]).scaled(len(passages) / len(some))
        return Prospect(ask_alone(passages), single, ask_for_terms(chunk_set), len(known))

    def scale(self, wanted: "Prospect", totals: Totals) -> ValidationLoad:
        """What is asked about so many documents and chunks, if `wanted` is what they come to when all are asked about.

        A gate asks about everything, an audit about the first chunks and then a share, of which hardly two stand
        together; so it is with terms.
        """
        from embedmill.workers.validation.forecast import add_rubric
        from embedmill.workers.validation.sampling import FIRST_CHUNKS, FIRST_DOCUMENTS, chunk_share

        asked = wanted.every
        if self.settings.audits:
            first = min(1.0, max(FIRST_CHUNKS - self.verdicts.sampled, 0) / max(totals.chunks, 1))
            asked = asked.scaled(first) + wanted.singly.scaled(chunk_share(self.verdicts) * (1 - first))
        asked = add_rubric(asked)
        share, documents = self.runtime.settings.terms_sample, max(totals.documents - totals.unreadable, 1)
        if share > 0:
            early = min(documents, max(FIRST_DOCUMENTS - self.terms.sampled, 0))
            asked += wanted.terms.scaled((early + share * (documents - early)) / max(wanted.terms.documents, 1))
        return asked

    @property
    def _judge(self) -> str:
        from embedmill.workers.validation.obtaining import name_judge, own_judge

        validator, gateways = self.settings.validator, self.runtime.settings.vendor_gateways
        judge = name_judge(validator, find_endpoint(MODELS, ModelName.parse(validator).provider, gateways=gateways))
        return judge if self.collection is None else own_judge(self.runtime, self.collection.id, judge)

    def _find_known(self, addresses: Sequence[str]) -> Mapping[str, Any]:
        from embedmill.workers.validation.answers import verdict_from_json

        stored = self.runtime.database.query(lambda connection: find_verdicts(connection, addresses))
        opened = {address: open_verdict(self.runtime.vault, found.text) for address, found in stored.items()}
        return {address: stored[address] for address, text in opened.items() if verdict_from_json(text) is not None}


def spread(items: Sequence[T], wanted: int) -> list[T]:
    """So many of them, evenly over their order, and so arranged that the first ones are spread evenly too."""
    count = min(wanted, len(items))
    places = sorted(range(count), key=lambda place: (place + 1) * GOLDEN % 1)
    return [items[int((place + 0.5) * len(items) / count)] for place in places]
