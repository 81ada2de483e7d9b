"""Owns what a store keeps of a chunk's words: how often each term stands in it, and how long it is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

UNITS = 4
"""A count is kept in quarters, so that a field may weigh one and a half, in a byte: 63 times is as often as it gets."""


Kept = tuple[bytes, bytes, int]
"""The words of a chunk as a store keeps them: the bytes of terms and counts, and how many words there are."""


@dataclass(frozen=True, slots=True)
class TermCounts:
    """The terms of one chunk, as numbers of 32 bits, ascending; how often each, in quarters, by field weight; words.

    `terms` is uint32 and `counts` uint8, both of shape (n,). They depend on the chunk alone, so that every store and
    every layout has the same; what depends on the collection is the query's (`weighing`).
    """

    terms: NDArray[np.uint32]
    counts: NDArray[np.uint8]
    length: int

    @property
    def kept(self) -> Kept:
        """As a store keeps them."""
        return self.terms.tobytes(), self.counts.tobytes(), self.length


@dataclass(frozen=True, slots=True)
class CountsOfMany:
    """The same of n chunks, one after the other: `sizes` int64 (n,), the terms of each; `lengths` uint32 (n,)."""

    sizes: NDArray[np.int64]
    terms: NDArray[np.uint32]
    counts: NDArray[np.uint8]
    lengths: NDArray[np.uint32]

    @classmethod
    def read(cls, kept: Sequence[Kept]) -> Self:
        """Of what a store keeps."""
        return cls(
            np.array([len(counts) for _, counts, _ in kept], np.int64),
            np.frombuffer(b"".join([terms for terms, _, _ in kept]), np.uint32),
            np.frombuffer(b"".join([counts for _, counts, _ in kept]), np.uint8),
            np.array([length for _, _, length in kept], np.uint32),
        )

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """Of the chunks of one after those of another."""
        return cls(
            np.concatenate([np.empty(0, np.int64), *(part.sizes for part in parts)]),
            np.concatenate([np.empty(0, np.uint32), *(part.terms for part in parts)]),
            np.concatenate([np.empty(0, np.uint8), *(part.counts for part in parts)]),
            np.concatenate([np.empty(0, np.uint32), *(part.lengths for part in parts)]),
        )

    def kept(self) -> list[Kept]:
        """Of each chunk what a store keeps."""
        terms, counts, width = self.terms.tobytes(), self.counts.tobytes(), self.terms.itemsize
        return [
            (terms[begin * width : end * width], counts[begin:end], length)
            for (begin, end), length in zip(self._ranges(), self.lengths.tolist(), strict=True)
        ]

    def each(self) -> list[TermCounts]:
        """Of each chunk by itself."""
        return [
            TermCounts(self.terms[begin:end], self.counts[begin:end], length)
            for (begin, end), length in zip(self._ranges(), self.lengths.tolist(), strict=True)
        ]

    def _ranges(self) -> Iterator[tuple[int, int]]:
        return pairwise([0, *np.cumsum(self.sizes).tolist()])
