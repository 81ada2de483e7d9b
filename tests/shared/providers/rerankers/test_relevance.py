"""What of a reranker's list is believed."""

import math
from typing import Any

import pytest

from embedmill.shared.providers.rerankers.base import credible, read_relevance


@pytest.mark.parametrize(
    ("pairs", "believed", "flaws"),
    [
        ([(1, 0.9), (0, 0.2)], {1: 0.9, 0: 0.2}, {}),
        ([(0, 0), (1, 1)], {0: 0.0, 1: 1.0}, {}),
        ([(0, 0.5), (0, 0.5)], {0: 0.5}, {"repeated": 1}),
        ([(0, 0.5), (0, 0.6), (1, 0.1)], {1: 0.1}, {"contradicted": 1}),
        ([(0, 0.5), (0, 0.6), (0, 0.5)], {}, {"contradicted": 1, "repeated": 1}),
        ([(2, 0.5), (-1, 0.5), (0, 0.5)], {0: 0.5}, {"foreign": 2}),
        ([(True, 0.5), ("0", 0.5), (0.0, 0.5), (None, 0.5)], {}, {"foreign": 4}),
        ([(0, math.nan), (1, math.inf)], {}, {"out_of_range": 2}),
        ([(0, 10**400)], {}, {"out_of_range": 1}),
        ([(0, 1.1), (1, -0.1)], {}, {"out_of_range": 2}),
        ([(0, "0.5"), (1, None)], {}, {"out_of_range": 2}),
        ([(0, True)], {}, {"out_of_range": 1}),
        ([], {}, {}),
    ],
)
def test_only_what_can_be_is_believed(
    pairs: list[tuple[Any, Any]], believed: dict[int, float], flaws: dict[str, int]
) -> None:
    assert read_relevance(pairs, 2) == (believed, flaws)


@pytest.mark.parametrize(("said", "believed"), [(1, 1), (100, 100), (0, None), (-3, None), (10**9, None), (None, None)])
def test_units_that_no_request_takes_are_not_believed(said: int | None, believed: int | None) -> None:
    assert credible(said) == believed
