"""`embedmill export`: what the vector store itself holds, as JSONL."""

import sys
from collections.abc import Iterator
from typing import Any

import orjson

from console.session import opened
from shared.db import collections
from shared.providers.vectorstores.base import VectorRow


def export(collection: str, *, with_vectors: bool) -> None:
    """Write one line per vector to stdout, shard by shard; streamed."""
    with opened() as runtime:
        with runtime.database.read() as connection:
            found = collections.get_collection(connection, collection)
        store = runtime.store(found)
        for shard in found.shards:
            for line in _lines(store.list_rows(shard, with_vectors=with_vectors), shard, with_vectors=with_vectors):
                sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


def _lines(rows: Iterator[VectorRow], shard: str, *, with_vectors: bool) -> Iterator[bytes]:
    for row in rows:
        yield orjson.dumps(_describe(row, shard, with_vectors=with_vectors), option=orjson.OPT_SERIALIZE_NUMPY) + b"\n"


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
