"""What tests of the searcher share: an embedder of angles, a tracker of editions, and ten documents about apples."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedmill.retrieval.hits import Hit
from embedmill.shared.editions import Edition
from embedmill.shared.providers.embeddings.base import Embedder, InputType
from embedmill.shared.providers.vectorstores.base import VectorStore
from embedmill.shared.providers.vectorstores.rows import VectorRow, edition_of
from tests.contracts.rows import DIMENSIONS, make_row, unit_vector


class AngleEmbedder(Embedder):
    """Takes a query's last word for an angle in degrees; a query without a number has no vector."""

    provider = name = model = "angle"
    dimensions = DIMENSIONS

    def embed_batch(self, texts: Sequence[str], *, input_type: InputType = "document") -> NDArray[np.float32]:
        assert input_type == "query"
        return np.stack([self._vector(text.split()[-1]) for text in texts])

    def _vector(self, word: str) -> NDArray[np.float32]:
        return angle(float(word)) if word.isdigit() else np.zeros(DIMENSIONS, np.float32)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [1] * len(texts)


def angle(degrees: float) -> NDArray[np.float32]:
    return unit_vector(np.cos(np.radians(degrees)), np.sin(np.radians(degrees)))


class Tracker:
    """Active editions as the tracking database would tell them; remembers what it was asked."""

    def __init__(self) -> None:
        self.active: dict[str, Edition] = {}
        self.asked: list[set[str]] = []

    def __call__(self, documents: Collection[str]) -> Mapping[str, Edition]:
        self.asked.append(set(documents))
        return {document: self.active[document] for document in documents if document in self.active}


class MemoryStore(VectorStore):
    """Rows in memory, searched by reading all of them: what searching is, without a file."""

    def __init__(self) -> None:
        self.shards: dict[str, dict[str, VectorRow]] = {}

    def upsert(self, shard: str, rows: Sequence[VectorRow]) -> None:
        self.shards.setdefault(shard, {}).update({row.id: row for row in rows})

    def fetch(self, shard: str, ids: Sequence[str], *, with_vectors: bool = False) -> dict[str, VectorRow]:
        held = self.shards.get(shard, {})
        return {id: held[id] for id in ids if id in held}

    def list_rows(self, shard: str, **_: Any) -> Iterator[VectorRow]:
        return iter(list(self.shards.get(shard, {}).values()))


# Nothing else is asked of it.
MemoryStore.__abstractmethods__ = frozenset()


def write(store: VectorStore, tracker: Tracker, *rows: VectorRow, shard: str = "s0") -> None:
    """Write rows and make their versions active."""
    store.upsert(shard, rows)
    tracker.active |= {row.document: edition_of(row) for row in rows}


def documents(hits: Sequence[Hit]) -> list[str]:
    return [hit.document for hit in hits]


def fruit(store: VectorStore, tracker: Tracker) -> None:
    """Ten documents a tenth of a turn apart, on two shards; d0 to d2 speak of apples."""
    for n in range(10):
        row = make_row(f"d{n}", text=f"{'apple ' * (3 - n)} and more words {n}", vector=angle(9 * n))
        write(store, tracker, row, shard=f"s{n // 5}")
