"""The words of rows and queries as sparse vectors."""

import numpy as np

from embedmill.shared.providers.vectorstores.pinecone.wording import MAX_TERMS, PIVOT, asked_for, sparse_of
from embedmill.shared.providers.vectorstores.rows import Selection
from embedmill.shared.words.counts import TermCounts
from embedmill.shared.words.cutting import count_terms
from embedmill.shared.words.weighing import Wording, score


def test_a_product_of_both_is_the_score_where_the_mean_is_the_pivot() -> None:
    held = count_terms(title="Apples", text="apple pie and more apple pie")
    wording = Wording(dict(zip(held.terms.tolist(), np.linspace(0.5, 3, len(held.terms)).tolist(), strict=True)), PIVOT)
    row, asked = sparse_of(held), asked_for(wording.weights, Selection())
    assert row is not None
    assert asked is not None
    assert row["indices"] == asked["indices"]
    np.testing.assert_allclose(np.dot(row["values"], asked["values"]), score(held, wording), rtol=1e-5)


def test_of_a_row_with_too_many_words_those_that_add_most_are_kept() -> None:
    terms = np.arange(1, MAX_TERMS + 201, dtype=np.uint32)
    counts = np.where(terms % 6 == 0, 8, 4).astype(np.uint8)
    row = sparse_of(TermCounts(terms, counts, 5000))
    assert row is not None
    assert len(row["indices"]) == len(row["values"]) == MAX_TERMS
    assert set(terms[counts == 8].tolist()) <= set(row["indices"])
    assert row["indices"] == sorted(row["indices"])


def test_a_row_without_words_has_no_sparse_vector() -> None:
    assert sparse_of(count_terms(text=" ")) is None
    assert asked_for({}, Selection()) is None


def test_what_is_required_comes_first_and_what_is_excluded_last() -> None:
    asked = asked_for(
        {1: 2.0, 2: 3.0}, Selection(required=(frozenset({1}), frozenset({4, 5})), excluded=frozenset({9}))
    )
    assert asked is not None
    weights = dict(zip(asked["indices"], asked["values"], strict=True))
    assert weights == {1: 52.0, 2: 3.0, 4: 50.0, 5: 50.0, 9: -50.0}
