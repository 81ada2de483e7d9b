"""Measures ranking quality and query time of the real searcher on judged collections: `python -m bench.retrieval`.

A collection is a folder with `docs.jsonl` (id, title, text), `queries.jsonl` (id, text) and `qrels.tsv` (query_id,
doc_id, rel, with a header). Documents are chunked, embedded and stored as an ingest would; a document ranks where its
best chunk does. nDCG@10 has gain 2^rel - 1; queries without a relevant document are left out.
"""

import argparse
import math
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median, quantiles
from typing import Any, get_args

import orjson

from embedmill.retrieval.question import Mode
from embedmill.retrieval.search import Searcher
from embedmill.retrieval.view import EVERY_CHUNK, FIRST_PAGE, View
from embedmill.shared.editions import Edition
from embedmill.shared.providers.embeddings.base import Embedder
from embedmill.shared.providers.embeddings.table import open_embedder
from embedmill.shared.providers.vectorstores.base import VectorStore
from embedmill.shared.providers.vectorstores.embedded.store import EmbeddedVectorStore
from embedmill.shared.providers.vectorstores.rows import VectorRow
from embedmill.shared.sharding import shard_for
from embedmill.workers.chunking import ChunkSet, ChunkSettings, build_chunk_set, normalise
from embedmill.workers.parsing.draft import Draft
from embedmill.workers.parsing.limits import ParserLimits
from embedmill.workers.parsing.text import read_text

COLLECTIONS = ("cranfield", "pyfaq")
VERSION = "v1"
WHOLE_DOCUMENT_TOKENS = 1_000_000
RANKED_DOCUMENTS = 100
BATCH = 256


@dataclass(frozen=True, slots=True)
class JudgedCollection:
    """A test collection; `relevant` maps query ids to grades above 0 by document id."""

    name: str
    documents: Sequence[Mapping[str, str]]
    queries: Mapping[str, str]
    relevant: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Quality:
    """Means over queries, and query time in milliseconds."""

    ndcg_10: float
    mrr_10: float
    recall_100: float
    p50_ms: float
    p95_ms: float


def read_collection(folder: Path) -> JudgedCollection:
    """Read one folder; raises FileNotFoundError when it is not a collection."""
    queries = {query["id"]: query["text"] for query in _json_lines(folder / "queries.jsonl")}
    relevant: dict[str, dict[str, int]] = {}
    for line in (folder / "qrels.tsv").read_text().splitlines()[1:]:
        query, document, grade = line.split("\t")
        if int(grade) > 0:
            relevant.setdefault(query, {})[document] = int(grade)
    judged = {id: text for id, text in queries.items() if id in relevant}
    return JudgedCollection(folder.name, list(_json_lines(folder / "docs.jsonl")), judged, relevant)


def _json_lines(file: Path) -> Iterator[Any]:
    with file.open("rb") as lines:
        yield from (orjson.loads(line) for line in lines if line.strip())


def cut(document: Mapping[str, str], settings: ChunkSettings) -> ChunkSet:
    """Chunks of a JSONL document, as the chunk stage makes them."""
    draft = Draft("text/plain", name="", limits=ParserLimits())
    read_text(document["text"], draft)
    title = document.get("title") or ""
    return build_chunk_set(normalise(draft.finish()), settings, title=title, media_type="text/plain")


def rows_of(document: Mapping[str, str], settings: ChunkSettings, embedder: Embedder) -> list[VectorRow]:
    """A document's rows, as the index stage writes them."""
    chunk_set = cut(document, settings)
    vectors = embedder.embed_batch(chunk_set.embedded_texts())
    return [
        VectorRow(
            id=f"{document['id']}-{id}",
            document=document["id"],
            version=VERSION,
            generation=1,
            ordinal=chunk.ordinal,
            chunk=id,
            uri=document["id"],
            title=chunk_set.title,
            section=chunk.section,
            text=chunk.shown(chunk_set.text),
            start=chunk.start,
            end=chunk.end,
            page=chunk.page,
            index_version="bench",
            vector=vector,
        )
        for id, chunk, vector in zip(chunk_set.ids, chunk_set.chunks, vectors, strict=True)
    ]


def index(
    judged: JudgedCollection, store: VectorStore, shards: Sequence[str], embedder: Embedder, settings: ChunkSettings
) -> int:
    """Write the whole collection; returns the number of chunks."""
    waiting: dict[str, list[VectorRow]] = {shard: [] for shard in shards}
    for document in judged.documents:
        shard = shard_for(document["id"], shards)
        waiting[shard] += rows_of(document, settings, embedder)
        if len(waiting[shard]) >= BATCH:
            store.upsert(shard, waiting[shard])
            waiting[shard] = []
    for shard, rows in waiting.items():
        store.upsert(shard, rows)
    return sum(map(store.count, shards))


def measure(judged: JudgedCollection, searcher: Searcher, *, mode: Mode, view: View = FIRST_PAGE) -> Quality:
    """Run every query once for the ranking; its time is that of an ordinary top 10."""
    searcher.search("warm up", mode=mode)
    figures: list[tuple[float, float, float]] = []
    spent: list[float] = []
    for id, text in judged.queries.items():
        begin = time.perf_counter()
        first = searcher.search(text, mode=mode, view=view)
        spent.append((time.perf_counter() - begin) * 1000)
        more = searcher.search(text, top_k=RANKED_DOCUMENTS, mode=mode)
        top = list(dict.fromkeys(hit.document for hit in first.hits))
        deep = list(dict.fromkeys(hit.document for hit in more.hits))
        grades = judged.relevant[id]
        figures.append((ndcg(top, grades), mrr(top, grades), recall(deep, grades)))
    ndcg_10, mrr_10, recall_100 = map(mean, zip(*figures, strict=True))
    return Quality(ndcg_10, mrr_10, recall_100, median(spent), quantiles(spent, n=20)[-1])


def ndcg(ranking: Sequence[str], grades: Mapping[str, int], depth: int = 10) -> float:
    """Normalised discounted cumulative gain with gain 2^grade - 1."""
    best = sorted(grades.values(), reverse=True)
    return _discounted([grades.get(id, 0) for id in ranking[:depth]]) / _discounted(best[:depth])


def _discounted(grades: Sequence[int]) -> float:
    return sum((2.0**grade - 1) / math.log2(rank + 1) for rank, grade in enumerate(grades, 1))


def mrr(ranking: Sequence[str], grades: Mapping[str, int], depth: int = 10) -> float:
    """Reciprocal rank of the first relevant document, 0 beyond `depth`."""
    return next((1 / rank for rank, id in enumerate(ranking[:depth], 1) if id in grades), 0.0)


def recall(ranking: Sequence[str], grades: Mapping[str, int]) -> float:
    """Share of the relevant documents that the ranking holds."""
    return sum(id in grades for id in ranking) / len(grades)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one line per collection, chunking and mode."""
    options = _parser().parse_args(arguments)
    embedder = open_embedder(options.embedding, cache_dir=Path(tempfile.gettempdir()) / "embedmill-bench")
    cuts = {
        "whole": ChunkSettings(WHOLE_DOCUMENT_TOKENS, 1, WHOLE_DOCUMENT_TOKENS, 0),
        "chunks": ChunkSettings.from_target(options.chunk_tokens),
    }
    print(f"{'collection':12} {'cut':7} {'rows':>6} {'mode':8} nDCG@10  MRR@10  R@100   p50 ms  p95 ms")
    for name in options.collections:
        judged = read_collection(options.data / name)
        for cut_name, settings in cuts.items():
            _report(judged, cut_name, settings, embedder, options)
    return 0


def _report(
    judged: JudgedCollection, cut_name: str, settings: ChunkSettings, embedder: Embedder, options: argparse.Namespace
) -> None:
    shards = [f"s{number}" for number in range(options.shards)]
    with tempfile.TemporaryDirectory() as folder:
        store = EmbeddedVectorStore(Path(folder), dimensions=embedder.dimensions)
        rows = index(judged, store, shards, embedder, settings)
        searcher = Searcher(store, shards, embedder, lambda documents: dict.fromkeys(documents, Edition(VERSION, 1)))
        for mode in get_args(Mode):
            q = measure(judged, searcher, mode=mode, view=EVERY_CHUNK if options.every_chunk else FIRST_PAGE)
            figures = f"{q.ndcg_10:7.3f} {q.mrr_10:7.3f} {q.recall_100:7.3f} {q.p50_ms:8.1f} {q.p95_ms:7.1f}"
            print(f"{judged.name:12} {cut_name:7} {rows:6} {mode:8} {figures}", flush=True)
        store.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.retrieval", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the collections")
    parser.add_argument("--collections", nargs="+", default=COLLECTIONS, help="folders within it")
    parser.add_argument("--embedding", default="local", help="embedder")
    parser.add_argument("--shards", type=int, default=1, help="number of shards")
    parser.add_argument("--chunk-tokens", type=int, default=384, help="chunk size of the second half of the report")
    parser.add_argument("--every-chunk", action="store_true", help="by score alone: nothing folded, no document spread")
    return parser


if __name__ == "__main__":
    sys.exit(main())
