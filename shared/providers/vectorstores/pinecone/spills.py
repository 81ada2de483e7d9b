"""Owns what is too large for Pinecone's metadata: in a blob store, which is opened when the first such row is met."""

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from embedmill.shared.errors import StorageFailed
from embedmill.shared.providers.blobs.base import BlobStore
from embedmill.shared.providers.vectorstores.pinecone import records


class Spills:
    """The objects of one collection's rows; safe between threads as far as the blob store is."""

    def __init__(self, open_: Callable[[], BlobStore] | None) -> None:
        self._open = open_
        self._opened: BlobStore | None = None
        self._opening = threading.Lock()

    def put(self, data: bytes) -> str:
        """Store an object; returns its reference."""
        return self._blobs.put(data)

    def get(self, object_: str) -> bytes:
        """An object; raises BlobMissing."""
        return self._blobs.get(object_)

    def forget(self, gone: Iterable[Any], *, kept: Sequence[records.Record] = ()) -> None:
        """Delete what only fetched records that are gone had, and none of the `kept` has."""
        still = {record["metadata"].get(records.SPILLED) for record in kept}
        for record in gone:
            object_ = records.spill_of(record)
            if object_ and object_ not in still:
                self._blobs.delete(object_)

    @property
    def _blobs(self) -> BlobStore:
        if self._open is None:
            raise StorageFailed("a row is over Pinecone's 40 KB of metadata, and there is no blob store for the rest")
        with self._opening:
            if self._opened is None:
                self._opened = self._open()
            return self._opened
