"""Owns the in-memory matrix of a shard's vectors: what queries multiply with, kept current by sequence number.

Every writing transaction has a number; rows carry the one that wrote them and tombstones the one that deleted. A
refresh reads what is newer than the last number seen, so that it costs what changed. When tombstones were pruned
past that number (`floor`), or the file is another one than before, the matrix is loaded anew.
"""

import sqlite3
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LOAD_ROWS = 2_000

Floats = NDArray[np.float32]
Keys = NDArray[np.int64]


class Matrix:
    """Unit vectors by key; call `refresh` inside the read transaction whose view it has to show."""

    def __init__(self, dimensions: int) -> None:
        self._dimensions = dimensions
        self._identity = ""
        self._clear(capacity=0)

    def _clear(self, *, capacity: int) -> None:
        self._vectors: Floats = np.empty((capacity, self._dimensions), np.float32)
        self._keys: Keys = np.empty(capacity, np.int64)
        self._positions: dict[int, int] = {}
        self._seq = 0

    def refresh(self, connection: sqlite3.Connection) -> None:
        """Catch up with the connection's view."""
        identity, seq, floor = connection.execute("SELECT identity, seq, floor FROM shard").fetchone()
        if identity == self._identity and seq == self._seq:
            return
        if identity != self._identity or self._seq < floor:
            self._clear(capacity=connection.execute("SELECT count(*) FROM vectors").fetchone()[0])
        self._forget(connection)
        self._load(connection)
        self._identity, self._seq = identity, seq

    def _forget(self, connection: sqlite3.Connection) -> None:
        if self._positions:
            for (key,) in connection.execute("SELECT key FROM tombstones WHERE seq > ?", (self._seq,)):
                self._remove(key)

    def _load(self, connection: sqlite3.Connection) -> None:
        # From zero the table is read in its own order: through the index every row would be a seek.
        condition = "WHERE seq > ?" if self._seq else "WHERE +seq > ?"
        rows = connection.execute(f"SELECT key, vector FROM vectors {condition}", (self._seq,))
        while page := rows.fetchmany(LOAD_ROWS):
            vectors = np.frombuffer(b"".join(vector for _, vector in page), np.float32)
            self._put([key for key, _ in page], unit_rows(vectors.reshape(len(page), self._dimensions)))

    def _put(self, keys: Sequence[int], vectors: Floats) -> None:
        self._reserve(len(self._positions) + len(keys))
        positions = [self._positions.setdefault(key, len(self._positions)) for key in keys]
        self._vectors[positions] = vectors
        self._keys[positions] = keys

    def _remove(self, key: int) -> None:
        position = self._positions.pop(key, None)
        last = len(self._positions)
        if position is not None and position != last:
            moved = int(self._keys[last])
            self._vectors[position], self._keys[position] = self._vectors[last], moved
            self._positions[moved] = position

    def _reserve(self, rows: int) -> None:
        if rows > len(self._keys):
            capacity = max(rows, len(self._keys) * 3 // 2)
            count = len(self._positions)
            vectors, keys = self._vectors[:count], self._keys[:count]
            self._vectors = np.empty((capacity, self._dimensions), np.float32)
            self._keys = np.empty(capacity, np.int64)
            self._vectors[:count], self._keys[:count] = vectors, keys

    def nearest(self, vector: Floats, *, top_k: int, allowed: Sequence[int] | None = None) -> list[tuple[int, float]]:
        """(key, cosine) of the best rows, best first; `allowed` limits the keys."""
        if allowed is None:
            count = len(self._positions)
            return _best(self._keys[:count], self._vectors[:count] @ unit(vector), top_k)
        return _best(*self._cosines(vector, allowed), top_k)

    def cosines(self, vector: Floats, keys: Sequence[int]) -> list[tuple[int, float]]:
        """(key, cosine) of the given rows; unknown keys are absent."""
        known, scores = self._cosines(vector, keys)
        return list(zip(known.tolist(), scores.tolist(), strict=True))

    def _cosines(self, vector: Floats, keys: Sequence[int]) -> tuple[Keys, Floats]:
        positions = [position for key in keys if (position := self._positions.get(key)) is not None]
        return self._keys[positions], self._vectors[positions] @ unit(vector)


def unit(vector: Floats) -> Floats:
    """The vector at length 1; a zero vector stays zero."""
    length = np.linalg.norm(vector)
    return np.asarray(vector / length if length > 0 else vector, np.float32)


def unit_rows(vectors: Floats) -> Floats:
    """Every row at length 1; zero rows stay zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1), np.float32)


def _best(keys: Keys, scores: Floats, top_k: int) -> list[tuple[int, float]]:
    if top_k < len(scores):
        kept = np.argpartition(-scores, top_k - 1)[:top_k]
        keys, scores = keys[kept], scores[kept]
    order = np.lexsort((keys, -scores))
    return list(zip(keys[order].tolist(), scores[order].tolist(), strict=True))
