"""Owns the search for near vectors in segments: which rows can be among the best by their codes.

Up to `EXACT_ROWS` rows every row is looked at, and none that belongs to the best is missed. Above that, only the rows
whose signs are nearest to the query's are. All rows in as many different bits are in or out together, so that which
rows are looked at depends on the documents alone.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.providers.vectorstores.embedded.best import Chosen, Cut, Rows
from embedmill.shared.providers.vectorstores.embedded.codes import (
    WORD_BITS,
    Floats,
    distances,
    estimates,
    sign_words,
    unit_rows,
)
from embedmill.shared.providers.vectorstores.embedded.portions import Pass, Portion

EXACT_ROWS = 20_000
CANDIDATES = 4_000
CANDIDATES_SHARE = 64
CANDIDATES_PER_HIT = 4
"""Rows whose signs are nearest that are looked at: so many, one in so many rows, and so many for each hit, at least."""


KEPT_BYTES = 64 * 2**20
"""Up to so many bytes of levels stay in memory between searches."""


def find(portions: Sequence[Portion], vector: Floats, *, top_k: int, under_way: Pass) -> list[Chosen]:
    """The rows of each portion that may be among the nearest `top_k` of all."""
    query = unit_rows(vector[None])
    if not query.any():
        return [(portion, _first_by_id(portion, top_k)) for portion in portions]
    chosen: Sequence[Chosen] = [(portion, _rows(portion)) for portion in portions]
    size = sum(len(rows) for _, rows in chosen)
    if size > EXACT_ROWS:
        wanted = max(CANDIDATES, size // CANDIDATES_SHARE, CANDIDATES_PER_HIT * top_k)
        chosen = _nearest_by_signs(portions, query, wanted=wanted, under_way=under_way)
    cut = Cut(top_k)

    def look_at(portion: Portion, rows: Rows) -> None:
        scores = estimates(portion.segment.codes, query[0], rows)
        cut.add(portion, rows, scores.astype(np.float64), portion.segment.codes.slacks[rows].astype(np.float64))

    for portion, rows in chosen:
        under_way.ask(portion.shard, partial(look_at, portion, rows))
    if sum(portion.segment.codes.levels.nbytes for portion in portions) > KEPT_BYTES:
        for portion in portions:
            portion.segment.codes.release()
    return cut.candidates()


def _nearest_by_signs(portions: Sequence[Portion], query: Floats, *, wanted: int, under_way: Pass) -> list[Chosen]:
    """At least so many rows of each, by the signs of all: the farthest class of bits is in as a whole."""
    signs = sign_words(query)
    beyond = WORD_BITS * len(signs) + 1
    measured: list[tuple[Portion, NDArray[np.uint16]]] = []

    def measure(portion: Portion) -> None:
        apart = distances(portion.segment.codes, signs)
        measured.append((portion, apart if portion.mask is None else np.where(portion.mask, apart, beyond)))

    for portion in portions:
        under_way.ask(portion.shard, partial(measure, portion))
    live = [(portion, apart) for portion, apart in measured if portion.shard not in under_way.failed]
    classes = sum((np.bincount(apart, minlength=beyond + 1) for _, apart in live), np.zeros(beyond + 1, np.int64))
    reach = min(int(np.searchsorted(np.cumsum(classes), wanted)), beyond - 1)
    return [(portion, np.flatnonzero(apart <= reach)) for portion, apart in live]


def _rows(portion: Portion) -> Rows:
    return np.arange(len(portion.segment)) if portion.mask is None else np.flatnonzero(portion.mask)


def _first_by_id(portion: Portion, top_k: int) -> Rows:
    rows = _rows(portion)
    return rows[np.argsort(portion.segment.ranks[rows])[:top_k]]
