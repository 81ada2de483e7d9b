"""Owns a segment: some thousand rows of a shard as arrays that are searched, in memory or mapped from a file.

A row is its position here. Rows are ordered by key, terms by number, and the postings of a term by row: whatever a
segment tells follows from its rows. It is made from rows or from other segments, and never changes.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from mmap import MADV_DONTNEED, MADV_WILLNEED, PAGESIZE, mmap
from typing import Self

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.distinct import distinct
from embedmill.shared.providers.vectorstores.embedded.codes import Codes, encode, join
from embedmill.shared.words.counts import CountsOfMany
from embedmill.shared.words.weighing import LENGTH_SHARE, SATURATION

MOST_ROWS = 2**16
"""A row's number has 16 bits; and what is summed for each row of a segment stays in a core's own cache."""

MOVED_AT_ONCE = 2**16
"""Postings that are on their way from segments into another at a time."""

HALF = np.uint32(16)
"""Bits."""

Join = Callable[[Sequence[tuple[Codes, NDArray[np.intp]]]], Codes]
"""How the codes of some rows of several segments become one."""
Spans = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Where some things begin, and where they end."""


@dataclass(frozen=True, slots=True)
class Pages:
    """A part of a mapped file."""

    map: mmap
    begin: int
    end: int

    def give_back(self) -> None:
        """Give back the memory that they took; the file is there when they are read again."""
        self._advise(MADV_DONTNEED)

    def read_ahead(self) -> None:
        """Have the system read them from the disk at once, and not piece by piece when they are met."""
        self._advise(MADV_WILLNEED)

    def _advise(self, what: int) -> None:
        begin = self.begin - self.begin % PAGESIZE
        if self.end > begin:
            self.map.madvise(what, begin, self.end - begin)


@dataclass(frozen=True, slots=True)
class Postings:
    """Which rows hold each term, and how often, in quarters: those of `terms[i]` are from `offsets[i]` on."""

    terms: NDArray[np.uint32]
    offsets: NDArray[np.uint32]
    rows: NDArray[np.uint16]
    counts: NDArray[np.uint8]
    pages: Pages | None = None
    """What `rows` and `counts` are read from, if that is a file."""
    _asked: dict[bytes, Spans] = field(default_factory=dict, compare=False, repr=False)
    _was_read: list[bool] = field(default_factory=list, compare=False, repr=False)

    def spans(self, terms: NDArray[np.uint32]) -> Spans:
        """Where the postings of each of some terms begin and end; of an unknown term they end where they begin.

        They are kept for as long as the same terms are asked for: a search does so some times.
        """
        asked = terms.tobytes()
        spans = self._asked.get(asked)
        if spans is None:
            spans = self._find_spans(terms)
            self._asked.clear()
            self._asked[asked] = spans
        return spans

    def read_ahead(self) -> None:
        """Have the system read all of them at once, the first time, and not piece by piece when they are met."""
        if self.pages is not None and not self._was_read:
            self._was_read.append(True)
            self.pages.read_ahead()

    def _find_spans(self, terms: NDArray[np.uint32]) -> Spans:
        if not len(self.terms):
            return np.zeros(len(terms), np.int64), np.zeros(len(terms), np.int64)
        at = self.terms.searchsorted(terms)
        is_known = self.terms.take(at, mode="clip") == terms
        return self.offsets.take(at).astype(np.int64), self.offsets.take(at + is_known).astype(np.int64)

    def counts_of(self, terms: NDArray[np.uint32], rows: NDArray[np.intp]) -> NDArray[np.uint8]:
        """How often each of some rows holds each of some terms, of shape (rows, terms): each term is bisected."""
        if not len(self.rows):
            return np.zeros((len(rows), len(terms)), np.uint8)
        begins, ends = self.spans(terms)
        wanted = rows.astype(np.uint16)
        at = np.zeros((len(terms), len(rows)), np.int64)
        for place, (begin, end) in enumerate(zip(begins.tolist(), ends.tolist(), strict=True)):
            if begin < end:
                at[place] = self.rows[begin:end].searchsorted(wanted)
        at += begins[:, None]
        is_there = at < ends[:, None]
        at[~is_there] = 0
        is_there &= self.rows[at] == wanted
        # Few rows hold a term: of the others no count is read.
        counts = np.zeros(at.shape, np.uint8)
        counts[is_there] = self.counts[at[is_there]]
        return counts.T


@dataclass(frozen=True, slots=True)
class Segment:
    """Of n rows: `keys` int64, ascending; `ranks` uint32, the row's place by id; `lengths` uint32 in words."""

    keys: NDArray[np.int64]
    ranks: NDArray[np.uint32]
    lengths: NDArray[np.uint32]
    postings: Postings
    codes: Codes
    _norms: dict[float, NDArray[np.float32]] = field(default_factory=dict, compare=False, repr=False)
    _words: list[int] = field(default_factory=list, compare=False, repr=False)

    @property
    def words(self) -> int:
        """The words of all rows, added up once."""
        if not self._words:
            self._words.append(int(self.lengths.sum(dtype=np.int64)))
        return self._words[0]

    def __len__(self) -> int:
        return len(self.keys)

    def norms(self, mean_length: float) -> NDArray[np.float32]:
        """Of each row what `impacts` adds to how often a term stands in it; kept for as long as the mean stays."""
        norms = self._norms.get(mean_length)
        if norms is None:
            share = np.float32(SATURATION * LENGTH_SHARE / mean_length)
            norms = np.asarray(self.lengths * share + np.float32(SATURATION * (1 - LENGTH_SHARE)), np.float32)
            self._norms.clear()
            self._norms[mean_length] = norms
        return norms

    def rows_of(self, keys: NDArray[np.int64]) -> NDArray[np.intp]:
        """The rows that have some keys, which are in ascending order."""
        keys = keys[: keys.searchsorted(self.keys[-1], side="right")] if len(self.keys) else keys[:0]
        at = self.keys.searchsorted(keys)
        rows: NDArray[np.intp] = at[self.keys[at] == keys]
        return rows


PlacedRows = tuple[Segment, NDArray[np.intp]]
"""Some rows of a segment."""


def make(keys: Sequence[int], ids: Sequence[str], words: CountsOfMany, codes: Codes) -> Segment:
    """A segment of rows, given in the order of their keys."""
    return Segment(np.array(keys, np.int64), ranked(ids), words.lengths, invert(words), codes)


def empty(dimensions: int) -> Segment:
    """A segment without rows."""
    return make([], [], CountsOfMany.read([]), encode(np.empty((0, dimensions), np.float32)))


def ranked(ids: Sequence[str]) -> NDArray[np.uint32]:
    """The place of each id among all of them."""
    ranks = np.empty(len(ids), np.uint32)
    ranks[sorted(range(len(ids)), key=ids.__getitem__)] = np.arange(len(ids), dtype=np.uint32)
    return ranks


def invert(words: CountsOfMany) -> Postings:
    """Postings in order: they come in that of their rows, which stays where terms are the same.

    They are sorted by one half of a term's bits and then by the other, as numbers of 16 bits need no comparing.
    """
    order = _sorted(words.terms.astype(np.uint16))
    order = order[_sorted((words.terms >> HALF).astype(np.uint16)[order])]
    terms = words.terms[order]
    begins = np.flatnonzero(np.append(True, terms[1:] != terms[:-1])[: len(terms)])
    rows = np.repeat(np.arange(len(words.sizes), dtype=np.uint16), words.sizes)
    offsets = np.append(begins, len(terms)).astype(np.uint32)
    return Postings(terms[begins], offsets, rows[order], words.counts[order])


def _sorted(halves: NDArray[np.uint16]) -> NDArray[np.int32]:
    return np.argsort(halves, kind="stable").astype(np.int32)


def merge(
    segments: Sequence[Segment],
    kept: Sequence[NDArray[np.bool_] | None],
    ranks: NDArray[np.uint32],
    join: Join = join,
) -> Segment:
    """One segment of the rows that are kept of several, in the order of their keys; `ranks` are those of these rows."""
    picks = [
        np.flatnonzero(keep) if keep is not None else np.arange(len(s)) for s, keep in zip(segments, kept, strict=True)
    ]
    chosen = list(zip(segments, picks, strict=True))
    return Segment(
        np.concatenate([s.keys[pick] for s, pick in chosen]),
        ranks,
        np.concatenate([s.lengths[pick] for s, pick in chosen]),
        _merge_postings([(s.postings, len(s), pick) for s, pick in chosen]),
        join([(s.codes, pick) for s, pick in chosen]),
    )


def _merge_postings(parts: Sequence[tuple[Postings, int, NDArray[np.intp]]]) -> Postings:
    """The postings of the rows that are picked of each segment of so many rows, under the numbers that these get.

    Each is put where it belongs: the rows of a segment come before those of the next, and nothing is sorted again.
    """
    starts = np.cumsum([0, *(len(pick) for _, _, pick in parts)])
    moves = [_Move.of(*part, start=start) for part, start in zip(parts, starts, strict=False)]
    terms = distinct(np.concatenate([postings.terms for postings, _, _ in parts]))
    places = [terms.searchsorted(postings.terms) for postings, _, _ in parts]
    sizes = np.zeros(len(terms), np.int64)
    for move, at in zip(moves, places, strict=True):
        sizes[at] += move.sizes
    ends = np.cumsum(sizes)
    rows, counts, free = np.empty(sizes.sum(), np.uint16), np.empty(sizes.sum(), np.uint8), ends - sizes
    for move, at in zip(moves, places, strict=True):
        move.place(rows, counts, free[at])
        free[at] += move.sizes
    left = sizes > 0
    return Postings(terms[left], np.concatenate(([0], ends[left])).astype(np.uint32), rows, counts)


@dataclass(frozen=True, slots=True)
class _Move:
    """The way of a segment's postings into another: the `numbers` that its rows get, -1 for those that are gone."""

    postings: Postings
    numbers: NDArray[np.int32]
    sizes: NDArray[np.int64]
    """Of each term, how many postings are left."""

    @classmethod
    def of(cls, postings: Postings, size: int, pick: NDArray[np.intp], *, start: int) -> Self:
        """Of a segment of so many rows, those picked of which are numbered from `start` on."""
        numbers = np.full(size, -1, np.int32)
        numbers[pick] = np.arange(start, start + len(pick), dtype=np.int32)
        sizes = np.diff(postings.offsets).astype(np.int64)
        if len(pick) < size:
            for begin, end in _blocks(postings):
                gone = np.flatnonzero(numbers[_rows_of(postings, begin, end)] < 0) + int(postings.offsets[begin])
                sizes -= np.bincount(postings.offsets.searchsorted(gone, side="right") - 1, minlength=len(sizes))
        return cls(postings, numbers, sizes)

    def place(self, rows: NDArray[np.uint16], counts: NDArray[np.uint8], begins: NDArray[np.int64]) -> None:
        """Put each term's postings from its place on; some at a time, and what they are read from is given back."""
        for first, last in _blocks(self.postings):
            numbers = self.numbers[_rows_of(self.postings, first, last)]
            found = self.postings.counts[self.postings.offsets[first] : self.postings.offsets[last]]
            kept, sizes = numbers >= 0, self.sizes[first:last]
            to = np.repeat(begins[first:last] - (np.cumsum(sizes) - sizes), sizes) + np.arange(sizes.sum())
            rows[to], counts[to] = numbers[kept], found[kept]
        if self.postings.pages is not None:
            self.postings.pages.give_back()


def _blocks(postings: Postings) -> Iterator[tuple[int, int]]:
    """The terms in ranges, of as many postings as are in memory at a time; of one term there may be more."""
    steps = np.arange(0, len(postings.rows), MOVED_AT_ONCE)
    begins = distinct(postings.offsets.searchsorted(steps, side="right") - 1).tolist()
    yield from pairwise([*begins, len(postings.terms)])


def _rows_of(postings: Postings, begin: int, end: int) -> NDArray[np.uint16]:
    return postings.rows[postings.offsets[begin] : postings.offsets[end]]
