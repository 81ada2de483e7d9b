"""Words of many rows counted together."""

import numpy as np
import pytest

from embedmill.shared.words.counts import TermCounts
from embedmill.shared.words.tallies import NOTHING, WordTally
from embedmill.shared.words.weighing import WordCounts


def row(*terms: int) -> TermCounts:
    return TermCounts(np.array(sorted(terms), np.uint32), np.full(len(terms), 4, np.uint8), len(terms) + 1)


def test_rows_are_counted_by_the_terms_that_they_hold() -> None:
    tally = WordTally.of([row(1, 2**32 - 1), row(1, 7)])
    assert tally.counts_of([7, 1, 2**32 - 1, 5]) == WordCounts(2, 6, {7: 1, 1: 2, 2**32 - 1: 1, 5: 0})
    assert NOTHING.counts_of([3]) == WordCounts(0, 0, {3: 0})


def test_what_is_added_and_taken_away_leaves_nothing() -> None:
    some, more = WordTally.of([row(1, 2)]), WordTally.of([row(2, 3), row(3)])
    both = WordTally.total([some, more])
    assert both.counts_of([1, 2, 3]) == WordCounts(3, 8, {1: 1, 2: 2, 3: 2})
    left = WordTally.total([both, some.negative()])
    assert left.counts_of([1, 2, 3]) == more.counts_of([1, 2, 3])
    assert 1 not in left.terms
    assert WordTally.total([left, more.negative()]).is_nothing
    assert WordTally.total([]).is_nothing


@pytest.mark.parametrize("tally", [NOTHING, WordTally.of([row(1, 9), row(9)]), WordTally.of([row(5)]).negative()])
def test_a_packed_tally_is_the_same(tally: WordTally) -> None:
    found = WordTally.unpack(tally.rows, tally.words, tally.pack())
    assert (found.rows, found.words, found.terms.tolist(), found.holding.tolist()) == (
        tally.rows, tally.words, tally.terms.tolist(), tally.holding.tolist()
    )  # fmt: skip
