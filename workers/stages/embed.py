"""The embed stage: vectors for every kept chunk, from the cache or the provider, stored answer by answer.

A model that is as quick as a cache is left to the index stage, which needs the vectors: storing them would cost more.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from embedmill.shared import stages
from embedmill.shared.asking.single_flight import SingleFlight
from embedmill.shared.caches.embeddings import EmbeddingCache
from embedmill.shared.db.leases import Lease, WorkItem
from embedmill.shared.db.settlement import count_failures
from embedmill.shared.errors import EmbedmillError
from embedmill.shared.ledger import EMBED, Tokens, Usage
from embedmill.shared.outcomes import Advance, Outcome
from embedmill.shared.providers.embeddings.base import Embedder
from embedmill.shared.providers.embeddings.streaming import TextStream
from embedmill.shared.spend.metering import LedgerMeter, is_free
from embedmill.shared.stages import Product
from embedmill.workers.bulk.embeddings import divert_texts
from embedmill.workers.executor import bisect, worst_outcome
from embedmill.workers.retrials import Company, company_of
from embedmill.workers.runtime import WorkerRuntime
from embedmill.workers.stages.dividing import divide_too_long
from embedmill.workers.stored import Stored, Text, addressed_texts, load_stored
from embedmill.workers.streams import StreamKey

# How long texts stay reserved, in leases; only a call that takes longer may be paid for twice.
RESERVED_LEASES = 4


def embed(runtime: WorkerRuntime, claim: Lease) -> dict[int, Outcome]:
    """Embed all documents of a job that use the same model together; every document has an outcome of its own."""
    stored, outcomes = load_stored(runtime.blobs, claim.items, runtime.handed_on)
    by_id = {s.item.id: s for s in stored}
    for (_, name, company), items in _by_job_and_model(runtime, stored).items():
        embedder = runtime.embedder(name)

        def ask(
            some: Sequence[WorkItem], embedder: Embedder = embedder, company: Company = company
        ) -> Mapping[int, Outcome]:
            return _embed(runtime, embedder, [by_id[item.id] for item in some], company)

        outcomes |= bisect(items, ask)
    return outcomes


def _by_job_and_model(
    runtime: WorkerRuntime, stored: Sequence[Stored]
) -> dict[tuple[int, str, Company], list[WorkItem]]:
    """Documents that share requests; those for which their provider failed before come last, apart from all others."""
    failing = [s.item.id for s in stored if s.item.failing_since is not None]
    failures = runtime.database.query(lambda connection: count_failures(connection, failing)) if failing else {}
    groups: dict[tuple[int, str, Company], list[WorkItem]] = {}
    for s in sorted(stored, key=lambda s: s.item.failing_since is not None):
        name = runtime.collection_settings(s.item.collection_id).embedding
        company = company_of(s.item, runtime.retry, failures)
        groups.setdefault((s.item.job_id, name, company), []).append(s.item)
    return groups


def _embed(
    runtime: WorkerRuntime, embedder: Embedder, stored: Sequence[Stored], company: Company
) -> dict[int, Outcome]:
    texts_of = {s.item.id: addressed_texts(embedder, s) for s in stored}
    if embedder.is_instant:
        return _leave_to_index(runtime, embedder, stored, texts_of)
    diverted = divert_texts(runtime, embedder, [s.item for s in stored], texts_of)
    stored = [s for s in stored if s.item.id not in diverted.outcomes]
    return diverted.outcomes | (
        _embed_now(runtime, embedder, stored, texts_of, diverted.paid, company=company) if stored else {}
    )


def _leave_to_index(
    runtime: WorkerRuntime, embedder: Embedder, stored: Sequence[Stored], texts_of: Mapping[int, Mapping[bytes, Text]]
) -> dict[int, Outcome]:
    """Note which texts are embedded for the first time; the index stage makes their vectors where it writes them."""
    first = stored[0].item
    meter = LedgerMeter(runtime.spender, job_id=first.job_id, collection_id=first.collection_id)
    unique = {address: text for texts in texts_of.values() for address, text in texts.items()}
    fresh = runtime.cache_of(first.collection_id).note_many(list(unique))
    made = Made({address: text for address, text in unique.items() if address in fresh})
    _record(embedder, meter, {address: text for address, text in unique.items() if address not in fresh}, made.texts)
    stage = stages.following(stages.maker(Product.VECTORS), runtime.collection_settings(first.collection_id))
    return _outcomes(texts_of, made, {}, stage)


def _embed_now(
    runtime: WorkerRuntime,
    embedder: Embedder,
    stored: Sequence[Stored],
    addressed: Mapping[int, Mapping[bytes, Text]],
    paid: Mapping[int, set[str]],
    *,
    company: Company,
) -> dict[int, Outcome]:
    texts_of = {s.item.id: addressed[s.item.id] for s in stored}
    unique = {address: text for texts in texts_of.values() for address, text in texts.items()}
    first = stored[0].item
    meter = LedgerMeter(runtime.spender, job_id=first.job_id, collection_id=first.collection_id)
    cache = runtime.cache_of(first.collection_id)
    key = StreamKey(embedder.name, first.job_id, first.collection_id, company)
    stream = None if is_free(embedder) else runtime.streams.find(key, embedder, meter)
    made = _make(runtime, cache, embedder, unique, Account(stream, _documents_of(stored, texts_of)))
    stage = stages.following(stages.maker(Product.VECTORS), runtime.collection_settings(first.collection_id))
    outcomes = _outcomes(texts_of, made, paid, stage)
    # What waits or failed comes back, and would be counted again.
    done = {a: t for id_, texts in texts_of.items() if isinstance(outcomes[id_], Advance) for a, t in texts.items()}
    batched = {bytes.fromhex(address) for addresses in paid.values() for address in addresses}
    cached = {address: text for address, text in done.items() if address not in made.texts and address not in batched}
    _record(embedder, meter, cached, made.texts if is_free(embedder) else {})
    return outcomes | divide_too_long(runtime, embedder, stored, made.errors)


@dataclass(slots=True)
class Made:
    """What this worker embedded, and what it could not embed and why, by address."""

    texts: dict[bytes, Text] = field(default_factory=dict)
    errors: dict[bytes, EmbedmillError] = field(default_factory=dict)


Documents = Mapping[bytes, Sequence[str]]
"""By address, the documents that a text is embedded for."""


@dataclass(frozen=True, slots=True)
class Account:
    """In what stream paid texts are sent, and for whom."""

    stream: TextStream | None
    documents: Documents


def _documents_of(stored: Sequence[Stored], texts_of: Mapping[int, Mapping[bytes, Text]]) -> Documents:
    documents: dict[bytes, list[str]] = {}
    for s in stored:
        for address in texts_of[s.item.id]:
            documents.setdefault(address, []).append(s.item.document_id)
    return documents


def _make(
    runtime: WorkerRuntime,
    cache: EmbeddingCache,
    embedder: Embedder,
    unique: Mapping[bytes, Text],
    account: Account,
) -> Made:
    """Have every vector in the cache; returns what was embedded here and what failed here."""
    made = Made()

    def ask(share: dict[bytes, Text]) -> dict[bytes, EmbedmillError]:
        errors = _embed_share(runtime, embedder, cache, account, share)
        made.texts |= {address: text for address, text in share.items() if address not in errors}
        return errors

    def find_known(some: Sequence[bytes]) -> set[bytes]:
        runtime.streams.arrive()
        return cache.find_known(some, dimensions=embedder.dimensions)

    seconds = RESERVED_LEASES * runtime.settings.lease_seconds
    flight = SingleFlight(cache, runtime.owner, runtime.run_folder, seconds)
    made.errors = flight.obtain(
        _missing(cache, embedder, unique),
        find_known=find_known,
        ask=ask,
    )
    return made


def _missing(cache: EmbeddingCache, embedder: Embedder, texts: Mapping[bytes, Text]) -> dict[bytes, Text]:
    known = cache.find_known(list(texts), dimensions=embedder.dimensions)
    return {address: text for address, text in texts.items() if address not in known}


def _embed_share(
    runtime: WorkerRuntime, embedder: Embedder, cache: EmbeddingCache, account: Account, share: Mapping[bytes, Text]
) -> dict[bytes, EmbedmillError]:
    """Embed what nobody else has or embeds; what is paid for shares requests with what other threads embed."""
    texts = {address: text.text for address, text in share.items()}
    if account.stream is not None:
        return account.stream.embed(texts, account.documents, cache.put_many, arrived=runtime.streams.arrive)
    addresses = list(texts)

    def keep(vectors: Mapping[int, NDArray[np.float32]]) -> None:
        cache.put_many({addresses[position]: vector for position, vector in vectors.items()})

    result = embedder.embed_many(list(texts.values()), keep=keep)
    return {addresses[position]: error for position, error in result.errors.items()}


def _outcomes(
    texts_of: Mapping[int, Mapping[bytes, Text]], made: Made, paid: Mapping[int, Collection[str]], following: str
) -> dict[int, Outcome]:
    """What becomes of each document; a text that several of them have is counted for the first that goes on."""
    outcomes: dict[int, Outcome] = {}
    counted: set[bytes] = set()
    for id_, texts in texts_of.items():
        errors = [made.errors[address] for address in texts if address in made.errors]
        if errors:
            outcomes[id_] = worst_outcome(errors)
            continue
        batched = set(map(bytes.fromhex, paid.get(id_, ())))
        new = {address for address in texts if address in made.texts or address in batched} - counted
        counted |= new
        outcomes[id_] = Advance(following, {"chunks_embedded": len(new)})
    return outcomes


def _record(embedder: Embedder, meter: LedgerMeter, cached: Mapping[bytes, Text], free: Mapping[bytes, Text]) -> None:
    """Write down what cost nothing: texts that the cache knew, and those of a local model; the rest is there."""
    tokens = Tokens(into=sum(text.tokens for text in free.values()))
    usage = Usage(embedder.provider, embedder.model, EMBED, tokens, inputs=len(free))
    meter.record_free(usage, cached=len(cached), cached_tokens=sum(text.tokens for text in cached.values()))
