"""Owns the search for words in segments: which rows can be among the best, and what they score to the last digit.

Every segment is summed roughly first, in the order of the postings; the few rows that may be among the best by that are
then scored as `weighing.score` does.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.providers.vectorstores.embedded.best import Chosen, Cut, first
from embedmill.shared.providers.vectorstores.embedded.portions import Pass, Portion
from embedmill.shared.providers.vectorstores.embedded.segment import Segment
from embedmill.shared.words.weighing import WordCounts, Wording, impacts

ROUNDING = 2.0**-48
"""What a sum in 64 bits may be off by, for each term and for each unit of what all terms weigh."""


@dataclass(frozen=True, slots=True)
class Query:
    """A wording as arrays: `terms` uint32, ascending, and their `weights` float64."""

    terms: NDArray[np.uint32]
    weights: NDArray[np.float64]
    mean_length: float

    @classmethod
    def of(cls, wording: Wording) -> "Query":
        terms = sorted(wording.weights)
        return cls(
            np.array(terms, np.uint32),
            np.array([wording.weights[term] for term in terms], np.float64),
            wording.mean_length,
        )

    @property
    def slack(self) -> float:
        """How far a rough score may be from the true one."""
        return ROUNDING * (len(self.terms) + 8) * float(np.abs(self.weights).sum()) * 4


def find(portions: Sequence[Portion], wording: Wording, *, top_k: int, under_way: Pass) -> list[Chosen]:
    """The rows of each portion that may be among the best `top_k` of all."""
    query, cut = Query.of(wording), Cut(top_k)

    def look_through(portion: Portion) -> None:
        scores = rough_scores(portion, query)
        rows = np.flatnonzero(scores >= cut.bar if cut.bar > 0 else scores)
        rows = first(rows, scores[rows], portion.segment.ranks, top_k=top_k, slack=query.slack)
        cut.add(portion, rows, scores[rows], query.slack)

    for portion in portions if len(query.terms) else ():
        under_way.ask(portion.shard, partial(look_through, portion))
    return cut.candidates()


def rough_scores(portion: Portion, query: Query) -> NDArray[np.float64]:
    """The score of every row of a portion, 0 for those that hold no word or may not be found."""
    postings = portion.segment.postings
    spans = [
        (begin, end, weight)
        for begin, end, weight in zip(*postings.spans(query.terms), query.weights, strict=True)
        if end > begin
    ]
    if not spans:
        return np.zeros(len(portion.segment))
    rows = np.concatenate([postings.rows[begin:end] for begin, end, _ in spans])
    counts = np.concatenate([postings.counts[begin:end] for begin, end, _ in spans])
    weights = np.repeat([weight for _, _, weight in spans], [end - begin for begin, end, _ in spans])
    added = weights * impacts(counts, portion.segment.lengths[rows], query.mean_length)
    scores = np.bincount(rows, added, len(portion.segment)).astype(np.float64, copy=False)
    return scores if portion.mask is None else np.where(portion.mask, scores, 0.0)


def best_scores(chosen: Sequence[Chosen], wording: Wording, *, top_k: int) -> dict[str, dict[int, float]]:
    """What the best `top_k` of some rows score, and those that tie with the last of them, by shard and key."""
    scored = [(portion, rows, true_scores(portion.segment, rows, wording)) for portion, rows in chosen]
    every = sorted((score for *_, scores in scored for score in scores if score), reverse=True)
    bar = every[min(top_k, len(every)) - 1] if every else 0.0
    found: dict[str, dict[int, float]] = {}
    for portion, rows, scores in scored:
        keys = portion.segment.keys[rows].tolist()
        of_shard = found.setdefault(portion.shard, {})
        of_shard.update((key, score) for key, score in zip(keys, scores, strict=True) if score and score >= bar)
    return found


def scores_of(segments: Sequence[Segment], keys: Sequence[int], wording: Wording) -> dict[int, float]:
    """What rows with given keys score."""
    wanted = np.array(sorted(keys), np.int64)
    found: dict[int, float] = {}
    for segment in segments:
        rows = np.flatnonzero(np.isin(segment.keys, wanted))
        found.update(zip(segment.keys[rows].tolist(), true_scores(segment, rows, wording), strict=True))
    return found


def true_scores(segment: Segment, rows: NDArray[np.intp], wording: Wording) -> list[float]:
    """The score of each of some rows as `weighing.score` has it."""
    query = Query.of(wording)
    counts = np.zeros((len(rows), len(query.terms)), np.uint8)
    for column, (begin, end) in enumerate(zip(*segment.postings.spans(query.terms), strict=True)):
        if end > begin:
            held = segment.postings.rows[begin:end]
            at = np.minimum(np.searchsorted(held, rows), len(held) - 1)
            counts[:, column] = np.where(held[at] == rows, segment.postings.counts[begin:end][at], 0)
    added = query.weights * impacts(counts, segment.lengths[rows][:, None], query.mean_length)
    return [math.fsum(row) for row in added.tolist()]


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
        return len(portion.segment), int(portion.segment.lengths.sum(dtype=np.int64)), ends - begins
    rows = portion.segment.postings.rows
    holding = [np.count_nonzero(portion.mask[rows[begin:end]]) for begin, end in zip(begins, ends, strict=True)]
    words = int(portion.segment.lengths[portion.mask].sum(dtype=np.int64))
    return portion.size, words, np.array(holding, np.int64)
