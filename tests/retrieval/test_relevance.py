"""How near a hit is by itself, and what the nearest say of an answer."""

import pytest

from embedmill.retrieval.relevance import GOOD, WEAK, Calibration, Relevance, relevance
from embedmill.shared.words.counts import TermCounts
from embedmill.shared.words.cutting import count_terms
from embedmill.shared.words.queries import most_of_words, parse_query, weigh
from embedmill.shared.words.weighing import WordCounts, score

CURVE = Calibration(12.0, 6.0, -6.0)


def test_a_similarity_is_between_0_and_1_and_grows_with_both() -> None:
    grid = [[CURVE.similarity(cosine=c / 10, words=w / 10) for w in range(11)] for c in range(-10, 11)]
    assert all(0 <= value <= 1 for row in grid for value in row)
    assert all(row == sorted(row) for row in grid)
    assert all(list(column) == sorted(column) for column in zip(*grid, strict=True))
    assert grid[0][0] < 0.001
    assert grid[-1][-1] > 0.999


def test_a_similarity_has_no_overflow() -> None:
    assert Calibration(1e6, 0, 0).similarity(cosine=-1, words=0) == 0
    assert Calibration(1e6, 0, 0).similarity(cosine=1, words=0) == 1


@pytest.mark.parametrize(
    ("similarities", "expected"),
    [
        ([], Relevance.NONE),
        ([0.0, WEAK - 0.01], Relevance.NONE),
        ([0.0, WEAK], Relevance.WEAK),
        ([GOOD - 0.01, WEAK], Relevance.WEAK),
        ([0.1, GOOD, 0.1], Relevance.GOOD),
    ],
)
def test_the_nearest_hit_says_how_good_an_answer_is(similarities: list[float], expected: Relevance) -> None:
    assert relevance(similarities) is expected


def share(query: str, row: TermCounts, counted: WordCounts) -> float:
    parsed = parse_query(query)
    return score(row, weigh(parsed, counted)) / most_of_words(parsed, counted)


def test_words_that_no_row_holds_count_too() -> None:
    row = count_terms(text="the boiler is in the boiler room and so on")
    rows_with = {term: rows for word, rows in (("boiler", 5), ("room", 50)) for term in parse_query(word).terms}
    counted = WordCounts(100, 1000, {term: rows_with[term] for term in row.terms.tolist() if term in rows_with})
    known, unknown = share("boiler room", row, counted), share("boiler zxqv", row, counted)
    assert 0 < share("zxqv room", row, counted) < unknown < known < 1
    assert share("zxqv blorp", row, counted) == 0
    assert most_of_words(parse_query("…"), counted) == 0
