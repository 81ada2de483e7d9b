"""`embedmill export`: what the vector store itself holds of what readers see, as JSONL."""

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from embedmill.console.cli.output import json_line
from embedmill.console.cli.session import opened_to_read
from embedmill.shared.db import collections, documents
from embedmill.shared.db.documents import Tracked
from embedmill.shared.errors import BlobMissing
from embedmill.shared.paging import batched
from embedmill.shared.providers.vectorstores.base import VectorRow
from embedmill.shared.providers.vectorstores.rows import edition_of
from embedmill.shared.runtime import Runtime

PAGE = 500


def export(collection: str, *, with_vectors: bool) -> None:
    """Write one line per vector to stdout, shard by shard; streamed."""
    with opened_to_read() as runtime:
        with runtime.database.read() as connection:
            found = collections.get_collection(connection, collection)
        store = runtime.store(found)
        written: set[tuple[str, int]] | None = set() if found.leaving else None
        for shard in found.reading_shards:
            rows = _seen(runtime, store.list_rows(shard, with_vectors=with_vectors))
            for line in _lines(_once(rows, written), shard, with_vectors=with_vectors):
                sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


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


def export_rejected(collection: str) -> None:
    """Write one line per rejected chunk of what readers see, with the reason; streamed. Raises BlobMissing."""
    with opened_to_read() as runtime:
        with runtime.database.read() as connection:
            found = collections.get_collection(connection, collection)
        for page in documents.walk_tracked(runtime.database, found.id):
            rejecting = [tracked for tracked in page if tracked.rejections_ref]
            blobs = runtime.blobs.get_pack([r for t in rejecting for r in (t.chunks_ref, t.rejections_ref) if r])
            for tracked in rejecting:
                for line in _rejected_lines(tracked, blobs):
                    sys.stdout.buffer.write(json_line(line))
    sys.stdout.buffer.flush()


def _rejected_lines(tracked: Tracked, blobs: Mapping[str, bytes | BlobMissing]) -> Iterator[dict[str, Any]]:
    from embedmill.workers.stages.stored import read_stored

    chunk_set, rejections, _ = read_stored(tracked.chunks_ref, tracked.rejections_ref, blobs)
    for chunk in chunk_set.chunks:
        if chunk.ordinal in rejections:
            yield {
                "document": tracked.id,
                "uri": tracked.uri,
                "chunk": chunk_set.ids[chunk.ordinal],
                "start": chunk.start,
                "end": chunk.end,
                "reason": rejections[chunk.ordinal],
                "text": chunk.body(chunk_set.text),
            }


def _lines(rows: Iterator[VectorRow], shard: str, *, with_vectors: bool) -> Iterator[bytes]:
    for row in rows:
        yield json_line(_describe(row, shard, with_vectors=with_vectors))


def _describe(row: VectorRow, shard: str, *, with_vectors: bool) -> dict[str, Any]:
    described: dict[str, Any] = {
        "id": row.id,
        "document": row.document,
        "uri": row.uri,
        "chunk": row.chunk,
        "ordinal": row.ordinal,
        "title": row.title,
        "section": row.section,
        "page": row.page,
        "start": row.start,
        "end": row.end,
        "text": row.text,
        "metadata": dict(row.metadata),
        "version": row.version,
        "index_version": row.index_version,
        "shard": shard,
    }
    return described | ({"vector": row.vector} if with_vectors else {})
