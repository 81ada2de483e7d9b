"""Rows and vectors for stores under test, and how they are asked."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.editions import row_id
from embedmill.shared.filtering.conditions import All, Condition, IsOneOf
from embedmill.shared.providers.vectorstores.base import VectorStore
from embedmill.shared.providers.vectorstores.rows import Match, Selection, VectorRow
from embedmill.shared.words.queries import parse_query, weigh
from embedmill.shared.words.weighing import Wording

DIMENSIONS = 8
DEADLINE_SECONDS = 30.0


class StoreFactory(Protocol):
    """Opens the store under test."""

    def __call__(self, *, dimensions: int) -> VectorStore: ...


def unit_vector(*components: float, dimensions: int = DIMENSIONS) -> NDArray[np.float32]:
    vector = np.zeros(dimensions, np.float32)
    vector[: len(components)] = components
    return vector / np.float32(np.linalg.norm(vector))


def vector_of(rng: np.random.Generator) -> NDArray[np.float32]:
    """Any vector."""
    return rng.standard_normal(DIMENSIONS).astype(np.float32)


def make_row(document: str = "d1", ordinal: int = 0, **changes: Any) -> VectorRow:
    fields: dict[str, Any] = {
        "id": row_id(document, changes.get("version", "v1"), changes.get("generation", 1), ordinal),
        "document": document,
        "version": "v1",
        "generation": 1,
        "ordinal": ordinal,
        "chunk": f"c{ordinal}",
        "uri": f"file:///{document}",
        "title": "",
        "section": "",
        "text": f"text of {document}",
        "start": 0,
        "end": 10,
        "page": None,
        "index_version": "i1",
        "vector": unit_vector(1.0, 0.1 * (ordinal + 1)),
        "metadata": {},
    }
    return VectorRow(**(fields | changes))


def near(
    store: VectorStore, shard: str, vector: NDArray[np.float32], *, top_k: int, where: Condition | None = None
) -> list[Match]:
    """The nearest rows of one shard; it must not fail."""
    found = store.search_vectors([shard], vector, top_k=top_k, selection=Selection(where))
    assert not found.failed
    return found.matches


def wording_of(store: VectorStore, shards: Sequence[str], text: str) -> Wording:
    """A query's words, weighed over these shards."""
    query = parse_query(text)
    return weigh(query, store.count_words(shards, query.terms).counts)


def worded(store: VectorStore, shard: str, text: str, *, top_k: int, where: Condition | None = None) -> list[Match]:
    """The best rows of one shard by a query's words; it must not fail."""
    found = store.search_words([shard], wording_of(store, [shard], text), top_k=top_k, selection=Selection(where))
    assert not found.failed
    return found.matches


def one_of(filter: Mapping[str, Any]) -> Condition:
    """Every field has one of its values."""
    return All(tuple(IsOneOf(name, tuple(v if isinstance(v, list) else [v])) for name, v in filter.items()))


def eventually(found: Callable[[], Any], expected: Any, what: str) -> None:
    """Poll until `found()` is `expected`, or fail with what was found last."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while (last := found()) != expected:
        assert time.monotonic() < deadline, f"{what}: expected {expected!r}, last saw {last!r}"


def without_vector(row: VectorRow) -> dict[str, Any]:
    """The row's fields but the vector, comparable."""
    return {name: getattr(row, name) for name in VectorRow.__slots__ if name != "vector"}
