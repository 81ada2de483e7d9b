"""Owns the cut to the best: which rows of many portions may be among the first k, when scores are known up to a slack.

Of rows with the same rough score in one portion only the first k by id are kept: a word that stands once in thousands
of texts of the same length ties them all.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.providers.vectorstores.embedded.portions import Portion

Scores = NDArray[np.float64]
Rows = NDArray[np.intp]
Chosen = tuple[Portion, Rows]


@dataclass(slots=True)
class Cutoff:
    """What rows of portions are added to, in any order."""

    top_k: int
    _kept: list[tuple[Portion, Rows, Scores]] = field(default_factory=list)
    _sure: Scores = field(default_factory=lambda: np.empty(0))
    bar: float = -np.inf
    """At least k rows reach this."""

    def add(self, portion: Portion, rows: Rows, scores: Scores, slacks: Scores | float) -> None:
        """Rows by their rough scores, each known up to its slack."""
        most = scores + slacks
        near = most >= self.bar
        self._kept.append((portion, rows[near], most[near]))
        self._sure = _highest(np.concatenate([self._sure, (scores - slacks)[near]]), self.top_k)
        if len(self._sure) == self.top_k:
            self.bar = float(self._sure.min())

    def candidates(self) -> list[Chosen]:
        """The rows that may be among the best of all."""
        return [(portion, kept) for portion, rows, most in self._kept if len(kept := rows[most >= self.bar])]


def _highest(scores: Scores, top_k: int) -> Scores:
    return scores if len(scores) <= top_k else np.partition(scores, len(scores) - top_k)[len(scores) - top_k :]


def first(rows: Rows, scores: Scores, ranks: NDArray[np.uint32], *, top_k: int, slack: float) -> Rows:
    """Those of some rows of a segment that may be among its first k."""
    if len(rows) <= top_k:
        return rows
    kth = np.partition(scores, len(scores) - top_k)[len(scores) - top_k]
    near = scores >= kth - 2 * slack
    rows, scores = rows[near], scores[near]
    if len(rows) <= 2 * top_k:
        return rows
    order = np.lexsort((ranks[rows], -scores))
    begins = np.flatnonzero(np.diff(scores[order], prepend=np.inf))
    places = np.arange(len(order)) - np.repeat(begins, np.diff(begins, append=len(order)))
    return rows[order[places < top_k]]


def keys_by_shard(chosen: Sequence[Chosen]) -> dict[str, list[int]]:
    """The keys of rows by their shard."""
    found: dict[str, list[int]] = {}
    for portion, rows in chosen:
        found.setdefault(portion.shard, []).extend(portion.segment.keys[rows].tolist())
    return found
