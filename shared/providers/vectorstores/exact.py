"""Owns searching a store that has no engine of its own, by reading all of its rows: right, and slow.

It says what every engine has to find, to the last digit and tie; the tests compare them with it.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.errors import EmbedmillError
from embedmill.shared.filtering import fields as filtering
from embedmill.shared.filtering.conditions import Condition, holds
from embedmill.shared.filtering.fields import Fields
from embedmill.shared.providers.vectorstores.rows import Counted, Found, Match, Selection, VectorRow
from embedmill.shared.words.counts import TermCounts
from embedmill.shared.words.cutting import Words, count_few
from embedmill.shared.words.weighing import WordCounts, Wording, score

_ID, _SCORE = attrgetter("id"), attrgetter("score")

ListRows = Callable[[str], Iterator[VectorRow]]


def search(
    shards: Sequence[str],
    rows: ListRows,
    scored: Callable[[VectorRow], float | None],
    *,
    top_k: int,
    selection: Selection,
    deadline: float | None,
) -> Found:
    """The best rows of all shards, ties by id; a shard that cannot be read is named, and the others answer."""
    matches: list[Match] = []
    failed: dict[str, str] = {}
    for shard in shards:
        try:
            for row in _in_time(rows(shard), deadline):
                value = scored(row) if selects(selection, row) else None
                if value is not None:
                    matches.append(Match(row.id, row.document, row.version, value, shard))
        except EmbedmillError as error:
            failed[shard] = str(error)
        except TimeoutError:
            failed[shard] = "it was too late"
    return Found(best(matches, top_k), failed)


def best(matches: Sequence[Match], top_k: int) -> list[Match]:
    """The first of the matches, best first, ties by id."""
    # By two plain keys, one sort after the other: a key of both is a call and two objects for each.
    return sorted(sorted(matches, key=_ID), key=_SCORE, reverse=True)[:top_k]


def cosine(row: VectorRow, vector: NDArray[np.float32]) -> float:
    """The cosine of a row and a vector; 0 when either is zero."""
    return float(cosines(row.vector[np.newaxis], vector)[0])


def cosines(vectors: NDArray[np.float32], vector: NDArray[np.float32]) -> NDArray[np.float64]:
    """The cosine of each of the vectors, of shape (n, d), and one; 0 where either is zero.

    In 64 bits, and each by itself: a matrix product's last digits depend on which rows stand beside a row.
    """
    wide, query = vectors.astype(np.float64), vector.astype(np.float64)
    lengths = np.sqrt((wide * wide).sum(axis=1) * (query * query).sum())
    dots: NDArray[np.float64] = (wide * query).sum(axis=1)
    found: NDArray[np.float64] = np.divide(dots, lengths, out=np.zeros_like(dots), where=lengths > 0)
    return found


def word_score(row: VectorRow, wording: Wording) -> float | None:
    """The score of a row by its words; None when it holds none of them."""
    return score(counts_of(row), wording) or None


def counts_of(row: VectorRow) -> TermCounts:
    """The words of a row, as every store keeps them."""
    return count_each([row])[0]


def count_each(rows: Iterable[VectorRow]) -> list[TermCounts]:
    """The words of some rows together, which is quicker than of one after the other."""
    return count_few([Words(row.title, row.uri, row.section, row.text) for row in rows])


def selects(selection: Selection, row: VectorRow) -> bool:
    """Whether a search may find the row."""
    if selection.where is not None and not holds(selection.where, fields_of(row)):
        return False
    if not selection.required and not selection.excluded:
        return True
    terms = set(counts_of(row).terms.tolist())
    return all(terms & wanted for wanted in selection.required) and not terms & selection.excluded


def fields_of(row: VectorRow) -> Fields:
    """What conditions may ask of a row."""
    return filtering.fields_of({name: getattr(row, name) for name in filtering.OWN}, row.metadata)


def count(
    shards: Sequence[str],
    rows: ListRows,
    terms: Sequence[int],
    *,
    deadline: float | None,
    within: Condition | None = None,
) -> Counted:
    """Rows, their words, and the rows that hold each term, over all shards that can be read."""
    selection = Selection(within)
    total = words = 0
    holding = dict.fromkeys(terms, 0)
    failed: dict[str, str] = {}
    for shard in shards:
        try:
            counted = [counts_of(row) for row in _in_time(rows(shard), deadline) if selects(selection, row)]
        except EmbedmillError as error:
            failed[shard] = str(error)
            continue
        except TimeoutError:
            failed[shard] = "it was too late"
            continue
        total += len(counted)
        words += sum(row.length for row in counted)
        for row in counted:
            for term in holding.keys() & set(row.terms.tolist()):
                holding[term] += 1
    return Counted(WordCounts(total, words, holding), failed)


def _in_time(rows: Iterator[VectorRow], deadline: float | None) -> Iterator[VectorRow]:
    for row in rows:
        if deadline is not None and time.monotonic() > deadline:
            raise TimeoutError
        yield row
