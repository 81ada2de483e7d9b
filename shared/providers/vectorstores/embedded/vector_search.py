"""Owns the search for near vectors in segments: which rows can be among the best by their codes.

Up to `EXACT_ROWS` rows every row is looked at, and none that belongs to the best is missed. Above that, only the rows
whose signs are nearest to the query's are: first by how many differ of those that tell most, then by how much all that
differ weigh. All rows that are as far are in or out together, so that which rows are looked at depends on the documents
alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.providers.vectorstores.embedded.best import Chosen, Cutoff, Rows
from embedmill.shared.providers.vectorstores.embedded.codes import (
    Distances,
    Floats,
    distances,
    estimates,
    heavy_components,
    sign_words,
    unit_rows,
    weighed_distances,
    weight_planes,
)
from embedmill.shared.providers.vectorstores.embedded.portions import Pass, Portion

EXACT_ROWS = 20_000
SAMPLED = 16
"""One in so many rows tells roughly how far the nearest are."""
SPARE = 1.3


@dataclass(frozen=True, slots=True)
class RowShare:
    """How many rows are looked at, at least: so many, one in so many of all rows, and so many for each hit."""

    least: int
    one_in: int
    for_each: int

    def of(self, size: int, top_k: int) -> int:
        """Of so many rows, for so many hits."""
        return max(self.least, size // self.one_in, self.for_each * top_k)


NEAR = RowShare(6_000, 100, 16)
"""Whose signs differ in the fewest of the query's heavy bits."""
CANDIDATES = RowShare(2_000, 500, 4)
"""Of these, whose differing bits weigh least."""

KEPT_BYTES = 16 * 2**20
"""Up to so many bytes of levels are mapped, those of the first segments; of others only what is wanted is read."""


def find(portions: Sequence[Portion], vector: Floats, *, top_k: int, under_way: Pass) -> list[Chosen]:
    """The rows of each portion that may be among the nearest `top_k` of all."""
    query = unit_rows(vector[None])
    if not query.any():
        return [(portion, _first_by_id(portion, top_k)) for portion in portions]
    if sum(portion.size for portion in portions) > EXACT_ROWS:
        chosen = _nearest_by_signs(portions, query, top_k=top_k, under_way=under_way)
    else:
        chosen = [(portion, _rows(portion)) for portion in portions]
    cut, mapped = Cutoff(top_k), _mapped(portions)

    def look_at(portion: Portion, rows: Rows) -> None:
        codes = portion.segment.codes
        scores = estimates(codes, query[0], rows, mapped=id(codes) in mapped)
        cut.add(portion, rows, scores.astype(np.float64), codes.slacks[rows].astype(np.float64))

    for portion, rows in chosen:
        under_way.ask(portion.shard, partial(look_at, portion, rows))
    return cut.candidates()


def _mapped(portions: Sequence[Portion]) -> set[int]:
    """The codes whose levels are looked at where they are mapped."""
    codes = [portion.segment.codes for portion in portions]
    sizes = np.cumsum([of.levels.nbytes for of in codes])
    return {id(of) for of, size in zip(codes, sizes.tolist(), strict=True) if size <= KEPT_BYTES}


def _nearest_by_signs(portions: Sequence[Portion], query: Floats, *, top_k: int, under_way: Pass) -> list[Chosen]:
    """At least as many rows of all as are to be looked at, by their signs."""
    signs, heavy = sign_words(query), heavy_components(query)
    beyond = int(np.bitwise_count(heavy).sum()) + 1
    measured: list[tuple[Portion, Distances]] = []

    def measure(portion: Portion) -> None:
        apart = distances(portion.segment.codes.signs, signs, heavy)
        measured.append((portion, apart if portion.mask is None else np.where(portion.mask, apart, beyond)))

    for portion in portions:
        under_way.ask(portion.shard, partial(measure, portion))
    live = [(portion, apart) for portion, apart in measured if portion.shard not in under_way.failed]
    size = sum(portion.size for portion, _ in live)
    near = _nearest(live, NEAR.of(size, top_k), beyond)
    return _nearest_by_weight(near, query, wanted=CANDIDATES.of(size, top_k))


def _nearest(measured: Sequence[tuple[Portion, Distances]], wanted: int, beyond: int) -> list[Chosen]:
    """At least so many rows, by their distances; none that is `beyond`."""
    # What some of the rows tell is mostly enough to count few.
    guess = _reach([apart[::SAMPLED] for _, apart in measured], int(SPARE * wanted) // SAMPLED + SAMPLED)
    near = [(portion, apart, np.flatnonzero(apart <= min(guess, beyond - 1))) for portion, apart in measured]
    counted = [apart[rows] for _, apart, rows in near]
    if sum(map(len, counted)) < wanted:
        near = [(portion, apart, np.flatnonzero(apart < beyond)) for portion, apart in measured]
        counted = [apart[rows] for _, apart, rows in near]
    reach = _reach(counted, wanted)
    return [(portion, rows[apart <= reach]) for (portion, _, rows), apart in zip(near, counted, strict=True)]


def _nearest_by_weight(near: Sequence[Chosen], query: Floats, *, wanted: int) -> list[Chosen]:
    """At least so many of some rows, by how much the signs weigh that differ."""
    ends = np.cumsum([len(rows) for _, rows in near])
    signs = [portion.segment.codes.signs.take(rows, axis=1) for portion, rows in near]
    signs_of_query = sign_words(query)
    weighed = weighed_distances(
        np.concatenate([signs_of_query[:, :0], *signs], axis=1), signs_of_query, weight_planes(query[0])
    )
    is_near = weighed <= _reach([weighed], wanted)
    return [
        (portion, rows[is_near[begin:end]])
        for (portion, rows), (begin, end) in zip(near, pairwise([0, *ends.tolist()]), strict=True)
    ]


def _reach(distances: Sequence[NDArray[Any]], wanted: int) -> int:
    """Within what distance so many are, at least."""
    counted = [np.bincount(some) for some in distances]
    classes = np.zeros(max(map(len, counted), default=0), np.int64)
    for some in counted:
        classes[: len(some)] += some
    return int(np.searchsorted(np.cumsum(classes), wanted))


def _rows(portion: Portion) -> Rows:
    return np.arange(len(portion.segment)) if portion.mask is None else np.flatnonzero(portion.mask)


def _first_by_id(portion: Portion, top_k: int) -> Rows:
    rows = _rows(portion)
    return rows[np.argsort(portion.segment.ranks[rows])[:top_k]]
