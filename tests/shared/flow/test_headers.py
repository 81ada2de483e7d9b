"""What response headers tell of limits."""

import pytest

from embedmill.shared.flow.headers import read_limits


def test_openai_headers_are_read() -> None:
    told = read_limits(
        {
            "X-RateLimit-Limit-Requests": "60",
            "x-ratelimit-remaining-tokens": "149984",
            "x-ratelimit-limit-tokens": "150000",
            "x-ratelimit-reset-tokens": "6m0s",
        }
    )
    assert told.limits == {"requests": 60, "tokens": 150_000}
    assert told.remaining == {"tokens": 149_984}


def test_anthropic_headers_are_read_by_direction() -> None:
    told = read_limits(
        {
            "anthropic-ratelimit-input-tokens-limit": "2000000",
            "anthropic-ratelimit-output-tokens-remaining": "17",
            "anthropic-ratelimit-input-tokens-reset": "2026-11-25T00:00:00Z",
        }
    )
    assert told.limits == {"tokens": 2_000_000}
    assert told.remaining == {"output": 17}


def test_what_makes_no_sense_is_left_out() -> None:
    told = read_limits({"x-ratelimit-limit-tokens": "many", "x-ratelimit-limit-requests": "0"})
    assert told.limits == {} and told.remaining == {}


@pytest.mark.parametrize("nonsense", ["-5", "nan", "1e9", "", "²", "9" * 40, "12.5", "None"])
def test_a_number_that_is_none_holds_nobody_up(nonsense: str) -> None:
    headers = {f"x-ratelimit-{what}-tokens": nonsense for what in ("limit", "remaining", "reset")}
    told = read_limits({**headers, "anthropic-ratelimit-requests-remaining": nonsense})
    assert (told.limits, told.remaining) == ({}, {})
