"""Owns the search for words in segments: which rows can be among the best, and what they score to the last digit.

Every segment is summed roughly first, the terms that weigh most before the others; the few rows that may be among the
best by that are then scored as `weighing.score` does.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.providers.vectorstores.embedded.best import Chosen, Cutoff, first
from embedmill.shared.providers.vectorstores.embedded.portions import Pass, Portion
from embedmill.shared.providers.vectorstores.embedded.segment import PlacedRows, Postings, Segment
from embedmill.shared.words.counts import UNITS
from embedmill.shared.words.weighing import SATURATION, WordCounts, Wording, impacts

ROUNDING = 2.0**-22
"""What a sum in 32 bits may be off by, for each term and for each unit of what all terms can add."""
MOST_IMPACT = SATURATION + 1
"""What a term adds to a score at weight 1 is less than this, however often it stands in a row."""
LOOKUP = 30
"""To look a row up in the postings of a term takes as long as to add up so many of them."""
WORTHWHILE = 4_096
"""So many postings are added up before anybody would think about which rows still matter."""
SPLIT = 0.5
"""Terms are light where all of them come to less than this share of what a row needs to be among the best."""
ADDED_AT_ONCE = 2**18
"""So many postings are added up at once, and those of one term more."""
KEPT_BYTES = 272 * 2**20
"""Up to so many bytes of postings stay in memory between searches."""
QUARTER = np.float32(1 / UNITS)

Floats = NDArray[np.float32]
Places = NDArray[np.int64]


@dataclass(frozen=True)
class WeighedQuery:
    """A wording as arrays: `terms` uint32, and their `weights` float64, the heaviest first."""

    terms: NDArray[np.uint32]
    weights: NDArray[np.float64]
    mean_length: float

    @classmethod
    def of(cls, wording: Wording) -> "WeighedQuery":
        terms = sorted(wording.weights, key=lambda term: (-wording.weights[term], term))
        return cls(
            np.array(terms, np.uint32),
            np.array([wording.weights[term] for term in terms], np.float64),
            wording.mean_length,
        )

    def only(self, places: NDArray[np.intp]) -> "WeighedQuery":
        """The same without the other terms."""
        return WeighedQuery(self.terms[places], self.weights[places], self.mean_length)

    @cached_property
    def slack(self) -> float:
        """How far a rough score may be from the true one."""
        return ROUNDING * (len(self.terms) + 8) * float(np.abs(self.weights).sum()) * MOST_IMPACT


def find(portions: Sequence[Portion], wording: Wording, *, top_k: int, under_way: Pass) -> list[Chosen]:
    """The rows of each portion that may be among the best `top_k` of all."""
    query, cut = WeighedQuery.of(wording), Cutoff(top_k)

    def look_through(portion: Portion) -> None:
        scores = rough_scores(portion, query, bar=cut.bar)
        rows = np.flatnonzero(scores >= cut.bar - query.slack if cut.bar > 0 else scores)
        rows = first(rows, scores[rows].astype(np.float64), portion.segment.ranks, top_k=top_k, slack=query.slack)
        cut.add(portion, rows, scores[rows].astype(np.float64), query.slack)

    for portion in portions if len(query.terms) else ():
        under_way.ask(portion.shard, partial(look_through, portion))
    return cut.candidates()


def rough_scores(portion: Portion, query: WeighedQuery, *, bar: float) -> Floats:
    """The score of every row of a portion, 0 for those that hold no word or may not be found.

    What cannot reach the bar may have less than its score: terms that weigh little are only looked up for the rows that
    they can still lift there, where that is quicker.
    """
    segment = portion.segment
    begins, ends = segment.postings.spans(query.terms)
    held = np.flatnonzero(begins < ends)
    begins, ends, query = begins[held], ends[held], query.only(held)
    left, liftable = _from_each_on(ends - begins), MOST_IMPACT * _from_each_on(np.abs(query.weights))
    needed = bar - query.slack
    light = np.flatnonzero((liftable < SPLIT * needed) & (left > WORTHWHILE))[:1]
    split = int(light[0]) if len(light) else len(held)
    scores = np.zeros(len(segment), np.float32)
    _add_up(scores, segment, query, begins, ends, slice(split))
    if split < len(held):
        rows = np.flatnonzero(scores >= needed - liftable[split])
        if LOOKUP * len(rows) * (len(held) - split) < left[split]:
            scores[rows] += _looked_up(segment, rows, query, split)
        else:
            _add_up(scores, segment, query, begins, ends, slice(split, None))
    return scores if portion.mask is None else np.where(portion.mask, scores, np.float32(0))


def _from_each_on(values: NDArray[Any]) -> NDArray[Any]:
    """The sum of each value and all behind it."""
    sums: NDArray[Any] = np.cumsum(values[::-1])[::-1]
    return sums


def _add_up(scores: Floats, segment: Segment, query: WeighedQuery, begins: Places, ends: Places, terms: slice) -> None:
    """Add what some terms add to each row of a segment, as `impacts` has it."""
    postings, norms = segment.postings, segment.norms(query.mean_length)
    sizes, weights = ends[terms] - begins[terms], (query.weights[terms] * MOST_IMPACT).astype(np.float32)
    for places in _at_once(sizes):
        spans = [
            slice(*span) for span in zip(begins[terms][places].tolist(), ends[terms][places].tolist(), strict=True)
        ]
        rows = np.concatenate([postings.rows[span] for span in spans]).astype(np.intp)
        added = np.concatenate([postings.counts[span] for span in spans]) * QUARTER
        added /= added + norms[rows]
        borders = pairwise([0, *np.cumsum(sizes[places]).tolist()])
        for (begin, end), weight in zip(borders, weights[places], strict=True):
            added[begin:end] *= weight
        np.add.at(scores, rows, added)


def _at_once(sizes: Places) -> list[slice]:
    """Which terms are added up together, by how many postings they have."""
    groups = np.cumsum(sizes) // ADDED_AT_ONCE
    borders = [0, *(np.flatnonzero(np.diff(groups)) + 1).tolist(), len(sizes)] if len(sizes) else []
    return [slice(*border) for border in pairwise(borders)]


def _looked_up(segment: Segment, rows: NDArray[np.intp], query: WeighedQuery, place: int) -> Floats:
    """What the terms from a place on add to some rows."""
    often = segment.postings.counts_of(query.terms[place:], rows) * QUARTER
    norms = segment.norms(query.mean_length)[rows]
    added = often / (often + norms[:, None]) * (query.weights[place:] * MOST_IMPACT).astype(np.float32)
    return np.asarray(added.sum(axis=1), np.float32)


def best_scores(chosen: Sequence[Chosen], wording: Wording, *, top_k: int) -> dict[str, dict[int, float]]:
    """What the best `top_k` of some rows score, and those that tie with the last of them, by shard and key."""
    scores = true_scores([(portion.segment, rows) for portion, rows in chosen], wording)
    every = sorted(filter(None, scores), reverse=True)
    bar = every[min(top_k, len(every)) - 1] if every else 0.0
    found: dict[str, dict[int, float]] = {}
    left = iter(scores)
    for portion, rows in chosen:
        scored = zip(portion.segment.keys[rows].tolist(), left, strict=False)
        found.setdefault(portion.shard, {}).update((key, score) for key, score in scored if score and score >= bar)
    return found


def scores_of(placed: Sequence[PlacedRows], wording: Wording) -> dict[int, float]:
    """What some rows score, by their keys."""
    keys = chain.from_iterable(segment.keys[rows].tolist() for segment, rows in placed)
    return dict(zip(keys, true_scores(placed, wording), strict=True))


def terms_of(placed: Sequence[PlacedRows], terms: Sequence[int]) -> dict[int, frozenset[int]]:
    """Which of some terms the rows hold, by their keys."""
    asked = np.array(terms, np.uint32)
    found: dict[int, frozenset[int]] = {}
    for segment, rows in placed:
        held = segment.postings.counts_of(asked, rows) > 0
        found.update(
            (key, frozenset(asked[of].tolist())) for key, of in zip(segment.keys[rows].tolist(), held, strict=True)
        )
    return found


def true_scores(placed: Sequence[PlacedRows], wording: Wording) -> list[float]:
    """The score of each of some rows as `weighing.score` has it, those of all segments together."""
    if not placed:
        return []
    query = WeighedQuery.of(wording)
    counts = np.concatenate([segment.postings.counts_of(query.terms, rows) for segment, rows in placed])
    lengths = np.concatenate([segment.lengths[rows] for segment, rows in placed])
    # Most rows hold few of the terms, and what a term adds that is not there is nothing.
    rows, terms = np.nonzero(counts)
    added = (query.weights[terms] * impacts(counts[rows, terms], lengths[rows], query.mean_length)).tolist()
    borders = rows.searchsorted(np.arange(len(counts) + 1)).tolist()
    return [math.fsum(added[begin:end]) for begin, end in pairwise(borders)]


def read_ahead(portions: Sequence[Portion]) -> None:
    """Have the postings that stay in memory be read: the words of a query and of its first hits lie all over them."""
    for of, is_kept in _kept(portions):
        if is_kept:
            of.read_ahead()


def give_back(portions: Sequence[Portion]) -> None:
    """Give back the memory that postings took, but for those that stay."""
    for of, is_kept in _kept(portions):
        if of.pages is not None and not is_kept:
            of.pages.give_back()


def _kept(portions: Sequence[Portion]) -> Iterator[tuple[Postings, bool]]:
    """All postings, and of each whether it stays in memory, as those of the first segments do."""
    postings = [portion.segment.postings for portion in portions]
    kept = np.cumsum([of.rows.nbytes + of.counts.nbytes for of in postings]) <= KEPT_BYTES
    return zip(postings, kept.tolist(), strict=True)


def count(portions: Sequence[Portion], terms: Sequence[int], *, under_way: Pass) -> WordCounts:
    """Rows, their words, and the rows that hold each term, of the shards that did not fail."""
    wanted = np.array(sorted(set(terms)), np.uint32)
    found: list[tuple[str, int, int, NDArray[np.int64]]] = []

    def add(portion: Portion) -> None:
        found.append((portion.shard, *_counted(portion, wanted)))

    for portion in portions:
        under_way.ask(portion.shard, partial(add, portion))
    counted = [counts for shard, *counts in found if shard not in under_way.failed]
    rows, words, holding = (sum(column) for column in zip(*counted, strict=True)) if counted else (0, 0, wanted * 0)
    return WordCounts(rows, words, dict(zip(wanted.tolist(), holding.tolist(), strict=True)))


def _counted(portion: Portion, terms: NDArray[np.uint32]) -> tuple[int, int, NDArray[np.int64]]:
    begins, ends = portion.segment.postings.spans(terms)
    if portion.mask is None:
        return len(portion.segment), portion.segment.words, ends - begins
    rows = portion.segment.postings.rows
    holding = [np.count_nonzero(portion.mask[rows[begin:end]]) for begin, end in zip(begins, ends, strict=True)]
    words = int(portion.segment.lengths[portion.mask].sum(dtype=np.int64))
    return portion.size, words, np.array(holding, np.int64)
