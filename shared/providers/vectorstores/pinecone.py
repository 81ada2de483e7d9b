"""Owns the vector store on Pinecone: one index, a namespace per shard, the vectors API.

Pinecone applies writes late and has no transactions. So a process remembers what it wrote and asks until it can read
it: before a count that decides a switch, and before any listing. What stays unseen parks the work; it has not failed.
Reads and writes are by id, whose beginning is the document: deletes by metadata are refused by serverless indexes, and
listing ids costs a thousandth of fetching rows.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from itertools import groupby, islice
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from shared.errors import FlowControl, ProviderUnavailable, StorageFailed
from shared.paging import pages
from shared.providers.blobs.base import BlobStore
from shared.providers.vectorstores import pinecone_records as records
from shared.providers.vectorstores.base import Match, ShardDescription, VectorRow, VectorStore
from shared.providers.vectorstores.pinecone_client import PineconeClient, parse_address
from shared.providers.vectorstores.pinecone_lanes import MOST, Pause
from shared.providers.vectorstores.pinecone_words import score_words
from shared.providers.vectorstores.rows import check_query, check_row, check_shard, latest

T = TypeVar("T")
A = TypeVar("A")

FETCH_IDS = 100
"""Ids in one URL; a thousand are allowed, but not by every proxy on the way."""
DELETE_IDS = 1_000
LIST_IDS = 100
MAX_TOP_K = 10_000
LATE_SECONDS = 5.0
"""When parked work looks again."""


class PineconeVectorStore(VectorStore):
    """Shards as namespaces `<prefix><collection>-<shard>` of the index that the URL names."""

    provider = "pinecone"

    def __init__(
        self, url: str, *, collection_key: str, dimensions: int, spills: Callable[[], BlobStore] | None = None
    ) -> None:
        address = parse_address(url, dimensions=dimensions)
        self._prefix = f"{address.prefix}{collection_key}-"
        self._dimensions = dimensions
        self._client = PineconeClient(address, dimensions=dimensions)
        self._spills = spills
        self._positions: dict[str, int] = {}
        """By namespace: position in its log of the last write of this process that reads have not confirmed."""
        self._unseen: dict[str, dict[tuple[str, str], set[str]]] = {}
        """By namespace: ids written by this process, by document and version, that no count has confirmed."""
        self._tells_positions = False
        self._lock = threading.Lock()

    @property
    def key_hash(self) -> str:
        return self._client.key_hash

    def upsert(self, shard: str, rows: Sequence[VectorRow]) -> None:
        space = self._namespace(shard)
        wanted = latest(rows)
        for row in wanted.values():
            check_row(row, dimensions=self._dimensions)
        if not wanted:
            return
        self._settle(space)
        held = self._fetch(space, list(wanted))
        newer = {id for id, record in held.items() if records.generation_of(record) > wanted[id].generation}
        written = [row for id, row in wanted.items() if id not in newer]
        made = [records.record_of(row, self._spill) for row in written]
        self._expect(space, written)
        self._all(records.packs(made), lambda pack: self._send(space, pack))
        self._forget_spills([held[row.id] for row in written if row.id in held], kept=made)

    def _send(self, space: str, pack: Sequence[records.Record]) -> None:
        answer = self._client.call(space, lambda index: index.upsert(vectors=list(pack), namespace=space))
        if answer.has_errors or answer.upserted_count != len(pack):
            raise ProviderUnavailable(f"Pinecone took {answer.upserted_count} of {len(pack)} records")
        info = answer.response_info
        if info is not None and info.lsn_committed is not None:
            self._tells_positions = True
            with self._lock:
                self._positions[space] = max(self._positions.get(space, 0), info.lsn_committed)

    def delete_stale(self, shard: str, generations: Mapping[str, int]) -> int:
        space = self._namespace(shard)
        self._settle(space)
        ids = [id for found in self._all(generations, lambda d: self._list(space, f"{d}-")) for id in found]
        held = self._fetch(space, ids)
        stale = {
            id: record
            for id, record in held.items()
            if records.generation_of(record) < generations[records.parse_id(id)[0]]
        }
        return self._delete(space, stale)

    def delete_ids(self, shard: str, ids: Sequence[str]) -> int:
        space = self._namespace(shard)
        self._settle(space)
        return self._delete(space, self._fetch(space, ids))

    def _delete(self, space: str, held: Mapping[str, Any]) -> int:
        gone = [list(page) for page in pages(list(held), DELETE_IDS)]
        for page in gone:
            self._client.call(space, lambda index, page=page: index.delete(ids=page, namespace=space))  # type: ignore[misc]
        # A delete tells no position. Its rows are invisible to readers already, so that being late is no failure.
        pause = Pause(seconds=self._client.address.fresh_seconds)
        while self._fetch(space, [page[-1] for page in gone]) and pause.wait():
            pass
        self._forget_spills(held.values())
        return len(held)

    def count_versions(self, shard: str, documents: Mapping[str, str]) -> dict[str, int]:
        space = self._namespace(shard)
        self._settle(space)
        counts = self._count(space, documents)
        pause = Pause(seconds=self._client.address.fresh_seconds)
        while late := {d: v for d, v in documents.items() if counts[d] < self._expected(space, d, v)}:
            if not pause.wait():
                if self._tells_positions:
                    break  # not late but lost: the caller sees how many there are
                raise _late(shard)
            counts |= self._count(space, late)
        with self._lock:
            for version in documents.items():
                self._unseen.get(space, {}).pop(version, None)
        return counts

    def _count(self, space: str, documents: Mapping[str, str]) -> dict[str, int]:
        listed = self._all(documents.items(), lambda version: self._list(space, f"{version[0]}-{version[1]}-"))
        return {document: len(ids) for document, ids in zip(documents, listed, strict=True)}

    def query(
        self, shard: str, vector: NDArray[np.float32], *, top_k: int, filter: Mapping[str, Any] | None = None
    ) -> list[Match]:
        space = self._namespace(shard)
        check_query(vector, dimensions=self._dimensions)
        if top_k < 1 or not vector.any() or records.matches_nothing(filter):
            return []
        answer = self._query(space, vector, min(top_k, MAX_TOP_K), records.condition_of(filter))
        if answer is None:
            return []
        found = [(match.id, *records.parse_id(match.id)[:2], float(match.score)) for match in answer.matches]
        return [Match(*fields) for fields in found]

    def query_lexical(
        self, shard: str, text: str, *, top_k: int, filter: Mapping[str, Any] | None = None
    ) -> list[Match]:
        self._namespace(shard)
        return []

    def score(self, shard: str, ids: Sequence[str], vector: NDArray[np.float32]) -> dict[str, float]:
        check_query(vector, dimensions=self._dimensions)
        return super().score(shard, ids, vector)

    def score_lexical(self, shard: str, ids: Sequence[str], text: str) -> dict[str, float]:
        return score_words(self.fetch(shard, ids), text)

    def fetch(self, shard: str, ids: Sequence[str], *, with_vectors: bool = False) -> dict[str, VectorRow]:
        found = self._fetch(self._namespace(shard), ids)
        return {id: self._row(record, with_vector=with_vectors) for id, record in found.items()}

    def fetch_documents(
        self, shard: str, documents: Sequence[str], *, with_vectors: bool = False
    ) -> dict[str, VectorRow]:
        space = self._namespace(shard)
        self._settle(space)
        ids = [id for found in self._all(documents, lambda d: self._list(space, f"{d}-")) for id in found]
        return self.fetch(shard, ids, with_vectors=with_vectors)

    def list_rows(self, shard: str, *, with_vectors: bool = False, page: int = 500) -> Iterator[VectorRow]:
        space = self._namespace(shard)
        self._settle(space)
        ids = self._each_id(space)
        while some := list(islice(ids, page)):
            found = self._fetch(space, some)
            yield from (self._row(found[id], with_vector=with_vectors) for id in some if id in found)

    def list_versions(self, shard: str) -> Iterator[tuple[str, str, int]]:
        space = self._namespace(shard)
        self._settle(space)
        versions = (records.parse_id(id)[:2] for id in self._each_id(space))
        for (document, version), rows in groupby(versions):
            yield document, version, sum(1 for _ in rows)

    def count(self, shard: str) -> int:
        space = self._namespace(shard)
        self._settle(space)
        summary = self._stats(space).namespaces.get(space)
        return int(summary.vector_count) if summary else 0

    def describe(self, shard: str) -> ShardDescription:
        vectors = self.count(shard)
        if not vectors:
            return ShardDescription(shard, vectors=0, documents=0, dimensions=0, size_bytes=0)
        documents = len({document for document, _, _ in self.list_versions(shard)})
        return ShardDescription(shard, vectors, documents, self._dimensions, 4 * self._dimensions * vectors)

    def drop(self, shard: str) -> None:
        space = self._namespace(shard)
        if not self.count(shard):
            return
        self._forget_spills(self._each_spilled(space))
        self._client.call(space, lambda index: index.delete(delete_all=True, namespace=space))
        pause = Pause(seconds=self._client.address.fresh_seconds)
        while next(self._each_id(space), None) is not None and pause.wait():
            pass

    def check(self) -> str:
        if not self._client.exists():
            return f"{self._client.describe()} is not there yet; the first write makes it"
        stats = self._stats("doctor")
        return f"{self._client.describe()}, {stats.dimension} dimensions, {stats.total_vector_count} vectors in all"

    def close(self) -> None:
        if "_threads" in vars(self):
            self._threads.shutdown()
        self._client.close()

    # Asking, always in a shard's lane

    def _query(self, space: str, vector: NDArray[np.float32], top_k: int, condition: dict[str, Any] | None) -> Any:
        values = vector.tolist()
        return self._client.find(
            space, lambda index: index.query(vector=values, top_k=top_k, namespace=space, filter=condition)
        )

    def _stats(self, space: str) -> Any:
        return self._client.call(space, lambda index: index.describe_index_stats())

    def _fetch(self, space: str, ids: Sequence[str]) -> dict[str, Any]:
        def fetch(page: Sequence[str]) -> dict[str, Any]:
            answer = self._client.find(space, lambda index: index.fetch(ids=list(page), namespace=space))
            return dict(answer.vectors) if answer else {}

        return {id: record for found in self._all(pages(ids, FETCH_IDS), fetch) for id, record in found.items()}

    def _list(self, space: str, prefix: str) -> list[str]:
        return list(self._each_id(space, prefix))

    def _each_id(self, space: str, prefix: str | None = None) -> Iterator[str]:
        token = None
        while True:
            ask = {"prefix": prefix, "limit": LIST_IDS, "pagination_token": token, "namespace": space}
            page = self._client.find(space, lambda index, ask=ask: index.list_paginated(**ask))  # type: ignore[misc]
            if page is None:
                return
            yield from (item.id for item in page.vectors)
            token = page.pagination.next if page.pagination else None
            if not token:
                return

    def _each_spilled(self, space: str) -> Iterator[Any]:
        token = None
        while True:
            ask = {"filter": {records.SPILLED: {"$exists": True}}, "namespace": space, "pagination_token": token}
            page = self._client.find(space, lambda index, ask=ask: index.fetch_by_metadata(**ask))  # type: ignore[misc]
            if page is None:
                return
            yield from page.vectors.values()
            token = page.pagination.next if page.pagination else None
            if not token:
                return

    # Freshness

    def _expect(self, space: str, rows: Sequence[VectorRow]) -> None:
        with self._lock:
            unseen = self._unseen.setdefault(space, {})
            for row in rows:
                unseen.setdefault((row.document, row.version), set()).add(row.id)

    def _expected(self, space: str, document: str, version: str) -> int:
        with self._lock:
            return len(self._unseen.get(space, {}).get((document, version), ()))

    def _settle(self, space: str) -> None:
        """Wait until reads see what this process wrote; raises FlowControl when that takes too long."""
        pause = Pause(seconds=self._client.address.fresh_seconds)
        while not self._has_caught_up(space):
            if not pause.wait():
                raise _late(space)

    def _has_caught_up(self, space: str) -> bool:
        """Whether reads have reached the position of the last write; True when the service tells no positions."""
        with self._lock:
            position = self._positions.get(space)
        if position is None:
            return True
        any_direction = records.stand_in(self._dimensions)
        answer = self._query(space, any_direction, 1, None)
        info = answer.response_info if answer else None
        reached = info.lsn_reconciled if info else None
        if reached is not None and reached < position:
            return False
        with self._lock:
            if self._positions.get(space) == position:
                del self._positions[space]
        return True

    # Rows and what is too large for them

    def _row(self, record: Any, *, with_vector: bool) -> VectorRow:
        return records.row_of(record, self._unspill, with_vector=with_vector)

    def _spill(self, data: bytes) -> str:
        return self._blobs.put(data)

    def _unspill(self, object_: str) -> bytes:
        return self._blobs.get(object_)

    def _forget_spills(self, gone: Iterable[Any], *, kept: Sequence[records.Record] = ()) -> None:
        still = {record["metadata"].get(records.SPILLED) for record in kept}
        for record in gone:
            object_ = records.spill_of(record)
            if object_ and object_ not in still:
                self._blobs.delete(object_)

    @cached_property
    def _blobs(self) -> BlobStore:
        if self._spills is None:
            raise StorageFailed("a row is over Pinecone's 40 KB of metadata, and there is no blob store for the rest")
        return self._spills()

    # Names and threads

    def _namespace(self, shard: str) -> str:
        return f"{self._prefix}{check_shard(shard)}"

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(int(MOST), thread_name_prefix="pinecone")

    def _all(self, arguments: Iterable[A], ask: Callable[[A], T]) -> list[T]:
        """Answers in order, asked for at once as far as the lane allows; one alone is asked from this thread."""
        listed = list(arguments)
        if len(listed) < 2:
            return [ask(argument) for argument in listed]
        return list(self._threads.map(ask, listed))


def _late(shard: str) -> FlowControl:
    message = f"shard {shard}: what was written cannot be read yet"
    return FlowControl(message, reason="rate", retry_after_seconds=LATE_SECONDS)
