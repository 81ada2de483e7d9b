"""Owns the short forms of vectors that a search looks through before it reads any vector in full.

The signs of a vector's components, a bit each, tell by how many bits two vectors differ roughly how near they are. Its
levels, a byte each, tell the cosine up to `slack`, which is known for every row: no row that could be among the best is
lost between levels and full width. All of them depend on the row alone, so that every layout finds the same rows.
"""

from dataclasses import dataclass
from mmap import MADV_DONTNEED, mmap

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

WORD_BITS = 64
LEVELS = 127
ROUNDING = 2e-5
"""What products in 32 bits may be off by, whatever the order in which they are summed."""
BLOCK_ROWS = 2_048


@dataclass(frozen=True, slots=True)
class Codes:
    """Of n rows: `signs` uint64 (words, n), `levels` int8 (n, dimensions), `scales` and `slacks` float32 (n,)."""

    signs: NDArray[np.uint64]
    levels: NDArray[np.int8]
    scales: Floats
    slacks: Floats
    map: mmap | None = None
    """What `levels` are read from, and postings with them, if that is a file."""

    def release(self) -> None:
        """Give back the memory that these took; the file is there when they are read again."""
        if self.map is not None:
            self.map.madvise(MADV_DONTNEED)


def encode(vectors: Floats) -> Codes:
    """The codes of vectors of shape (n, dimensions), whatever their lengths."""
    unit = unit_rows(vectors)
    largest = np.abs(unit).max(axis=1, initial=0.0)
    scales = np.where(largest > 0, largest / LEVELS, 1).astype(np.float32)
    levels = np.rint(unit / scales[:, None]).astype(np.int8)
    slacks = np.linalg.norm(unit - levels * scales[:, None], axis=1) + ROUNDING
    return Codes(sign_words(unit), levels, scales, slacks.astype(np.float32))


def unit_rows(vectors: Floats) -> Floats:
    """Every row at length 1; zero rows stay zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1), np.float32)


def sign_words(unit: Floats) -> NDArray[np.uint64]:
    """The signs of the components, packed; of shape (words, n)."""
    rows, dimensions = unit.shape
    padded = np.zeros((rows, -(-dimensions // WORD_BITS) * WORD_BITS), np.bool_)
    padded[:, :dimensions] = unit > 0
    return np.ascontiguousarray(np.packbits(padded, axis=1).view(np.uint64).T)


def distances(codes: Codes, query: NDArray[np.uint64]) -> NDArray[np.uint16]:
    """In how many bits each row's signs differ from the query's, which is of shape (words, 1)."""
    total = np.zeros(codes.signs.shape[1], np.uint16)
    for word, wanted in zip(codes.signs, query[:, 0], strict=True):
        total += np.bitwise_count(word ^ wanted)
    return total


def estimates(codes: Codes, query: Floats, rows: NDArray[np.intp]) -> Floats:
    """The cosine of rows with a query of length 1, right up to their slack.

    A product a row: a product with the matrix would wait for the threads of a library that a busy machine has not.
    """
    blocks = [rows[begin : begin + BLOCK_ROWS] for begin in range(0, len(rows), BLOCK_ROWS)]
    products = [np.vecdot(codes.levels[block].astype(np.float32), query) for block in blocks]
    return np.asarray(np.concatenate([np.empty(0, np.float32), *products]) * codes.scales[rows], np.float32)
