"""A store of somebody else's for an encrypted collection: it holds rows whose words, names and metadata it cannot read.

What a store has to know stays open: ids, places, the document's address, and the labels by which it is asked who may
see a row. So it finds by meaning alone. What asks for words or metadata is refused with a reason; what words a found
row holds still orders it, because rows are opened here.
"""

import base64
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Self

import numpy as np
import orjson
from numpy.typing import NDArray

from embedmill.shared.editions import Edition, row_id
from embedmill.shared.errors import SealBroken, SettingsError, UsageError
from embedmill.shared.filtering.conditions import Condition, fields_named
from embedmill.shared.metering import Meter
from embedmill.shared.providers.vectorstores.base import ShardDescription, StoreOptions, VectorStore
from embedmill.shared.providers.vectorstores.rows import EVERYTHING, Counted, Found, Selection, VectorRow, check_rows
from embedmill.shared.sealing.envelope import MAGIC
from embedmill.shared.sealing.ring import KeyRing
from embedmill.shared.sealing.rotation import Rotation
from embedmill.shared.words.weighing import Wording, alike

KIND = "row"
ROWS = 500
"""Read and written together."""
OPEN = frozenset({"document", "uri", "page"})
"""Fields that a store can be asked for."""
NO_WORDS = "the collection is encrypted, so its vector store cannot look for words"
LEVEL = 1


def is_sealed_text(text: str) -> bool:
    """Whether a row's text is a row that was sealed."""
    return text.startswith(_BEGINNING)


_BEGINNING = base64.b64encode(MAGIC).decode()


class SealedStore(VectorStore):
    """Another store, behind what seals rows; `rotation` is None where vectors stay as they are.

    `labels` are the names of metadata that the store has to know.
    """

    def __init__(
        self,
        inner: VectorStore,
        ring: KeyRing,
        *,
        dimensions: int,
        rotation: Rotation | None,
        labels: frozenset[str] = frozenset(),
    ) -> None:
        self.inner = inner
        self.provider = inner.provider
        self._ring = ring
        self._dimensions = dimensions
        self._rotation = rotation
        self._labels = labels

    @classmethod
    def open(cls, url: str, options: StoreOptions) -> Self:
        """There is none by itself."""
        del options
        raise SettingsError(f"{url} is a store behind which there is no other")

    def upsert(self, shard: str, rows: Sequence[VectorRow]) -> None:
        check_rows(rows, dimensions=self._dimensions)
        self.inner.upsert(shard, [self._sealed(row) for row in rows])

    def reseal(self, shard: str) -> None:
        """Rows that are open to read are taken for what they are here, and only here."""
        rows = self.inner.list_rows(shard, with_vectors=True)
        while page := list(islice(rows, ROWS)):
            self.upsert(shard, [self._opened(row) if is_sealed_text(row.text) else row for row in page])

    def _sealed(self, row: VectorRow) -> VectorRow:
        if self._ring.current() is None:
            return row
        said = {"title": row.title, "section": row.section, "text": row.text, "metadata": dict(row.metadata)}
        name = row_id(row.document, row.version, row.generation, row.ordinal)
        sealed = self._ring.seal(KIND, name, zlib.compress(orjson.dumps(said), LEVEL))
        labels = {field: value for field, value in row.metadata.items() if field in self._labels}
        return replace(
            row,
            title="",
            section="",
            text=base64.b64encode(sealed).decode(),
            metadata=labels,
            vector=self._turned(row.vector),
        )

    def _opened(self, row: VectorRow) -> VectorRow:
        try:
            said = orjson.loads(zlib.decompress(self._ring.open(KIND, row.id, base64.b64decode(row.text))))
        except ValueError:
            raise SealBroken(f"row {row.id} is none that was encrypted") from None
        vector = row.vector if self._rotation is None or not len(row.vector) else self._rotation.undo(row.vector)
        return replace(row, **said, vector=vector)

    def _turned(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        turns = self._rotation is not None and self._ring.current() is not None
        return self._rotation.apply(vector) if turns and self._rotation else vector

    def fetch(self, shard: str, ids: Sequence[str], *, with_vectors: bool = False) -> dict[str, VectorRow]:
        return self._all_opened(self.inner.fetch(shard, ids, with_vectors=with_vectors))

    def fetch_documents(
        self, shard: str, documents: Sequence[str], *, with_vectors: bool = False
    ) -> dict[str, VectorRow]:
        return self._all_opened(self.inner.fetch_documents(shard, documents, with_vectors=with_vectors))

    def _all_opened(self, rows: Mapping[str, VectorRow]) -> dict[str, VectorRow]:
        return {id: self._opened(row) for id, row in rows.items()}

    def list_rows(
        self, shard: str, *, with_vectors: bool = False, page: int = 500, selection: Selection = EVERYTHING
    ) -> Iterator[VectorRow]:
        self._check(selection)
        rows = self.inner.list_rows(shard, with_vectors=with_vectors, page=page, selection=selection)
        return map(self._opened, rows)

    def search_vectors(
        self,
        shards: Sequence[str],
        vector: NDArray[np.float32],
        *,
        top_k: int,
        selection: Selection = EVERYTHING,
        deadline: float | None = None,
    ) -> Found:
        self._check(selection)
        return self.inner.search_vectors(
            shards, self._turned(vector), top_k=top_k, selection=selection, deadline=deadline
        )

    def _check(self, selection: Selection) -> None:
        if selection.required or selection.excluded:
            raise UsageError(f"{NO_WORDS}: ask without quotation marks and without -words")
        hidden = sorted(fields_named(selection.where) - OPEN - self._labels) if selection.where is not None else []
        if hidden:
            raise UsageError(f"the collection is encrypted, so its vector store cannot filter by {', '.join(hidden)}")

    def search_words(
        self,
        shards: Sequence[str],
        wording: Wording,
        *,
        top_k: int,
        selection: Selection = EVERYTHING,
        deadline: float | None = None,
    ) -> Found:
        """Nothing; what is found by meaning is scored by its words."""
        self._check(selection)
        return Found([])

    def count_words(
        self,
        shards: Sequence[str],
        terms: Sequence[int],
        *,
        deadline: float | None = None,
        within: Condition | None = None,
    ) -> Counted:
        return Counted(alike(terms))

    @property
    def lacks_words(self) -> str:
        return NO_WORDS

    def score(self, shard: str, ids: Sequence[str], vector: NDArray[np.float32]) -> dict[str, float]:
        return self.inner.score(shard, ids, self._turned(vector))

    # What tells of no row's content

    @property
    def key_hash(self) -> str:
        return self.inner.key_hash

    @property
    def endpoint(self) -> str:
        return self.inner.endpoint

    def delete_stale(self, shard: str, generations: Mapping[str, int]) -> int:
        return self.inner.delete_stale(shard, generations)

    def delete_ids(self, shard: str, ids: Sequence[str]) -> int:
        return self.inner.delete_ids(shard, ids)

    def count_versions(self, shard: str, documents: Mapping[str, str]) -> dict[str, int]:
        return self.inner.count_versions(shard, documents)

    def count_editions(self, shard: str, documents: Mapping[str, tuple[str, int]]) -> dict[str, int]:
        return self.inner.count_editions(shard, documents)

    def list_editions(self, shard: str) -> Iterator[tuple[str, Edition, int]]:
        return self.inner.list_editions(shard)

    def find_editions(self, shard: str, documents: Sequence[str]) -> list[tuple[str, Edition, int]]:
        return self.inner.find_editions(shard, documents)

    def count(self, shard: str) -> int:
        return self.inner.count(shard)

    def describe(self, shard: str) -> ShardDescription:
        return self.inner.describe(shard)

    def examine(self, shard: str) -> None:
        self.inner.examine(shard)

    def set_aside(self, shard: str) -> str:
        return self.inner.set_aside(shard)

    def expunge(self, shard: str) -> str:
        return self.inner.expunge(shard)

    def drop(self, shard: str) -> None:
        self.inner.drop(shard)

    def check(self) -> str:
        return f"{self.inner.check()}; rows are encrypted"

    def with_meter(self, meter: Meter) -> "VectorStore":
        return self._over(self.inner.with_meter(meter))

    def _over(self, inner: VectorStore) -> "SealedStore":
        return SealedStore(inner, self._ring, dimensions=self._dimensions, rotation=self._rotation, labels=self._labels)

    def close(self) -> None:
        self.inner.close()
