"""A secret rotation and scaling of vectors: distances stay, and what a vector says by itself is hidden.

It is obfuscation, and no encryption: which rows are near each other, alike or the same stays open to read, and whoever
knows as many vectors and what became of them as there are dimensions has the rotation, and with it all vectors
(facts in docs/encryption.md). It stops somebody who holds a lost copy of a store, and nobody who may also put documents
in.
"""

import hashlib
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
LEAST_SCALE, MOST_SCALE = 0.5, 2.0


class Rotation:
    """The rotation of one key for vectors of so many dimensions; the same on every machine, to the last digits."""

    def __init__(self, key: bytes, dimensions: int) -> None:
        self._key = key
        self._dimensions = dimensions

    def apply(self, vectors: Floats) -> Floats:
        """Vectors, one or rows of them, as they are kept."""
        turned: Floats = (vectors @ self._matrix) * np.float32(self._scale)
        return turned

    def undo(self, vectors: Floats) -> Floats:
        """The vectors again, but for rounding."""
        turned: Floats = (vectors @ self._matrix.T) / np.float32(self._scale)
        return turned

    @cached_property
    def _matrix(self) -> Floats:
        """Q of the QR decomposition of Gaussian noise, with the signs that make it one of all rotations at random."""
        size = self._dimensions
        orthogonal, upper = np.linalg.qr(self._noise(size * size).reshape(size, size))
        found: Floats = np.ascontiguousarray(orthogonal * np.sign(np.diag(upper)), np.float32)
        return found

    @cached_property
    def _scale(self) -> float:
        fraction = int.from_bytes(hashlib.shake_256(self._key + b"scale").digest(8), "big") / 2**64
        return float(LEAST_SCALE * (MOST_SCALE / LEAST_SCALE) ** fraction)

    def _noise(self, count: int) -> NDArray[np.float64]:
        """Normal numbers of a stream of bytes that no release of a library makes otherwise (Box and Muller)."""
        pairs = (count + 1) // 2
        raw = np.frombuffer(hashlib.shake_256(self._key + b"noise").digest(16 * pairs), ">u8").astype(np.float64)
        radius, angle = np.sqrt(-2 * np.log((raw[:pairs] + 1) / 2**64)), 2 * np.pi * raw[pairs:] / 2**64
        return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:count]
