"""Owns the counting of documents' words in the tracking database, for a vector store whose service counts none.

What the index stage writes is counted in the transaction that shows it to readers. Whatever came about in another way
(documents of a release before, another cutter, an erasure) differs from what is counted, and is counted by whoever
finds it: the chores, `verify --repair`, and a search, as far as it has time.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from embedmill.shared.db import word_counts
from embedmill.shared.db.collections import Collection, list_collections
from embedmill.shared.db.documents import Generations
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.leases import WorkItem
from embedmill.shared.db.word_counts import Uncounted
from embedmill.shared.db.word_editions import edition_of
from embedmill.shared.errors import BlobMissing
from embedmill.shared.logs import get_logger
from embedmill.shared.providers.vectorstores.exact import counts_of
from embedmill.shared.providers.vectorstores.rows import VectorRow
from embedmill.shared.runtime import Runtime
from embedmill.shared.words.cutting import count_terms
from embedmill.shared.words.tallies import NOTHING, WordTally
from embedmill.workers.stored import read_stored

log = get_logger()

CHORE_SECONDS = 1.0
LOOK_SECONDS = 30.0
Tallies = dict[int, WordTally]
"""What was written of the documents of some work, by the work's id."""


def tally_rows(rows: Iterable[VectorRow]) -> WordTally:
    """The words of the rows of a document."""
    return WordTally.of(map(counts_of, rows))


def record_switched(
    connection: Connection, items: Sequence[WorkItem], standings: Mapping[str, Generations], tallies: Tallies
) -> None:
    """Count what readers see now, in the transaction that made them see it."""
    seen = [item for item in items if _is_seen(item, standings)]
    for collection_id, some in groupby(sorted(seen, key=_collection_of), _collection_of):
        listed = list(some)
        word_counts.forget_words(connection, collection_id, [item.document_id for item in listed if item.deletes])
        word_counts.record_words(
            connection,
            collection_id,
            {
                item.document_id: (_edition_of(item), tallies[item.id])
                for item in listed
                if not item.deletes and item.id in tallies
            },
        )
        word_counts.fold_deltas(connection, collection_id)


def _collection_of(item: WorkItem) -> int:
    return item.collection_id


def _is_seen(item: WorkItem, standings: Mapping[str, Generations]) -> bool:
    standing = standings.get(item.document_id)
    return standing is not None and standing.active == item.generation


def _edition_of(item: WorkItem) -> str:
    return edition_of(item.generation, item.chunks_ref, item.rejections_ref)


def count_everywhere(runtime: Runtime) -> None:
    """Count what is not counted yet, in every collection, for a moment: it is one chore of many."""
    if runtime.must_count_words:
        deadline = time.monotonic() + CHORE_SECONDS
        for collection in runtime.database.query(list_collections):
            if runtime.must_count_words_of(collection.id):
                count_uncounted(runtime, collection.id, deadline=deadline)


def cut_anew(runtime: Runtime, collection: Collection, shards: Iterable[str], *, deadline: float | None = None) -> None:
    """Cut the words of rows anew that another version of the cutter cut, as far as there is time."""
    store = runtime.store(collection)
    rows = sum(store.cut_anew(shard, deadline=deadline) for shard in shards)
    if rows:
        log.info("words.cut_anew", collection=collection.id, rows=rows)


def catch_up(runtime: Runtime, collection_id: int, *, seconds: float) -> None:
    """Before a search: count what is not counted, if nobody looked for a while, and as far as there is time."""
    now = time.monotonic()
    if (
        not runtime.must_count_words_of(collection_id)
        or now < runtime.counted_at.get(collection_id, -LOOK_SECONDS) + LOOK_SECONDS
    ):
        return
    if count_uncounted(runtime, collection_id, deadline=now + seconds):
        runtime.counted_at[collection_id] = now


def mend_counts(runtime: Runtime, collection_id: int) -> int:
    """Have all of a collection counted as it is; returns how many documents were not."""
    differing = count_differing(runtime, collection_id)
    if not differing:
        return 0
    if not runtime.database.query(word_counts.sums_agree, collection_id):
        runtime.database.transact(word_counts.forget_all_words, collection_id)
    count_uncounted(runtime, collection_id)
    return differing


def count_differing(runtime: Runtime, collection_id: int) -> int:
    """How many documents of a collection are not counted as they are; 0 where the store counts."""
    if not runtime.must_count_words_of(collection_id):
        return 0
    return runtime.database.query(word_counts.count_differing, collection_id)


def count_uncounted(runtime: Runtime, collection_id: int, *, deadline: float | None = None) -> bool:
    """Count what differs from what is counted; False when there was no time for all of it."""
    while deadline is None or time.monotonic() < deadline:
        found, gone = runtime.database.query(
            lambda connection: (
                word_counts.find_uncounted(connection, collection_id),
                word_counts.find_counted_but_gone(connection, collection_id),
            )
        )
        if not found and not gone:
            return True
        tallies = _tally_stored(runtime, found)
        runtime.database.transact(_record, collection_id, found, tallies, gone)
        log.info("words.counted", collection=collection_id, documents=len(found), gone=len(gone))
    return False


def _record(
    connection: Connection,
    collection_id: int,
    found: Sequence[Uncounted],
    tallies: Mapping[str, WordTally],
    gone: Sequence[str],
) -> None:
    """What others have switched or counted meanwhile is left to them."""
    editions = word_counts.lock_editions(connection, [*(one.document for one in found), *gone])
    still = [one for one in found if editions.get(one.document) == one.edition]
    word_counts.record_words(
        connection, collection_id, {one.document: (one.edition, tallies[one.document]) for one in still}
    )
    word_counts.forget_words(connection, collection_id, [id for id in gone if id not in editions])
    word_counts.fold_deltas(connection, collection_id)


def _tally_stored(runtime: Runtime, found: Sequence[Uncounted]) -> dict[str, WordTally]:
    references = [ref for one in found for ref in (one.chunks_ref, one.rejections_ref) if ref is not None]
    blobs = runtime.blobs.get_pack(references) if references else {}
    return {one.document: _tally_of(one, blobs) for one in found}


def _tally_of(one: Uncounted, blobs: Mapping[str, bytes | BlobMissing]) -> WordTally:
    """The words of a document's chunks as they are stored; nothing of one whose chunks are lost."""
    try:
        chunk_set, rejected, _ = read_stored(one.chunks_ref, one.rejections_ref, blobs)
    except BlobMissing:
        log.warning("words.chunks_missing", document=one.document)
        return NOTHING
    kept = (chunk for chunk in chunk_set.chunks if chunk.ordinal not in rejected)
    return WordTally.of(
        count_terms(title=chunk_set.title, uri=one.uri, section=chunk.section, text=chunk.shown(chunk_set.text))
        for chunk in kept
    )
