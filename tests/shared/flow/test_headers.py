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


@pytest.mark.parametrize(
    ("reset", "seconds"), [("6m0s", 360), ("1h2m", 3720), ("20ms", 0.02), ("1.5s", 1.5), ("1m", 60), ("soon", None)]
)
def test_openai_says_how_long_a_bucket_takes_to_be_full(reset: str, seconds: float | None) -> None:
    told = read_limits({"x-ratelimit-reset-tokens": reset})
    assert told.resets == ({} if seconds is None else {"tokens": pytest.approx(seconds)})


@pytest.mark.parametrize(
    ("remaining", "reset", "holds"),
    [("4000", "4s", 12_000), ("119000", "0.5s", 120_000), ("100000", "1m0s", 120_000), ("0", "0s", 2000)],
    ids=["six seconds", "a minute", "no more than a minute", "no less than a second"],
)
def test_what_a_bucket_holds_is_told_by_what_is_left_and_when_it_is_full(
    remaining: str, reset: str, holds: int
) -> None:
    headers = {"limit": "120000", "remaining": remaining, "reset": reset}
    told = read_limits({f"x-ratelimit-{what}-tokens": value for what, value in headers.items()})
    assert told.holds == {"tokens": pytest.approx(holds)}


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
