"""Owns what is known of numbered words in arrays: some values of each, one word's behind the other's."""

import threading
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from embedmill.shared.distinct import distinct, ranges

Numbers = NDArray[np.intp]
UNKNOWN = -1
"""How many values a word has that was not looked at."""


class WordValues:
    """Some values for each of at most so many words: by number where they begin in `values`, and how many they are.

    A place is left over behind the last number, which stands for words without one.
    """

    def __init__(self, most: int, dtype: DTypeLike) -> None:
        self.starts: Numbers = np.zeros(most + 1, np.intp)
        self.sizes: NDArray[np.int32] = np.full(most + 1, UNKNOWN, np.int32)
        self.values: NDArray[Any] = np.empty(0, dtype)
        self._lock = threading.Lock()

    def find_unknown(self, numbers: NDArray[Any]) -> Numbers:
        """Those of some words that have a number and were not looked at, each once."""
        new = distinct(numbers[self.sizes[numbers] == UNKNOWN])
        return new[new >= 0].astype(np.intp)

    def learn(self, numbers: Numbers, sizes: Numbers, values: NDArray[Any]) -> None:
        """Keep the values of words, so many of each; a size below 0 says something else of a word, which has none."""
        with self._lock:
            # What another thread has found meanwhile is the same, and may be read where it stands.
            there = np.maximum(sizes, 0)
            starts = len(self.values) + np.cumsum(there, dtype=np.intp) - there
            self.values = np.concatenate((self.values, values), dtype=self.values.dtype)
            self.starts[numbers] = starts
            self.sizes[numbers] = sizes

    def find(self, numbers: NDArray[Any], sizes: NDArray[Any]) -> NDArray[Any]:
        """The values of words, of which so many each are asked for."""
        return self.values[ranges(self.starts[numbers], sizes)]

    def kept(self, numbers: Numbers) -> Self:
        """What is known of some words only, which have the numbers from 0 on there."""
        other = type(self)(len(self.sizes) - 1, self.values.dtype)
        known = np.flatnonzero(self.sizes[numbers] != UNKNOWN)
        sizes = self.sizes[numbers[known]].astype(np.intp)
        other.learn(known, sizes, self.find(numbers[known], np.maximum(sizes, 0)))
        return other
