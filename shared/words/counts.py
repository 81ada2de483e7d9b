"""Owns what a store keeps of a chunk's words: how often each term stands in it, and how long it is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

UNITS = 4
"""A count is kept in quarters, so that a field may weigh one and a half, in a byte: 63 times is as often as it gets."""


@dataclass(frozen=True, slots=True)
class TermCounts:
    """The terms of one chunk, as numbers of 32 bits, ascending; how often each, in quarters, by field weight; words.

    `terms` is uint32 and `counts` uint8, both of shape (n,). They depend on the chunk alone, so that every store and
    every layout has the same; what depends on the collection is the query's (`weighing`).
    """

    terms: NDArray[np.uint32]
    counts: NDArray[np.uint8]
    length: int
