"""Owns the words of many rows counted together, as small as they can be kept, for stores whose service counts none."""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.words.counts import TermCounts
from embedmill.shared.words.weighing import WordCounts


@dataclass(frozen=True, slots=True)
class WordTally:
    """Rows, their words, and how many of the rows hold each term, or how much there is more or less of all these.

    `terms` is uint32, ascending, and `holding` int32, both of shape (n,).
    """

    rows: int
    words: int
    terms: NDArray[np.uint32]
    holding: NDArray[np.int32]

    @classmethod
    def of(cls, counted: Iterable[TermCounts]) -> Self:
        """The tally of some rows."""
        rows = list(counted)
        terms = np.concatenate([np.empty(0, np.uint32), *(row.terms for row in rows)])
        found, holding = np.unique(terms, return_counts=True)
        return cls(len(rows), sum(row.length for row in rows), found, holding.astype(np.int32))

    @classmethod
    def total(cls, tallies: Iterable["WordTally"]) -> Self:
        """All of them together; what cancels out is left out."""
        parts = list(tallies)
        terms, places = np.unique(
            np.concatenate([np.empty(0, np.uint32), *(part.terms for part in parts)]), return_inverse=True
        )
        holding = np.zeros(len(terms), np.int64)
        np.add.at(holding, places, np.concatenate([np.empty(0, np.int32), *(part.holding for part in parts)]))
        some = holding != 0
        rows, words = sum(part.rows for part in parts), sum(part.words for part in parts)
        return cls(rows, words, terms[some], holding[some].astype(np.int32))

    @property
    def is_nothing(self) -> bool:
        """Whether it changes nothing."""
        return not (self.rows or self.words or len(self.terms))

    def negative(self) -> "WordTally":
        """What takes this one away."""
        return WordTally(-self.rows, -self.words, self.terms, -self.holding)

    def counts_of(self, terms: Sequence[int]) -> WordCounts:
        """What a search asks: rows, words, and the rows that hold each of some terms."""
        asked = np.asarray(terms, np.uint32)
        places = np.searchsorted(self.terms, asked)
        held = np.zeros(len(asked), np.int64)
        there = places < len(self.terms)
        there[there] = self.terms[places[there]] == asked[there]
        held[there] = self.holding[places[there]]
        return WordCounts(self.rows, self.words, dict(zip(terms, held.tolist(), strict=True)))

    def pack(self) -> bytes:
        """The terms and how many rows hold each; rows and words are kept beside it."""
        return zlib.compress(self.terms.astype("<u4").tobytes() + self.holding.astype("<i4").tobytes(), 1)

    @classmethod
    def unpack(cls, rows: int, words: int, packed: bytes) -> Self:
        """The tally that was packed."""
        numbers = np.frombuffer(zlib.decompress(packed), "<u4")
        half = len(numbers) // 2
        return cls(rows, words, numbers[:half].astype(np.uint32), numbers[half:].view("<i4").astype(np.int32))


NOTHING = WordTally(0, 0, np.empty(0, np.uint32), np.empty(0, np.int32))
