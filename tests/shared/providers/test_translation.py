"""The table that turns a vendor's status into our error."""

import time
from email.utils import formatdate

import pytest

from embedmill.shared.errors import (
    LONGEST_WAIT_SECONDS,
    EmbedmillError,
    FlowControl,
    InputRefused,
    InputTooLong,
    KeyRefused,
    ProviderRefused,
    ProviderUnavailable,
)
from embedmill.shared.providers.translation import (
    BUDGET_SECONDS,
    RATE_SECONDS,
    UNBELIEVED_SECONDS,
    error_of,
    retry_after_seconds,
)


def translated(status: int, code: str = "", message: str = "", **headers: str) -> EmbedmillError:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return error_of(status, provider="acme", credentials="ACME_KEY", code=code, message=message, headers=named)


@pytest.mark.parametrize(
    "message",
    [
        "Your credit balance is too low to access the API. Please go to Plans & Billing to purchase credits.",
        "You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC.",
    ],
)
def test_a_refusal_that_speaks_of_money_waits_and_blames_no_text(message: str) -> None:
    error = translated(400, "invalid_request_error", message)
    assert isinstance(error, FlowControl)
    assert (error.reason, error.retry_after_seconds) == ("budget", BUDGET_SECONDS)
    assert "Billing" not in str(error)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "", InputRefused),
        (400, "context_length_exceeded", InputTooLong),
        (401, "", KeyRefused),
        (401, "invalid_api_key", KeyRefused),
        (403, "UnrecognizedClientException", KeyRefused),
        (403, "InvalidSignatureException", KeyRefused),
        (403, "ExpiredTokenException", KeyRefused),
        (403, "AccessDeniedException", ProviderRefused),
        (400, "IncompleteSignature", KeyRefused),
        (403, "", ProviderRefused),
        (404, "model_not_found", ProviderRefused),
        (408, "", ProviderUnavailable),
        (409, "", ProviderUnavailable),
        (413, "", InputTooLong),
        (422, "", InputRefused),
        (424, "", ProviderUnavailable),
        (500, "", ProviderUnavailable),
        (502, "", ProviderUnavailable),
        (503, "", ProviderUnavailable),
        (504, "", ProviderUnavailable),
        (200, "", ProviderUnavailable),
        (302, "", ProviderUnavailable),
    ],
)
def test_every_status_has_its_error(status: int, code: str, kind: type[EmbedmillError]) -> None:
    assert type(translated(status, code)) is kind


@pytest.mark.parametrize(
    ("status", "code", "headers", "reason", "seconds"),
    [
        (429, "", {"retry_after": "7"}, "rate", 7),
        (429, "", {"retry_after": "7", "retry_after_ms": "1500"}, "rate", 1.5),
        (429, "", {}, "rate", RATE_SECONDS),
        (429, "", {"retry_after": "soon"}, "rate", RATE_SECONDS),
        (429, "", {"retry_after": "-3"}, "rate", RATE_SECONDS),
        (429, "", {"retry_after": "0"}, "rate", 0),
        (429, "", {"retry_after": "5400"}, "rate", 5400),
        (429, "", {"retry_after": "86400"}, "rate", LONGEST_WAIT_SECONDS),
        (429, "", {"retry_after": "86401"}, "rate", UNBELIEVED_SECONDS),
        (429, "", {"retry_after": "inf"}, "rate", UNBELIEVED_SECONDS),
        (429, "", {"retry_after": "Fri, 31 Dec 9999 23:59:59 GMT"}, "rate", UNBELIEVED_SECONDS),
        (429, "", {"retry_after": "Thu, 01 Jan 1970 00:00:00 GMT"}, "rate", RATE_SECONDS),
        (429, "", {"retry_after": "Fri, 99 Dec 99999 23:59:59 GMT"}, "rate", RATE_SECONDS),
        (429, "", {"retry_after": "nan"}, "rate", RATE_SECONDS),
        (503, "", {"retry_after": "20"}, "circuit", 20),
        (529, "", {"retry_after": "3"}, "circuit", 3),
        (402, "", {}, "budget", BUDGET_SECONDS),
        (429, "insufficient_quota", {}, "budget", BUDGET_SECONDS),
        (429, "enforced_spend_limit_reached", {}, "budget", BUDGET_SECONDS),
    ],
)
def test_what_is_to_wait_says_why_and_how_long(
    status: int, code: str, headers: dict[str, str], reason: str, seconds: float
) -> None:
    error = translated(status, code, **headers)
    assert isinstance(error, FlowControl)
    assert (error.reason, error.retry_after_seconds) == (reason, seconds)


def test_a_date_is_seconds_from_now() -> None:
    asked = retry_after_seconds({"Retry-After": formatdate(time.time() + 90, usegmt=True)})
    assert asked is not None
    assert asked == pytest.approx(90, abs=3)
    assert retry_after_seconds({"Retry-After": formatdate(time.time() - 90, usegmt=True)}) is None
    assert retry_after_seconds({}) is None


@pytest.mark.parametrize(
    "message",
    [
        "This model's maximum context length is 8192 tokens, however you requested 9000 tokens",
        "too many tokens: size limit exceeded",
        "Too many input tokens. Max input tokens: 8192",
        "prompt is too long: 1200000 tokens > 1000000 maximum",
    ],
)
def test_a_message_about_length_is_understood(message: str) -> None:
    assert isinstance(translated(400, message=message), InputTooLong)


def test_a_request_above_a_whole_minutes_allowance_is_split_and_not_awaited() -> None:
    told = "Request too large for text-embedding-3-small on tokens per min (TPM): Limit 5000, Requested 9000."
    assert isinstance(translated(429, "rate_limit_exceeded", told, retry_after="1"), InputTooLong)


def test_neither_texts_nor_keys_get_into_a_message() -> None:
    told = "Incorrect API key provided: sk-abc; the text was: Dear Ms Smith"
    for status in (400, 401, 404, 413, 429, 500):
        error = translated(status, "bad code <script>", told)
        assert "sk-abc" not in str(error)
        assert "Smith" not in str(error)
        assert "<" not in str(error)
    assert "ACME_KEY" in str(translated(401))


@pytest.mark.parametrize("code", ["Dear Ms Smith, about the merger with Acme", "the_merger_with_smith", "Smith"])
@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413, 429, 500, 503])
def test_a_text_in_the_place_of_a_code_is_not_in_the_message(status: int, code: str) -> None:
    assert str(translated(status, code)) == str(translated(status))


def test_a_refused_key_is_waited_for_and_says_which_one_it_is() -> None:
    error = translated(401, "invalid_api_key", "Incorrect API key provided: sk-abc")
    assert isinstance(error, KeyRefused)
    assert (error.reason, error.retry_after_seconds) == ("key", 60)
    assert str(error) == "acme answered 401 (invalid_api_key): it does not accept the key; check ACME_KEY"
    assert "restart the workers" in error.hint


def test_what_may_have_been_carried_out_may_have_been_billed() -> None:
    billed = {status: getattr(translated(status), "may_be_billed", None) for status in (500, 503, 504, 200)}
    assert billed == {500: False, 503: False, 504: True, 200: True}
