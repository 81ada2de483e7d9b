"""Durations as people write and read them."""

import pytest

from embedmill.shared.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90.0), ("1.5", 1.5), ("200ms", 0.2), ("45s", 45.0), ("15m", 900.0), ("2h", 7200.0), ("3d", 259_200.0)],
)
def test_a_duration_is_seconds_or_has_a_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "soon", "-5", "3 weeks", "1h30m", "nan"])
def test_anything_else_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="15m"):
        parse_duration(text)


@pytest.mark.parametrize(("seconds", "text"), [(5, "5 s"), (600, "10 min"), (9000, "2.5 h"), (259_200, "3.0 d")])
def test_a_duration_is_shown_in_a_unit_that_fits(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
