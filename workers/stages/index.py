"""The index stage: write the new version, have the store confirm it, switch readers over, delete the old one.

The switch is a transaction of its own before the delete, so a crash between any two steps leaves either the old
version whole or the new one, and running the stage again finishes the rest.

A worker may be frozen at any line and go on when its lease is gone. It looks before it writes; what it wrote all the
same has names that nobody else writes (`embedmill.shared.editions`), readers pass over it, and it removes it itself
when the switch tells that the work is not its own any more. What a worker left that was killed before it could is
removed by the sweeper (`embedmill.workers.chores.sweeper`).
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import chain, groupby
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray

from embedmill.shared import stages
from embedmill.shared.access.labels import Labels, kept_with
from embedmill.shared.caches.embeddings import EmbeddingCache, as_kept
from embedmill.shared.collections import CollectionSettings
from embedmill.shared.db.collections import Collection
from embedmill.shared.db.documents import Generations, find_active_generations, switch_versions
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.leases import Lease, WorkItem, find_held
from embedmill.shared.db.retention import count_returns
from embedmill.shared.editions import row_id
from embedmill.shared.errors import (
    EmbedmillError,
    FlowControl,
    KeyRefused,
    ProviderUnavailable,
    StorageFailed,
    UnknownPrice,
    VectorsLost,
)
from embedmill.shared.logs import get_logger
from embedmill.shared.outcomes import Advance, Complete, Fail, Outcome, Return
from embedmill.shared.paging import pages
from embedmill.shared.privacy.document_seals import open_metadata
from embedmill.shared.providers.embeddings.base import Embedder
from embedmill.shared.providers.vectorstores.base import VectorStore
from embedmill.shared.providers.vectorstores.rows import VectorRow
from embedmill.shared.spend.guard import Guard
from embedmill.shared.stages import Product
from embedmill.shared.states import Result, WaitReason
from embedmill.workers.executor import End, as_outcome, outcome_of, try_apart
from embedmill.workers.runtime import WorkerRuntime
from embedmill.workers.stored import Stored, load_stored
from embedmill.workers.word_counts import Tallies, record_switched, tally_rows

log = get_logger()

MOST_RETURNS = 3
"""So often within an hour vectors that the cache has lost are paid for anew; then something is wrong with the cache."""
CONFIRMED_AT_ONCE = 64
"""So many documents are confirmed together: what breaks off afterwards does not take them along."""
FAILING_AT_ONCE = 16
"""So many documents whose provider failed before are tried together, apart from all others."""
STORE_CIRCUIT = "vector store"
"""With the shard's name: shards may be on services of their own, and a dead one parks its own documents."""


def index(runtime: WorkerRuntime, claim: Lease) -> dict[int, Outcome]:
    """Bring every document of a batch to its end, shard by shard."""
    # A cache that is away must not be taken for shards that do not answer.
    runtime.cache.require()
    outcomes: dict[int, Outcome] = {}
    written: list[WorkItem] = []
    tallies: Tallies = {}
    for (collection_id, shard, _), items in _by_shard_and_job(runtime, claim.items).items():
        collection = runtime.collection(collection_id)
        found = _write_guarded(runtime, claim, collection, shard, items, tallies)
        outcomes |= {id_: outcome for id_, outcome in found.items() if not isinstance(outcome, Complete)}
        written += [item for item in items if isinstance(found[item.id], Complete)]
    return outcomes | _finish(runtime, claim, written, tallies)


def _write_guarded(
    runtime: WorkerRuntime,
    claim: Lease,
    collection: Collection,
    shard: str,
    items: Sequence[WorkItem],
    tallies: Tallies,
) -> dict[int, Outcome]:
    """Leave a shard that does not answer alone: embedding goes on into the cache, and drains from there later."""
    try:
        guard = _guard(runtime, collection, shard)
        guard.ask()
    except StorageFailed:
        raise
    except EmbedmillError as error:
        return {item.id: outcome_of(error) for item in items}
    ends: dict[int, End] = {}
    try:
        for part in _parts(items):
            ends |= try_apart(part, lambda some: _write(runtime, claim, collection, shard, some, tallies))
    except BaseException:
        guard.give_back()
        raise
    wait = _tell(guard, list(ends.values()))
    return {id_: as_outcome(wait if wait and _is_outage(end) else end) for id_, end in ends.items()}


def _guard(runtime: WorkerRuntime, collection: Collection, shard: str) -> Guard:
    """A store's key, of which nothing bad is ever known where it needs none, and its shard's circuit."""
    store = runtime.store(collection)
    circuit = f"{STORE_CIRCUIT} {collection.id}/{shard}"
    return runtime.spender.guard(
        store.provider, store.key_hash, operation="index", circuit=circuit, endpoint=store.endpoint
    )


def _tell(guard: Guard, ends: Sequence[End]) -> FlowControl | None:
    """Say how the shard answered; returns what all have to wait for, when it is to be left alone now.

    One document that it took shows that the shard is well, however many others it would not take.
    """
    refusal = next((end for end in ends if isinstance(end, KeyRefused)), None)
    asked = [end for end in ends if _was_asked(end)]
    outages = [end for end in asked if _is_outage(end)]
    if refusal is not None:
        guard.failed(refusal)
    elif not asked:
        guard.give_back()
    elif len(outages) < len(asked):
        guard.answered()
    else:
        meaning = guard.failed(outages[0])
        return meaning if isinstance(meaning, FlowControl) and meaning is not outages[0] else None
    return None


def _parts(items: Sequence[WorkItem]) -> list[Sequence[WorkItem]]:
    """All at once, but for those that failed before: one of them may be what the store cannot digest."""
    failing = [item for item in items if item.failing_since is not None]
    others = [item for item in items if item.failing_since is None]
    return [*([others] if others else []), *pages(failing, FAILING_AT_ONCE)]


def _was_asked(end: End) -> bool:
    """Whether the shard was asked to the end; for want of money, of the lease or of vectors nothing is known of it."""
    match end:
        case FlowControl(reason=WaitReason.BUDGET) | UnknownPrice():
            return False
    return isinstance(end, Complete | BaseException)


def _is_outage(end: End) -> TypeGuard[ProviderUnavailable | FlowControl]:
    match end:
        case ProviderUnavailable() | FlowControl(reason=WaitReason.CIRCUIT):
            return True
    return False


def _by_shard_and_job(runtime: WorkerRuntime, items: Sequence[WorkItem]) -> dict[tuple[int, str, int], list[WorkItem]]:
    """Documents that share requests, which are made for one job."""

    def place(item: WorkItem) -> tuple[int, str, int]:
        return item.collection_id, runtime.collection(item.collection_id).home(item.document_id), item.job_id

    return {key: list(group) for key, group in groupby(sorted(items, key=place), key=place)}


def _write(
    runtime: WorkerRuntime,
    claim: Lease,
    collection: Collection,
    shard: str,
    items: Sequence[WorkItem],
    tallies: Tallies,
) -> dict[int, End]:
    """Upsert and confirm; `Complete` means that the store holds every row of the version."""
    stored, outcomes = load_stored(runtime.blobs, [item for item in items if not item.deletes], runtime.handed_on)
    rows, unembedded = _rows(runtime, collection, stored)
    store = runtime.store(collection, job_id=items[0].job_id)
    if rows and _is_lost(runtime, claim, items):
        return {item.id: Return() for item in items}
    if runtime.must_count_words_of(collection.id):
        tallies |= {id_: tally_rows(found) for id_, found in rows.items()}
    if rows:
        store.upsert(shard, [row for s in stored for row in rows.get(s.item.id, ())])
    confirmed = _confirm(store, shard, [s for s in stored if s.item.id not in unembedded])
    again = _embed_again(runtime, unembedded)
    deleted = {item.id: Complete(Result.INDEXED) for item in items if item.deletes}
    return outcomes | confirmed | again | deleted


def _confirm(store: VectorStore, shard: str, written: Sequence[Stored]) -> dict[int, End]:
    """Ask whether every row is there, some documents at a time, and halves of them where that fails.

    So one question that fails sends back its own document and not all that were written with it. Whoever says that all
    have to wait is not asked again.
    """
    ends: dict[int, End] = {}
    for some in pages(written, CONFIRMED_AT_ONCE):
        rows = {s.item.id: len(s.kept) for s in some}
        wait = next((end for end in ends.values() if isinstance(end, FlowControl)), None)
        if wait is None:
            ends |= try_apart([s.item for s in some], partial(_count, store, shard, rows))
        else:
            ends |= dict.fromkeys(rows, wait)
    return ends


def _count(store: VectorStore, shard: str, rows: Mapping[int, int], items: Sequence[WorkItem]) -> dict[int, End]:
    held = store.count_editions(shard, {item.document_id: (item.version, item.generation) for item in items})
    return {item.id: _confirmation(held[item.document_id], rows[item.id]) for item in items}


def _confirmation(held: int, expected: int) -> End:
    if held == expected:
        return Complete(Result.INDEXED)
    return ProviderUnavailable(f"the store confirms {held} of {expected} vectors")


def _is_lost(runtime: WorkerRuntime, claim: Lease, items: Sequence[WorkItem]) -> bool:
    """Whether somebody else has work of this claim now: a last look before writing."""
    held = runtime.database.query(lambda connection: find_held(connection, claim.token))
    return any(item.id not in held for item in items)


def _embed_again(runtime: WorkerRuntime, ids: Iterable[int]) -> dict[int, Outcome]:
    """Documents whose vectors were evicted go back one stage, which pays for what is really gone; but not for ever."""
    wanted = sorted(ids)
    if not wanted:
        return {}
    log.warning("index.vectors_missing", work=len(wanted))
    returns = runtime.database.query(lambda connection: count_returns(connection, wanted))
    return {
        id_: Advance(stages.maker(Product.VECTORS), {"chunks_embedded": 0})
        if returns.get(id_, 0) < MOST_RETURNS
        else Fail(VectorsLost(f"the cache lost vectors {returns[id_]} times within an hour"))
        for id_ in wanted
    }


def _rows(
    runtime: WorkerRuntime, collection: Collection, stored: Sequence[Stored]
) -> tuple[dict[int, list[VectorRow]], set[int]]:
    embedder = runtime.embedder(CollectionSettings(**collection.settings).embedding)
    texts = {s.item.id: s.embedded_texts() for s in stored}
    unique = list(dict.fromkeys(chain.from_iterable(texts.values())))
    vectors = _vectors(runtime.cache_of(collection.id), embedder, unique)
    unembedded = {id_ for id_, found in texts.items() if not all(map(vectors.__contains__, found))}
    rows = {
        s.item.id: _document_rows(runtime, s, [vectors[t] for t in texts[s.item.id]], str(collection.index_version))
        for s in stored
        if s.item.id not in unembedded
    }
    return rows, unembedded


def _vectors(cache: EmbeddingCache, embedder: Embedder, texts: Sequence[str]) -> Mapping[str, NDArray[np.float32]]:
    """The vectors of different texts: made here, or those that the embed stage left in the cache."""
    if embedder.is_instant:
        return dict(zip(texts, as_kept(embedder.embed_all(texts)), strict=True))
    addresses = {embedder.address(text): text for text in texts}
    found = cache.get_many(list(addresses), dimensions=embedder.dimensions)
    return {addresses[address]: vector for address, vector in found.items()}


def _document_rows(
    runtime: WorkerRuntime, stored: Stored, vectors: Sequence[NDArray[np.float32]], index_version: str
) -> list[VectorRow]:
    item, chunk_set, ids = stored.item, stored.chunk_set, stored.chunk_set.ids
    metadata = kept_with(open_metadata(runtime.vault, item.origin), Labels.of_origin(item.origin))
    return [
        VectorRow(
            id=row_id(item.document_id, item.version, item.generation, chunk.ordinal),
            document=item.document_id,
            version=item.version,
            generation=item.generation,
            ordinal=chunk.ordinal,
            chunk=ids[chunk.ordinal],
            uri=item.uri,
            title=chunk_set.title,
            section=chunk.section,
            text=chunk.shown(chunk_set.text),
            start=chunk.start,
            end=chunk.end,
            page=chunk.page,
            index_version=index_version,
            vector=vector,
            metadata=metadata,
            head=chunk.head,
            last_page=chunk.last_page,
        )
        for chunk, vector in zip(stored.kept, vectors, strict=True)
    ]


def _finish(runtime: WorkerRuntime, claim: Lease, written: Sequence[WorkItem], tallies: Tallies) -> dict[int, Outcome]:
    if not written:
        return {}

    def switch(connection: Connection) -> dict[str, Generations]:
        standings = switch_versions(connection, claim.token, [item.id for item in written])
        if runtime.must_count_words:
            record_switched(connection, written, standings, tallies)
        return standings

    standings = runtime.database.transact(switch)
    # Absent from `standings`: the lease was lost, and whoever has the work now will finish it.
    mine = [item for item in written if item.document_id in standings]
    _take_back(runtime, [item for item in written if item.document_id not in standings])
    active = {id_: standing.active for id_, standing in standings.items()}
    late: dict[int, Outcome] = {}
    for (collection_id, shard, _), items in _by_shard_and_job(runtime, mine).items():
        try:
            _delete_stale(runtime.collection(collection_id), shard, items, active, runtime)
        except StorageFailed:
            raise
        except EmbedmillError as error:
            if isinstance(error, KeyRefused):
                _guard(runtime, runtime.collection(collection_id), shard).key.refused(error)
            late |= {item.id: outcome_of(error) for item in items}
    return {item.id: _complete(item, standings[item.document_id]) for item in mine} | late


def _take_back(runtime: WorkerRuntime, lost: Sequence[WorkItem]) -> None:
    """Remove what was written too late: rows of a generation that its document has left behind, or lost with itself.

    Those of the generation that is seen, or will be, are the same that whoever has the work now writes or has written.
    """
    if not lost:
        return
    ids = [item.document_id for item in lost]
    known = runtime.database.query(lambda connection: find_active_generations(connection, ids))
    active = {item.document_id: known.get(item.document_id, item.generation + 1) for item in lost}
    log.warning("index.lease_lost", work=len(lost))
    for (collection_id, shard, _), items in _by_shard_and_job(runtime, lost).items():
        try:
            _delete_stale(runtime.collection(collection_id), shard, items, active, runtime)
        except StorageFailed:
            raise
        except EmbedmillError as error:
            # The sweeper comes by until it has succeeded.
            log.warning("index.not_taken_back", work=len(items), error_class=type(error).__name__)


def _delete_stale(
    collection: Collection, shard: str, items: Sequence[WorkItem], active: Mapping[str, int], runtime: WorkerRuntime
) -> None:
    """Old versions, at home and where a move between shards has not fetched them yet."""
    stale = {i.document_id: active[i.document_id] for i in items if active[i.document_id] > 1}
    if not stale:
        return
    store = runtime.store(collection, job_id=items[0].job_id)
    store.delete_stale(shard, stale)
    former: dict[str, dict[str, int]] = {}
    for item in items:
        if left := collection.former_home(item.document_id):
            # What is seen is at home, now that it was written there.
            is_at_home = active[item.document_id] == item.generation
            former.setdefault(left, {})[item.document_id] = active[item.document_id] + is_at_home
    for left, generations in former.items():
        store.delete_stale(left, generations)


def _complete(item: WorkItem, standing: Generations) -> Outcome:
    if item.deletes and standing.active < item.generation < standing.newest:
        return Complete(Result.SUPERSEDED, "the document came back before it was removed")
    if standing.active < item.generation:
        return Return()  # another job's work on the same document was switched in this batch: this one comes next
    if standing.active > item.generation:
        return Complete(Result.SUPERSEDED, "a newer version of the document was indexed first")
    if item.deletes:
        return Complete(Result.DELETED)
    if not item.chunks_expected:
        return Complete(Result.SKIPPED, item.reason)
    return Complete(Result.INDEXED)
