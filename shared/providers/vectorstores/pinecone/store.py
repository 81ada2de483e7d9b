"""Owns the vector store on Pinecone: one index, a namespace per shard, the vectors API.

Pinecone applies writes late and has no transactions. So a process remembers what it wrote and asks until it can read
it: before a count that decides a switch, and before any listing. What stays unseen parks the work; it has not failed.
Reads and writes are by id, whose beginning is the document: deletes by metadata are refused by serverless indexes, and
listing ids costs a thousandth of fetching rows. What others do between a read and a write changes nothing, because an
id names the generation that alone may write it; ids of other forms are not ours and passed over. Rows that are there
already are not written again, so that work which comes back does not pay twice. Every request is metered
(`metering`); what it is billed by is in `units`.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from itertools import groupby, islice
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.editions import Edition, parse_id
from embedmill.shared.errors import EmbedmillError
from embedmill.shared.filtering.conditions import Condition
from embedmill.shared.metering import Meter
from embedmill.shared.paging import batched, pages
from embedmill.shared.providers.blobs.base import BlobStore
from embedmill.shared.providers.vectorstores.base import CountWords, ShardDescription, StoreOptions, VectorStore
from embedmill.shared.providers.vectorstores.exact import cosine, selects, word_score
from embedmill.shared.providers.vectorstores.pinecone import records, units
from embedmill.shared.providers.vectorstores.pinecone.asking import Asking
from embedmill.shared.providers.vectorstores.pinecone.client import PineconeClient, parse_address
from embedmill.shared.providers.vectorstores.pinecone.freshness import Unseen
from embedmill.shared.providers.vectorstores.pinecone.limiter import Pause
from embedmill.shared.providers.vectorstores.pinecone.marks import NamespaceMarks
from embedmill.shared.providers.vectorstores.pinecone.recent import Recent
from embedmill.shared.providers.vectorstores.pinecone.searching import NamespaceSearching
from embedmill.shared.providers.vectorstores.pinecone.settling import Settling
from embedmill.shared.providers.vectorstores.pinecone.spills import Spills
from embedmill.shared.providers.vectorstores.pinecone.wholeness import (
    COSINE_INDEX,
    NEW_INDEX,
    SPLIT_INDEX,
    KnownWhole,
    Wholeness,
)
from embedmill.shared.providers.vectorstores.pinecone.writing import size_of_held, write_records
from embedmill.shared.providers.vectorstores.places import Owner, Place
from embedmill.shared.providers.vectorstores.rows import (
    EVERYTHING,
    Counted,
    Found,
    Selection,
    VectorRow,
    check_query,
    check_rows,
    check_shard,
    named,
)
from embedmill.shared.words.weighing import Wording, alike

DELETE_IDS = 1_000
CUT_AT_ONCE = 200
"""When parked work looks again."""


class PineconeVectorStore(VectorStore):
    """Shards as namespaces `<prefix><collection>-<shard>` of the index that the URL names."""

    provider = "pinecone"

    def __init__(
        self,
        url: str,
        *,
        collection_key: str,
        dimensions: int,
        spills: Callable[[], BlobStore] | None = None,
        meter: Meter,
        owner: Owner | None = None,
        count_words: CountWords | None = None,
        home: Path | None = None,
    ) -> None:
        address = parse_address(url, dimensions=dimensions)
        self._prefix = address.prefix
        self._place = Place(collection_key, owner)
        self._dimensions = dimensions
        self._asking = Asking(PineconeClient(address, dimensions=dimensions), meter)
        # What follows is shared with the stores that `with_meter` makes of this one.
        self._spills = Spills(spills)
        self._unseen = Unseen()
        self._recent = Recent()
        self._wholeness = Wholeness(dimensions=dimensions, kept=KnownWhole(home, self._asking.client.identity))
        self._count_words = count_words

    def with_meter(self, meter: Meter) -> "PineconeVectorStore":
        other = copy(self)
        other._asking = self._asking.with_meter(meter)  # noqa: SLF001 - it is one of us
        return other

    @property
    def key_hash(self) -> str:
        return self._asking.client.key_hash

    @property
    def endpoint(self) -> str:
        return self._asking.client.endpoint

    @classmethod
    def open(cls, url: str, options: StoreOptions) -> Self:
        return cls(
            url,
            collection_key=options.collection_key,
            dimensions=options.dimensions,
            spills=options.spills,
            meter=options.meter,
            owner=options.owner,
            count_words=options.count_words,
            home=options.home,
        )

    def upsert(self, shard: str, rows: Sequence[VectorRow]) -> None:
        space = self._namespace(shard, to_write=bool(rows))
        wanted = named(rows)
        check_rows(wanted.values(), dimensions=self._dimensions)
        if not wanted:
            return
        self._settling.settle(space)
        held = self._asking.fetch(space, list(wanted))
        with_words = self._asking.client.takes_words()
        made = [records.record_of(row, self._spills.put, with_words=with_words) for row in wanted.values()]
        self._recent.forget()
        self._unseen.expect(space, wanted.values())
        write_records(self._asking, self._unseen, space, [r for r in made if not records.is_held(r, held)], held)
        self._spills.forget(held.values(), kept=made)

    def delete_stale(self, shard: str, generations: Mapping[str, int]) -> int:
        space = self._namespace(shard, to_write=True)
        self._settling.settle(space)
        names = {name: parse_id(name) for name in self._asking.list_documents(space, list(generations))}
        # What names no generation tells it in its metadata.
        perhaps = [
            id
            for id, name in names.items()
            if name is not None and (name.edition.generation or 0) < generations[name.document]
        ]
        held = self._asking.fetch(space, perhaps)
        stale = {id: r for id, r in held.items() if records.generation_of(r) < generations[records.document_of(id)]}
        return self._delete(space, stale)

    def delete_ids(self, shard: str, ids: Sequence[str]) -> int:
        space = self._namespace(shard, to_write=True)
        self._settling.settle(space)
        return self._delete(space, self._asking.fetch(space, ids))

    def _delete(self, space: str, held: Mapping[str, Any]) -> int:
        self._recent.forget()
        gone = [list(page) for page in pages(list(held), DELETE_IDS)]
        costs = [units.milliunits_of_delete(size_of_held(held[id]) for id in page) for page in gone]
        with self._asking.metered(units.DELETE, held, milliunits=sum(costs), number=len(gone)) as requests:
            for page, cost in zip(gone, costs, strict=True):
                self._asking.call(requests, cost, space, _deletion(page, space))
        # A delete tells no position. Its rows are invisible to readers already, so that being late is no failure.
        pause = Pause(seconds=self._asking.client.address.fresh_seconds)
        last = [page[-1] for page in gone]
        with self._asking.metered(units.FETCH, last, milliunits=units.milliunits_of_fetch(len(last))) as requests:
            while self._asking.fetch_on(requests, space, last) and pause.wait():
                pass
        self._spills.forget(held.values())
        return len(held)

    def count_versions(self, shard: str, documents: Mapping[str, str]) -> dict[str, int]:
        space = self._namespace(shard)
        self._settling.settle(space)
        return self._settling.count(shard, space, {d: f"{d}-{version}-" for d, version in documents.items()})

    def count_editions(self, shard: str, documents: Mapping[str, tuple[str, int]]) -> dict[str, int]:
        space = self._namespace(shard)
        self._settling.settle(space)
        return self._settling.count(
            shard, space, {d: f"{d}-{version}-{generation}." for d, (version, generation) in documents.items()}
        )

    def search_vectors(
        self,
        shards: Sequence[str],
        vector: NDArray[np.float32],
        *,
        top_k: int,
        selection: Selection = EVERYTHING,
        deadline: float | None = None,
    ) -> Found:
        check_query(vector, dimensions=self._dimensions)
        if top_k < 1 or not vector.any():
            return Found([])
        return self._searching.nearest(shards, vector, selection, top_k=top_k, deadline=deadline)

    def search_words(
        self,
        shards: Sequence[str],
        wording: Wording,
        *,
        top_k: int,
        selection: Selection = EVERYTHING,
        deadline: float | None = None,
    ) -> Found:
        if top_k < 1 or not wording.weights:
            return Found([])
        try:
            if self.lacks_words:
                return Found([])
            failed = self._wholeness.look(self._asking, shards, self._namespace, deadline=deadline)
        except EmbedmillError as error:
            return Found([], dict.fromkeys(shards, str(error)))
        answering = [] if self._wholeness.is_split else [shard for shard in shards if shard not in failed]
        if not answering:
            return Found([], failed)
        found = self._searching.worded(answering, wording, selection, top_k=top_k, deadline=deadline)
        return replace(found, failed={**failed, **found.failed})

    @property
    def lacks_words(self) -> str:
        if not self._asking.client.takes_words():
            return COSINE_INDEX
        return SPLIT_INDEX if self._wholeness.is_split else ""

    def cut_anew(self, shard: str, *, deadline: float | None = None) -> int:
        if not self._asking.client.takes_words():
            return 0
        space = self._namespace(shard, to_write=True)
        self._settling.settle(space)
        cut = 0
        for held in batched(self._asking.each_that(space, records.of_another_cutter()), CUT_AT_ONCE):
            if deadline is not None and time.monotonic() > deadline:
                return cut
            ours = {record.id: record for record in held if parse_id(record.id)}
            rows = (self._row(record, with_vector=True) for record in ours.values())
            made = [records.record_of(row, self._spills.put, with_words=True) for row in rows]
            write_records(self._asking, self._unseen, space, made, ours)
            cut += len(made)
        self._settling.settle(space)
        self._wholeness.mended(space)
        return cut

    def count_words(
        self,
        shards: Sequence[str],
        terms: Sequence[int],
        *,
        deadline: float | None = None,
        within: Condition | None = None,
    ) -> Counted:
        """Of rows that meet a condition the service counts nothing: each word then is as telling as the others."""
        if self._count_words is None:
            return super().count_words(shards, terms, deadline=deadline, within=within)
        return Counted(self._count_words(terms) if within is None else alike(terms))

    def score(self, shard: str, ids: Sequence[str], vector: NDArray[np.float32]) -> dict[str, float]:
        check_query(vector, dimensions=self._dimensions)
        return {id: cosine(row, vector) for id, row in self._read(shard, ids).items()}

    def score_words(self, shard: str, ids: Sequence[str], wording: Wording) -> dict[str, float]:
        scores = {id: word_score(row, wording) for id, row in self._read(shard, ids).items()}
        return {id: score for id, score in scores.items() if score is not None}

    def _read(self, shard: str, ids: Sequence[str]) -> dict[str, VectorRow]:
        """Rows with their vectors, of which a query that was made a moment ago may have brought some."""
        held = self._recent.find(shard, ids)
        missing = [id for id in ids if id not in held]
        fetched = self.fetch(shard, missing, with_vectors=True) if missing else {}
        self._recent.keep(shard, fetched.values())
        return held | fetched

    @property
    def _searching(self) -> NamespaceSearching:
        return NamespaceSearching(
            self._asking,
            self._recent,
            dimensions=self._dimensions,
            space_of=self._namespace,
            row_of=lambda match: self._row(match, with_vector=bool(match.values)),
            fetch=lambda shard, ids: self.fetch(shard, ids, with_vectors=True),
            met=self._wholeness.met,
        )

    def fetch(self, shard: str, ids: Sequence[str], *, with_vectors: bool = False) -> dict[str, VectorRow]:
        found = self._asking.fetch(self._namespace(shard), ids)
        return {id: self._row(record, with_vector=with_vectors) for id, record in found.items()}

    def fetch_documents(
        self, shard: str, documents: Sequence[str], *, with_vectors: bool = False
    ) -> dict[str, VectorRow]:
        space = self._namespace(shard)
        self._settling.settle(space)
        return self.fetch(shard, self._asking.list_documents(space, documents), with_vectors=with_vectors)

    def list_rows(
        self, shard: str, *, with_vectors: bool = False, page: int = 500, selection: Selection = EVERYTHING
    ) -> Iterator[VectorRow]:
        space = self._namespace(shard)
        self._settling.settle(space)
        with self._asking.metered(units.LIST) as requests:
            ids = self._asking.each_id(requests, space)
            while some := list(islice((id for id in ids if parse_id(id)), page)):
                found = self._asking.fetch(space, some)
                rows = (self._row(found[id], with_vector=with_vectors) for id in some if id in found)
                # The service lists ids by no filter.
                yield from (row for row in rows if selects(selection, row))

    def list_editions(self, shard: str) -> Iterator[tuple[str, Edition, int]]:
        space = self._namespace(shard)
        self._settling.settle(space)
        with self._asking.metered(units.LIST) as requests:
            names = (name for id in self._asking.each_id(requests, space) if (name := parse_id(id)) is not None)
            for document, rows in groupby(names, lambda name: name.document):
                yield from ((document, edition, n) for edition, n in Counter(row.edition for row in rows).items())

    def find_editions(self, shard: str, documents: Sequence[str]) -> list[tuple[str, Edition, int]]:
        space = self._namespace(shard)
        self._settling.settle(space)
        names = (name for id in self._asking.list_documents(space, documents) if (name := parse_id(id)) is not None)
        return [(d, edition, rows) for (d, edition), rows in Counter(name[:2] for name in names).items()]

    def count(self, shard: str) -> int:
        space = self._namespace(shard)
        self._settling.settle(space)
        summary = self._asking.stats(space).namespaces.get(space)
        return max(int(summary.vector_count), 0) if summary else 0

    def describe(self, shard: str) -> ShardDescription:
        vectors = self.count(shard)
        if not vectors:
            return ShardDescription(shard, vectors=0, documents=0, dimensions=0, size_bytes=0)
        documents = sum(1 for _ in groupby(self.list_editions(shard), lambda held: held[0]))
        return ShardDescription(shard, vectors, documents, self._dimensions, 4 * self._dimensions * vectors)

    def drop(self, shard: str) -> None:
        space = self._namespace(shard)
        if not self.count(shard):
            return
        self._spills.forget(self._asking.each_that(space, {records.SPILLED: {"$exists": True}}))
        with self._asking.metered(units.DELETE) as requests:
            cost = units.DELETE_ALL
            self._asking.call(requests, cost, space, lambda index: index.delete(delete_all=True, namespace=space))
        pause = Pause(seconds=self._asking.client.address.fresh_seconds)
        with self._asking.metered(units.LIST) as requests:
            while next(self._asking.each_id(requests, space), None) is not None and pause.wait():
                pass

    def check(self) -> str:
        if not self._asking.client.exists():
            return f"{self._asking.client.describe()} is not there yet; the first write makes it"
        stats = self._asking.stats("doctor")
        words = f"; {self.lacks_words}. {NEW_INDEX}" if self.lacks_words else ""
        return (
            f"{self._asking.client.describe()}, {stats.dimension} dimensions, {stats.total_vector_count} vectors in all"
            f"{words}"
        )

    def close(self) -> None:
        self._asking.close()

    # Rows and names

    @property
    def _settling(self) -> Settling:
        return Settling(self._asking, self._unseen, dimensions=self._dimensions)

    def _row(self, record: Any, *, with_vector: bool) -> VectorRow:
        return records.row_of(record, self._spills.get, dimensions=self._dimensions if with_vector else None)

    def _namespace(self, shard: str, *, to_write: bool = False) -> str:
        place = self._place.find(self.marks, check_shard(shard), to_write=to_write)
        return f"{self._prefix}{place}-{shard}"

    @property
    def marks(self) -> NamespaceMarks:
        """Who writes to which place of the index."""
        return NamespaceMarks(self._asking, self._prefix)


def _deletion(ids: Sequence[str], space: str) -> Callable[[Any], Any]:
    return lambda index: index.delete(ids=ids, namespace=space)
