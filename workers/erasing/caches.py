"""What is kept under the hashes of a document's texts: vectors and verdicts that nobody shares, answers of models.

It is told by the stored chunk sets, so it goes before they do. What earlier versions of a document left in a cache
whose texts are stored no more cannot be told from others' entries; the receipt says so.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from functools import partial

import orjson

from embedmill.shared.caches.embeddings import EmbeddingCache
from embedmill.shared.collections import CollectionSettings
from embedmill.shared.db import traces
from embedmill.shared.db.collections import Collection
from embedmill.shared.errors import BlobMissing
from embedmill.shared.ledger import FREE_PROVIDERS
from embedmill.shared.paging import pages
from embedmill.workers.chunking import ChunkSet, decode_chunk_set
from embedmill.workers.erasing.base import Done, ErasureRun, Left, Some
from embedmill.workers.erasing.sharing import Text, find_shared_texts
from embedmill.workers.stored import Repair, embedded_text
from embedmill.workers.validation.obtaining import name_judge, own_judge
from embedmill.workers.validation.passages import make_passages

FORMER = Left(
    "the cache: vectors of versions that were replaced, whose texts are stored no more",
    "nobody uses them for as long as EMBEDMILL_CACHE_DOCUMENT_DAYS says; `embedmill cache prune --unused` hurries that",
)
READ_AT_ONCE = 200


def forget(run: ErasureRun) -> Done:
    """Forget what nobody else has the text of."""
    counts = Counter({"vectors": 0, "verdicts": 0, "answers": 0})
    # One of its own: another thread of this process may use the other.
    with closing(run.runtime.open_cache()) as cache:
        for some in run.walk():
            if some.collection is not None:
                counts.update(_forget(run, cache, some, some.collection))
        left = cache.wipe()
    paid = any(some.collection is not None and _is_paid(run, some.collection) for some in run.walk())
    told = [Left(left, "it has written its files anew")] if left else []
    return Done(counts, [*([FORMER] if paid else []), *told])


def _is_paid(run: ErasureRun, collection: Collection) -> bool:
    return run.runtime.embedder(_settings(run, collection).embedding).provider not in FREE_PROVIDERS


def _settings(run: ErasureRun, collection: Collection) -> CollectionSettings:
    return run.runtime.collection_settings(collection.id)


def _forget(run: ErasureRun, cache: EmbeddingCache, some: Some, collection: Collection) -> dict[str, int]:
    runtime, ids = run.runtime, some.ids
    shared = find_shared_texts(run, some, collection) if _is_paid(run, collection) else set()
    addresses: set[bytes] = set()
    judged = runtime.database.query(traces.find_judged, ids)
    copied = runtime.database.query(traces.find_copied, ids)
    for id, chunk_set, repairs in _read(run, some):
        addresses |= _addresses(run, collection, chunk_set, repairs, shared)
        # A verdict rests on title and beginning, too: only a copy shares it.
        judged |= _judged(run, collection, chunk_set) if id not in copied else set()
    for part in pages(sorted(addresses), READ_AT_ONCE):
        cache.forget_many(part)
    forget_verdicts = partial(traces.forget_verdicts, addresses=sorted(judged), ids=ids)
    return {
        "vectors": len(addresses),
        "verdicts": runtime.database.transact(forget_verdicts),
        "answers": runtime.database.transact(traces.forget_answers, collection.id),
    }


def _read(run: ErasureRun, some: Some) -> Iterator[tuple[str, ChunkSet, Mapping[int, Repair]]]:
    """A document's id with each chunk set that is still stored, as it is and with each repair that there ever was."""
    for document in some.documents:
        references = (document.known or {}).get("refs", ())
        found = [data for data in run.runtime.blobs.get_pack(references).values() if isinstance(data, bytes)]
        repairs = [{}, *filter(None, map(_read_repairs, found))]
        for chunk_set in filter(None, map(_read_chunk_set, found)):
            yield from ((document.document_id, chunk_set, repair) for repair in repairs)


def _read_chunk_set(data: bytes) -> ChunkSet | None:
    try:
        return decode_chunk_set(data)
    except BlobMissing:
        return None


def _read_repairs(data: bytes) -> dict[int, Repair]:
    """The repairs of an object, if it is one of findings."""
    try:
        found = orjson.loads(data)
        return {int(ordinal): Repair.from_json(value) for ordinal, value in found.items() if isinstance(value, dict)}
    except (ValueError, TypeError, LookupError, AttributeError):
        return {}


def _addresses(
    run: ErasureRun, collection: Collection, chunk_set: ChunkSet, repairs: Mapping[int, Repair], shared: set[Text]
) -> set[bytes]:
    embedder = run.runtime.embedder(_settings(run, collection).embedding)
    mine = (c for c in chunk_set.chunks if (chunk_set.title, c.section, c.shown(chunk_set.text)) not in shared)
    plain = {embedder.address(embedded_text(chunk_set, chunk, repairs)) for chunk in mine}
    return {run.runtime.vault.address(collection.id, address) for address in plain}


def _judged(run: ErasureRun, collection: Collection, chunk_set: ChunkSet) -> set[str]:
    settings = _settings(run, collection)
    if not (settings.gates or settings.audits):
        return set()
    named = name_judge(settings.validator, run.runtime.model_endpoint(settings.validator))
    judge = own_judge(run.runtime, collection.id, named)
    passages = make_passages(chunk_set, chunk_set.chunks, document="", judge=judge)
    return {passage.address for passage in passages}
