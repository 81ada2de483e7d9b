"""Since when spend is summed: a date, a time, or a span before now."""

import time
from datetime import UTC, datetime

import pytest

from console.spending import _since
from shared.errors import UserError


@pytest.mark.parametrize(
    ("span", "seconds"), [("90m", 5400), ("12h", 43_200), ("7d", 604_800), ("1.5h", 5400), ("90s", 90)]
)
def test_a_span_is_before_now(span: str, seconds: int) -> None:
    assert _since(span) == pytest.approx(time.time() - seconds, abs=60)


@pytest.mark.parametrize("date", ["2026-11-25", "20261125", "2026-11-25T00:00:00Z", "2026-11-25T01:00:00+01:00"])
def test_a_date_begins_at_midnight_in_utc_unless_it_says_otherwise(date: str) -> None:
    assert _since(date) == datetime(2026, 11, 25, tzinfo=UTC).timestamp()


@pytest.mark.parametrize("text", ["", "2026", "90", "yesterday", "12x"])
def test_what_is_neither_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="--since"):
        _since(text)
