"""Dollars for people: as many digits as a sum needs."""

import pytest

from embedmill.console.dollars import format_usd


@pytest.mark.parametrize(
    ("usd", "told"),
    [
        (0, "$0.00"),
        (12.3456, "$12.35"),
        (1, "$1.00"),
        (0.5, "$0.50"),
        (0.007792, "$0.00779"),
        (0.25, "$0.25"),
        (0.000002, "$0.000002"),
        (0.0010, "$0.001"),
        (0.123456, "$0.123"),
        (1234.5, "$1234.50"),
        (None, "unpriced"),
    ],
)
def test_small_sums_are_shown_with_the_digits_that_they_need(usd: float | None, told: str) -> None:
    assert format_usd(usd) == told
