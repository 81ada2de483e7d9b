"""Which texts of a document others have too: their vectors were paid for, and stay.

No index knows texts by their hashes. But whoever has the same text has the same vector, so that the store finds them.
"""

from collections.abc import Iterator

import numpy as np

from embedmill.shared.db.collections import Collection, list_collections
from embedmill.shared.providers.vectorstores.rows import VectorRow
from embedmill.workers.erasing.base import ErasureRun, Some

Text = tuple[str, str, str]
"""What shapes the text that is embedded: title, section, and what is shown."""

NEAREST = 20
ALIKE = 0.999
"""Vectors of the same text differ by what half precision takes away."""


def find_shared_texts(run: ErasureRun, some: Some, collection: Collection) -> set[Text]:
    """Texts as they were embedded that other documents, of any collection that shares vectors, have as well."""
    others = _find_sharing(run, collection)
    shared: set[Text] = set()
    for row in _rows(run, some, collection):
        twins = (twin for other in others for twin in _find_twins(run, other, row, set(some.ids)))
        if any(_embedded(twin) == _embedded(row) for twin in twins):
            shared.add(_embedded(row))
    return shared


def _find_sharing(run: ErasureRun, collection: Collection) -> list[Collection]:
    """Collections of the same model; an encrypted one has vectors of its own."""
    vault = run.runtime.vault
    if vault.is_encrypted(collection.id):
        return [collection]
    known = run.runtime.database.query(list_collections)
    return [other for other in known if other.model == collection.model and not vault.is_encrypted(other.id)]


def _rows(run: ErasureRun, some: Some, collection: Collection) -> Iterator[VectorRow]:
    store = run.runtime.store(collection)
    for shard in collection.reading_shards:
        yield from store.fetch_documents(shard, some.ids, with_vectors=True).values()


def _find_twins(run: ErasureRun, other: Collection, row: VectorRow, erased: set[str]) -> Iterator[VectorRow]:
    store = run.runtime.store(other)
    vector = np.asarray(row.vector, dtype=np.float32)
    found = store.search_vectors(other.reading_shards, vector, top_k=NEAREST)
    for match in found.matches:
        if match.score >= ALIKE and match.document not in erased:
            yield from store.fetch(match.shard, [match.id]).values()


def _embedded(row: VectorRow) -> Text:
    return row.title, row.section, row.text
