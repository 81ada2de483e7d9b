"""The bare asyncio script: reads and chunks a folder, has a provider embed it, and writes rows.

The pipeline's own parts and nothing around them: no tracking, no cache, no retries. Requests are filled in order, by
the provider's count, and eight are out at once.
"""

import argparse
import asyncio
import base64
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import openai
import orjson
from numpy.typing import NDArray

from bench.bare import SHARD, read_files, rows_of
from embedmill.shared.collections import CollectionSettings
from embedmill.shared.providers.vectorstores.base import StoreOptions, VectorStore
from embedmill.shared.providers.vectorstores.table import open_vector_store
from embedmill.workers.chunking import ChunkSet
from embedmill.workers.parsing.limits import ParserLimits
from embedmill.workers.parsing.parse import parse
from embedmill.workers.stages.chunk import split

MODEL, DIMENSIONS = "text-embedding-3-small", 1536
AT_ONCE, MAX_INPUTS, MAX_TOKENS = 8, 2048, 300_000
Part = list[tuple[str, ChunkSet]]


def as_provider_counts(text: str) -> int:
    """Tokens of a text."""
    return len(text) // 4 + 1


def main() -> None:
    """Index a folder into a home folder."""
    parser = argparse.ArgumentParser(description="The bare script of the benchmark of a remote embedder.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("home", type=Path)
    options = parser.parse_args()
    where = StoreOptions(home=options.home, collection_key="bare", dimensions=DIMENSIONS)
    with asyncio.Runner() as runner:
        runner.run(index(options.folder, open_vector_store("embedded://", where)))


async def index(folder: Path, store: VectorStore) -> None:
    """Chunk in a thread, as the loop must not stand still, and make each request as soon as it is full."""
    client, gate = openai.AsyncOpenAI(max_retries=0), asyncio.Semaphore(AT_ONCE)
    async with asyncio.TaskGroup() as tasks:
        parts = fill(folder)
        while (part := await asyncio.to_thread(next, parts, None)) is not None:
            tasks.create_task(embed(client, gate, part, store))
    print(store.count(SHARD))


def fill(folder: Path) -> Iterator[Part]:
    """Documents whose chunks fill one request."""
    part: Part = []
    settings = CollectionSettings(embedding=f"openai/{MODEL}")
    inputs = tokens = 0
    for uri, data in read_files(folder):
        chunk_set = split(parse(data, name=uri, limits=ParserLimits()), settings, title="")
        counts = [as_provider_counts(text) for text in chunk_set.embedded_texts()]
        if part and (inputs + len(counts) > MAX_INPUTS or tokens + sum(counts) > MAX_TOKENS):
            yield part
            part, inputs, tokens = [], 0, 0
        part.append((uri, chunk_set))
        inputs, tokens = inputs + len(counts), tokens + sum(counts)
    if part:
        yield part


async def embed(client: openai.AsyncOpenAI, gate: asyncio.Semaphore, part: Part, store: VectorStore) -> None:
    """One request, and its rows."""
    texts = [text for _, chunk_set in part for text in chunk_set.embedded_texts()]
    async with gate:
        raw = await client.embeddings.with_raw_response.create(
            model=MODEL, dimensions=DIMENSIONS, encoding_format="base64", input=texts
        )
    data = orjson.loads(raw.http_response.content)["data"]
    vectors: Iterator[NDArray[np.float32]] = (
        np.frombuffer(base64.b64decode(row["embedding"]), dtype="<f4") for row in data
    )
    store.upsert(SHARD, rows_of(part, vectors))


if __name__ == "__main__":
    main()
