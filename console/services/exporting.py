"""What the vector store itself holds of what readers see, and what was rejected."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedmill.console.rendering import LEFT_OUT
from embedmill.console.services.reach import in_collection, reach_within
from embedmill.console.services.serving import Trace, serves
from embedmill.shared.access.labels import condition_of, split_kept
from embedmill.shared.access.principals import Right
from embedmill.shared.collections import CollectionSettings, read_collection_settings
from embedmill.shared.db import collections, documents, manifest
from embedmill.shared.db.manifest import Tracked
from embedmill.shared.errors import BlobMissing
from embedmill.shared.paging import batched
from embedmill.shared.providers.vectorstores.rows import Selection, VectorRow, edition_of
from embedmill.shared.runtime import Runtime

PAGE = 500


@dataclass(frozen=True, slots=True)
class Exported:
    """One vector with its text, as its shard holds it; `vector` only where it was asked for.

    `start` and `end` are offsets of the body into the document's text; `text` begins with the head of its table, where
    `head` says where that stands.
    """

    id: str
    document: str
    uri: str
    chunk: str
    ordinal: int
    title: str
    section: str
    page: int | None
    pages: tuple[int, int] | None
    start: int
    end: int
    head: tuple[int, int] | None
    text: str
    metadata: Mapping[str, Any]
    access: str
    owner: str
    version: str
    index_version: str
    shard: str
    vector: NDArray[np.float32] | None = field(default=None, metadata=LEFT_OUT)


@dataclass(frozen=True, slots=True)
class Rejected:
    """A chunk that was not indexed, and why."""

    document: str
    uri: str
    chunk: str
    start: int
    end: int
    head: tuple[int, int] | None
    reason: str
    text: str


@serves("export", Right.READ, in_collection(), filters=True)
def export(runtime: Runtime, collection: str, *, with_vectors: bool = False) -> Iterator[Exported]:
    """One entry for each vector, shard by shard; streamed. Raises NotFound."""
    found = runtime.database.query(lambda connection: collections.get_collection(connection, collection))
    store, settings = runtime.store(found), read_collection_settings(found.settings)
    seen = Selection(condition_of(reach_within(runtime.principal, found)))
    written: set[tuple[str, int]] | None = set() if found.leaving else None
    for shard in found.reading_shards:
        rows = store.list_rows(shard, with_vectors=with_vectors, selection=seen)
        for row in _once(_seen(runtime, rows), written):
            yield _exported(row, shard, settings, with_vectors=with_vectors)


@serves("export.rejected", Right.OPERATE, in_collection(), trace=Trace.READ)
def export_rejected(runtime: Runtime, collection: str) -> Iterator[Rejected]:
    """One entry for each rejected chunk of what readers see; streamed. Raises NotFound, BlobMissing."""
    found = runtime.database.query(lambda connection: collections.get_collection(connection, collection))
    for page in manifest.walk_tracked(runtime.database, found.id):
        rejecting = [tracked for tracked in page if tracked.rejections_ref]
        blobs = runtime.blobs.get_pack([r for t in rejecting for r in (t.chunks_ref, t.rejections_ref) if r])
        for tracked in rejecting:
            yield from _rejected(tracked, blobs)


def _seen(runtime: Runtime, rows: Iterator[VectorRow]) -> Iterator[VectorRow]:
    """The rows of active editions: not what is being written or deleted, nor what a worker wrote too late."""
    for some in batched(rows, PAGE):
        ids = list({row.document for row in some})
        active = runtime.database.query(lambda connection, ids=ids: documents.find_active_editions(connection, ids))  # type: ignore[misc]
        yield from (row for row in some if edition_of(row).is_seen_as(active.get(row.document)))


def _once(rows: Iterator[VectorRow], written: set[tuple[str, int]] | None) -> Iterator[VectorRow]:
    """A row that is being moved may be held twice; `written` remembers them, and is None outside a move."""
    for row in rows:
        if written is None:
            yield row
        elif (row.document, row.ordinal) not in written:
            written.add((row.document, row.ordinal))
            yield row


def _exported(row: VectorRow, shard: str, settings: CollectionSettings, *, with_vectors: bool) -> Exported:
    metadata, labels = split_kept(row.metadata)
    return Exported(
        id=row.id,
        document=row.document,
        uri=row.uri,
        chunk=row.chunk,
        ordinal=row.ordinal,
        title=row.title,
        section=row.section,
        page=row.page,
        pages=row.pages,
        start=row.start,
        end=row.end,
        head=row.head,
        text=row.text,
        metadata=metadata,
        access=labels.access or settings.access,
        owner=labels.owner or settings.owner,
        version=row.version,
        index_version=row.index_version,
        shard=shard,
        vector=row.vector if with_vectors else None,
    )


def _rejected(tracked: Tracked, blobs: Mapping[str, bytes | BlobMissing]) -> Iterator[Rejected]:
    from embedmill.workers.stored import read_stored

    chunk_set, rejections, _ = read_stored(tracked.chunks_ref, tracked.rejections_ref, blobs)
    for chunk in chunk_set.chunks:
        if chunk.ordinal in rejections:
            yield Rejected(
                document=tracked.id,
                uri=tracked.uri,
                chunk=chunk_set.ids[chunk.ordinal],
                start=chunk.start,
                end=chunk.end,
                reason=rejections[chunk.ordinal],
                head=chunk.head,
                text=chunk.shown(chunk_set.text),
            )
