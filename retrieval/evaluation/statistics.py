"""Owns what can be said of a mean over queries: its interval, and whether two settings differ."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SEED = 20_260_101
"""Fixed, so that a report can be made again to the last digit."""
RESAMPLES = 5_000
CONFIDENCE = 0.95
AT_ONCE = 500
"""Resamples that are drawn together: 40 MB at 10,000 queries."""
EQUAL = 1e-9


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over queries, and between what it lies with 95 % confidence if the queries are like those to come."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """A pair of settings, query by query: how much the first is above the second.

    `p` is how often chance alone would make a difference as large (two-sided randomisation test, signs flipped).
    """

    mean: float
    low: float
    high: float
    p: float
    wins: int
    losses: int
    ties: int


def interval(values: Sequence[float]) -> Interval:
    """The mean with its bootstrap interval over queries (percentiles); of at least one value."""
    found = np.asarray(values, np.float64)
    means = np.concatenate([found[drawn].mean(axis=1) for drawn in _draws(len(found))])
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(float(found.mean()), float(low), float(high))


def compare(first: Mapping[str, float], second: Mapping[str, float]) -> PairedDifference:
    """The difference between two settings over the queries that both have; of at least one."""
    shared = sorted(first.keys() & second.keys())
    differences = np.array([first[query] - second[query] for query in shared], np.float64)
    bounds = interval(differences.tolist())
    wins, losses = int((differences > EQUAL).sum()), int((differences < -EQUAL).sum())
    return PairedDifference(
        bounds.mean, bounds.low, bounds.high, _chance(differences), wins, losses, len(shared) - wins - losses
    )


def _chance(differences: NDArray[np.float64]) -> float:
    """How often the mean is as far from 0 when each query's winner is drawn by lot; never 0: the pair itself counts."""
    random = np.random.default_rng(SEED)
    seen = abs(differences.sum()) - EQUAL
    as_far = sum(
        int((np.abs(random.choice((-1.0, 1.0), (AT_ONCE, len(differences))) @ differences) >= seen).sum())
        for _ in range(RESAMPLES // AT_ONCE)
    )
    return (as_far + 1) / (RESAMPLES + 1)


def _draws(count: int) -> Iterator[NDArray[np.int64]]:
    random = np.random.default_rng(SEED)
    for _ in range(RESAMPLES // AT_ONCE):
        yield random.integers(0, count, (AT_ONCE, count))
