"""Dollars for people: as many digits as a sum needs."""

import pytest

from embedmill.console.dollars import format_usd, parse_usd


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


@pytest.mark.parametrize("text", ["1e400", "1e300", "1000000000.01", "$1e10"])
def test_more_than_anybody_has_is_refused_with_the_most(text: str) -> None:
    with pytest.raises(ValueError, match=r"too much: the most is 1,000,000,000 dollars"):
        parse_usd(text)


def test_what_is_too_little_to_be_counted_is_no_limit_of_nothing() -> None:
    with pytest.raises(ValueError, match="0 stops"):
        parse_usd("0.0000001")


@pytest.mark.parametrize("text", ["inf", "nan", "-1", "-1e400", "many", ""])
def test_what_is_no_sum_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no amount"):
        parse_usd(text)
