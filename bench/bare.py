"""The bare script: reads, chunks, embeds and writes a folder with the pipeline's own parts and nothing around them.

One process, maximal batches, no tracking, no retries, no leases: the time that the pipeline is held against.
"""

import argparse
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.addresses import document_id
from embedmill.shared.collections import CollectionSettings
from embedmill.shared.providers.embeddings.base import Embedder
from embedmill.shared.providers.embeddings.table import open_embedder
from embedmill.shared.providers.vectorstores.base import StoreOptions, VectorStore
from embedmill.shared.providers.vectorstores.rows import VectorRow
from embedmill.shared.providers.vectorstores.table import open_vector_store
from embedmill.shared.uris import path_to_uri
from embedmill.workers.chunking import ChunkSet
from embedmill.workers.parsing.limits import ParserLimits
from embedmill.workers.parsing.parse import parse
from embedmill.workers.stages.chunk import split

SHARD = "v1-000"
ROWS = 2048


def main() -> None:
    """Index a folder into a home folder."""
    parser = argparse.ArgumentParser(description="The bare script of the ingest benchmark.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("home", type=Path)
    parser.add_argument("--embedding", default="hash")
    options = parser.parse_args()
    embedder = open_embedder(options.embedding, cache_dir=options.home / "models")
    store = open_vector_store(
        "embedded://", StoreOptions(home=options.home, collection_key="bare", dimensions=embedder.dimensions)
    )
    settings = CollectionSettings(embedding=options.embedding)
    pending: list[tuple[str, ChunkSet]] = []
    count = 0
    for uri, data in read_files(options.folder):
        parsed = parse(data, name=uri, limits=ParserLimits())
        chunk_set = split(parsed, settings, title="")
        pending.append((uri, chunk_set))
        count += len(chunk_set.chunks)
        if count >= ROWS:
            _write(pending, embedder, store)
            pending, count = [], 0
    _write(pending, embedder, store)
    print(store.count(SHARD))


def read_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Addresses and contents of a folder's files, in order."""
    for root, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            path = os.path.join(root, name)
            with open(path, "rb") as file:
                yield path_to_uri(os.fsencode(path)), file.read()


def rows_of(chunked: Sequence[tuple[str, ChunkSet]], vectors: Iterator[NDArray[np.float32]]) -> list[VectorRow]:
    """The rows of documents, as far as the pipeline writes them too; vectors are taken in the order of the chunks."""
    return [
        VectorRow(
            id=f"{document}-{chunk_id}",
            document=document,
            version="bare",
            generation=1,
            ordinal=chunk.ordinal,
            chunk=chunk_id,
            uri=uri,
            title=chunk_set.title,
            section=chunk.section,
            text=chunk.shown(chunk_set.text),
            start=chunk.start,
            end=chunk.end,
            page=chunk.page,
            index_version="1",
            vector=next(vectors),
        )
        for uri, chunk_set in chunked
        for document in [document_id("bare", uri)]
        for chunk_id, chunk in zip(chunk_set.ids, chunk_set.chunks, strict=True)
    ]


def _write(pending: list[tuple[str, ChunkSet]], embedder: Embedder, store: VectorStore) -> None:
    texts = [text for _, chunk_set in pending for text in chunk_set.embedded_texts()]
    rows = rows_of(pending, iter(embedder.embed_all(texts, input_type="document")))
    if rows:
        store.upsert(SHARD, rows)


if __name__ == "__main__":
    main()
