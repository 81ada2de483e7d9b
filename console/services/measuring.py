"""What documents come to before anything is paid for: chunks, tokens and calls, by splitting all of them or some.

What costs nothing is left out: a text whose vector is cached, a verdict that is known, whatever comes twice, and chunks
that the rules reject.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from pathlib import PurePosixPath
from random import Random
from typing import TYPE_CHECKING, Any, Self, TypeVar

from embedmill.shared.collections import CollectionSettings
from embedmill.shared.db import samples, spending
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.samples import Counts
from embedmill.shared.db.sealed import TITLE
from embedmill.shared.db.sizes import SizedDocument, Sizes, list_some, sum_sizes
from embedmill.shared.db.verdicts import find_verdicts
from embedmill.shared.errors import BlobMissing, DocumentError, FlowControl, ParserCrashed
from embedmill.shared.ledger import EMBED, MESSAGE
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
LISTED, READ, READ_SECONDS = 2000, 80, 5.0
"""How many documents of a job are looked at by name and size, how many of these are read at most, and how long."""
LEAST_READ, LATEST_SECONDS = 40, 15.0
"""So many are read even when that time is over, unless it is over for so long."""
ONE_SECONDS = 5.0
SINGLES = 4
"""So many chunks of a document that was read are asked about one by one."""
ALL_READ = 24
"""So few documents are all read."""
SMALL_SHARE = 0.02
"""Kinds of documents that are less of a job than this are looked at together."""


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
        kept = [
            text
            for text, judged in zip(chunk_set.embedded_texts(), shown, strict=True)
            if not is_judged or judge(judged) is None
        ]
        tokens = dict(zip(kept, count_many(kept), strict=True))
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
            some = _spread(passages, SINGLES)
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
        from embedmill.workers.validation.verdict import verdict_from_json

        stored = self.runtime.database.query(lambda connection: find_verdicts(connection, addresses))
        opened = {address: open_verdict(self.runtime.vault, found.text) for address, found in stored.items()}
        return {address: stored[address] for address, text in opened.items() if verdict_from_json(text) is not None}


def measure_job(
    runtime: Runtime, job_id: int, settings: CollectionSettings, collection: "Collection"
) -> MeasuredDocuments:
    """What the documents of a job come to: all of them if they are few, else by some of each kind and size.

    Workers may be at it already, and what they have embedded is no cache of before: as soon as the job's own rows in
    the ledger tell what share of it is due, they are believed.
    """
    from embedmill.workers.parsing.limits import ParserLimits
    from embedmill.workers.parsing.sandbox import Parser

    def look(connection: Connection) -> tuple[dict[bool, Sizes], int, list[SizedDocument]]:
        sizes = sum_sizes(connection, job_id)
        documents = sum(of.documents for of in sizes.values())
        return sizes, documents, list_some(connection, job_id, documents=documents, most=LISTED)

    sizes, documents, listed = runtime.database.query(look)
    strata = list(_stratify(listed, {kind: of.size for kind, of in sizes.items()}))
    outline = Outline.read(runtime, settings, collection)
    limits = replace(ParserLimits.from_settings(runtime.settings), seconds=ONE_SECONDS)
    with Parser(limits) as parser:
        reader = _SampleReader(
            Measurer(runtime, settings, parser, collection), outline, until=time.monotonic() + READ_SECONDS
        )
        read = reader.read(_choose(strata, everything=documents <= ALL_READ))
    totals, wanted = _extrapolate(strata, documents)
    due = runtime.database.query(lambda connection: spending.measure_due(connection, job_id))
    if EMBED in due:
        told = {"due_chunks": totals.embedded_chunks, "due_tokens": totals.embedded_tokens}
        totals = replace(totals, **{name: due[EMBED] * amount for name, amount in told.items()})
    asked = ValidationLoad()
    if outline.asks:
        fresh = due.get(MESSAGE, 1 - wanted.known / max(wanted.every.chunks, 1))
        asked = outline.scale(replace(wanted, every=wanted.every.scaled(fresh)), totals)
    return MeasuredDocuments(totals, asked, read)


@dataclass(slots=True)
class ListedDocuments:
    """Documents that were only listed: how many and how large all of them are, and some of them, each as likely."""

    documents: int = 0
    size: int = 0
    some: list[SizedDocument] = field(default_factory=list)
    _random: Random = field(default_factory=lambda: Random(0))  # noqa: S311 - what is drawn is a sample

    def add(self, one: SizedDocument) -> None:
        """One more."""
        self.documents += 1
        self.size += one.size
        if len(self.some) < LISTED:
            self.some.append(one)
        elif (place := self._random.randrange(self.documents)) < LISTED:
            self.some[place] = one

    def measure(self, measurer: Measurer, outline: Outline) -> MeasuredDocuments:
        """What they come to, by reading some of each kind and size."""
        strata = list(_stratify(self.some, {False: self.size}))
        reader = _SampleReader(measurer, outline, until=time.monotonic() + READ_SECONDS)
        read = reader.read(_choose(strata, everything=False))
        totals, wanted = _extrapolate(strata, self.documents)
        asked = outline.scale(wanted, totals) if outline.asks else ValidationLoad()
        return MeasuredDocuments(totals, asked, read)


@dataclass(slots=True)
class Stratum:
    """Documents of one kind and about one size; `size` is the sum over all that there are, `read` over those read."""

    listed: list[SizedDocument]
    size: float
    read: float = 0
    totals: Totals = field(default_factory=Totals)
    wanted: Prospect = field(default_factory=Prospect)


def _stratify(listed: Sequence[SizedDocument], sizes: Mapping[bool, int]) -> Iterator[Stratum]:
    """By kind and by size in steps of four; sums are scaled from what is listed to all that there is."""
    seen = {kind: sum(one.size for one in listed if one.is_split is kind) for kind in (False, True)}
    groups: dict[tuple[bool, str, int], list[SizedDocument]] = {}
    for one in listed:
        groups.setdefault((one.is_split, _kind(one), one.size.bit_length() // 2), []).append(one)
    whole = sum(sizes.values())
    rest: dict[bool, list[SizedDocument]] = {}
    for (is_split, _, _), members in groups.items():
        size = _sum(members) * sizes.get(is_split, 0) / seen[is_split]
        if size < SMALL_SHARE * whole:
            rest.setdefault(is_split, []).extend(members)
        else:
            yield Stratum(sorted(members, key=lambda one: one.size), size)
    for is_split, members in rest.items():
        size = _sum(members) * sizes.get(is_split, 0) / seen[is_split]
        yield Stratum(sorted(members, key=lambda one: one.size), size)


def _kind(listed: SizedDocument) -> str:
    kind = str(listed.origin["kind"])
    return kind if loaders.loader_class(kind).holds_text else PurePosixPath(listed.uri).suffix.lower()


def _sum(listed: Sequence[SizedDocument]) -> int:
    return sum(one.size for one in listed)


def _choose(strata: Sequence[Stratum], *, everything: bool) -> list[tuple[Stratum, SizedDocument]]:
    """What to read, by turns, so that whoever stops early has something of each; larger strata have more turns."""
    whole = sum(stratum.size for stratum in strata)
    turns: list[tuple[float, Stratum, SizedDocument]] = []
    for stratum in strata:
        wanted = len(stratum.listed) if everything else max(2, round(READ * stratum.size / max(whole, 1)))
        chosen = _spread(stratum.listed, wanted)
        turns += [(turn / len(chosen), stratum, one) for turn, one in enumerate(chosen)]
    return [(stratum, one) for _, stratum, one in sorted(turns, key=lambda turn: turn[0])]


def _spread(items: Sequence[T], wanted: int) -> list[T]:
    """So many of them, evenly over their order, and so arranged that the first ones are spread evenly too."""
    count = min(wanted, len(items))
    places = sorted(range(count), key=lambda place: (place + 1) * GOLDEN % 1)
    return [items[int((place + 0.5) * len(items) / count)] for place in places]


@dataclass(slots=True)
class _SampleReader:
    """Reads documents that were chosen, until all are read or the time is over."""

    measurer: Measurer
    outline: Outline
    until: float

    def read(self, chosen: Sequence[tuple[Stratum, SizedDocument]]) -> int:
        """How many were read: a few, however slow the machine is, and more while there is time."""
        for count, (stratum, one) in enumerate(chosen, 1):
            self._read(stratum, one)
            late = time.monotonic() - self.until
            if late > LATEST_SECONDS or (late > 0 and count >= LEAST_READ):
                return count
        return len(chosen)

    def _read(self, stratum: Stratum, one: SizedDocument) -> None:
        found = Totals(documents=1, unreadable=1)
        with suppress(DocumentError, ParserCrashed, BlobMissing):
            chunk_set = self.measurer.split_listed(one)
            found = self.measurer.measure(chunk_set)
            if self.outline.asks:
                stratum.wanted += self.outline.ask_alone(chunk_set, one.uri)
        stratum.read += one.size
        stratum.totals += found


def _extrapolate(strata: Sequence[Stratum], documents: int) -> tuple[Totals, Prospect]:
    """Each stratum by what was read of it; one of which nothing was read, as the average of all."""
    read = sum(stratum.read for stratum in strata)
    average = Stratum([], 0, read)
    for stratum in strata:
        average.totals += stratum.totals
        average.wanted += stratum.wanted
    totals, wanted = Totals(), Prospect()
    for stratum in strata:
        known = stratum if stratum.read else average
        factor = stratum.size / max(known.read, 1)
        totals += known.totals.scaled(factor)
        wanted += known.wanted.scaled(factor)
    return replace(totals, documents=documents), wanted
