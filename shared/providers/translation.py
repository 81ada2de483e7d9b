"""Translates what a vendor's HTTP API answers into our errors: one table, used at the edge of every adapter.

A vendor's own message may quote a document or half a key, so ours names the status and the vendor's error code only,
and the code only where it can be nothing else (`codes`).
"""

import json
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

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
from embedmill.shared.vendor_codes import shown_code

RATE_SECONDS, CIRCUIT_SECONDS, BUDGET_SECONDS = 5.0, 15.0, 300.0
"""How long to wait when the vendor does not say."""
UNBELIEVED_SECONDS = 3600.0
"""A Retry-After of more than a day is not believed: it is asked again after so long."""

OVERLOADED = 529
LIMITS = "ratelimit-"
"""Is in the names of headers that tell of limits."""
NEVER_SENT = frozenset({"ConnectError", "ConnectTimeout", "UnsupportedProtocol"})
NOT_NOW = frozenset({408, 409, 424})
REDIRECTIONS = range(300, 400)
"""Are not followed: they would take texts to an address that nobody named."""
QUOTA_CODES = frozenset(
    {
        "billing_error",
        "billing_hard_limit_reached",
        "credit_balance_exhausted",
        "enforced_spend_limit_reached",
        "insufficient_quota",
    }
)
"""Say that money has run out, whatever status they come with: waiting for the rate to recover would not help."""
KEY_CODES = frozenset(
    {
        "authentication_error",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
"""Say that the key is not accepted, whatever status they come with: AWS says so with 403 and with 400."""
TOO_LONG_CODES = frozenset({"context_length_exceeded", "max_tokens_per_request", "request_too_large"})
TOO_LONG = re.compile(
    r"maximum context length|too (long|large|many (input )?tokens)|exceed\w* .*(token|length)", re.IGNORECASE
)
OUT_OF_MONEY = re.compile(r"credit balance|(spend|spending|usage|billing) limit", re.IGNORECASE)
"""What Anthropic says with status 400 and no code of its own; a refused text would be taken for poison."""
OVER_A_MINUTE = re.compile(r"request too large", re.IGNORECASE)
"""A 429 that no waiting helps: the request alone is above what OpenAI allows the account in a minute."""


def error_of(
    status: int,
    *,
    provider: str,
    credentials: str,
    code: str = "",
    message: str = "",
    headers: Mapping[str, str] | None = None,
) -> EmbedmillError:
    """The error that an answer with this status means.

    `credentials` names the environment variables that hold the key; `message` is looked at and never shown.
    """
    shown = shown_code(code)
    told = f"{provider} answered {status}{f' ({shown})' if shown else ''}"
    if status in REDIRECTIONS:
        told = f"{told}: it points to another address, and nothing is sent there; check the one that is set"
    retry_after = retry_after_seconds(headers or {})
    if status == 402 or code in QUOTA_CODES or (status in (400, 403) and OUT_OF_MONEY.search(message)):
        return _wait(f"{told}: no credit is left", "budget", retry_after, BUDGET_SECONDS)
    if status == 401 or code in KEY_CODES:
        return KeyRefused(f"{told}: it does not accept the key; check {credentials}")
    match status:
        case 429 if OVER_A_MINUTE.search(message):
            return InputTooLong(f"{told}: more than the account may send in a minute")
        case 429:
            return _wait(told, "rate", retry_after, RATE_SECONDS, headers)
        case _ if status == OVERLOADED or (status == 503 and retry_after is not None):
            return _wait(told, "circuit", retry_after, CIRCUIT_SECONDS)
        case _ if status >= 500 or status in NOT_NOW or status in REDIRECTIONS:
            return ProviderUnavailable(told, may_be_billed=status == 504)
        case _ if status >= 400:
            return _refusal(
                status, told, credentials, too_long=code in TOO_LONG_CODES or bool(TOO_LONG.search(message))
            )
    return unreadable(provider)


def _refusal(status: int, told: str, credentials: str, *, too_long: bool) -> EmbedmillError:
    match status:
        case 400 | 422:
            return InputTooLong(told) if too_long else InputRefused(told)
        case 413:
            return InputTooLong(told)
        case 403:
            # May be about one text, behind a vendor's firewall: poison must not make everybody wait.
            return ProviderRefused(f"{told}: check what the key in {credentials} may be used for")
    return ProviderRefused(f"{told}: check the model's name and the address")


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """What Retry-After-Ms or Retry-After ask for, as seconds from now; None when they are absent or make no sense.

    A negative wait and a date that is past make none; a wait of more than a day becomes one of an hour.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return _believed(float(lower[name]) * unit)
        except (KeyError, ValueError):
            continue
    try:
        return _believed(parsedate_to_datetime(lower["retry-after"]).timestamp() - time.time())
    except (KeyError, ValueError, OverflowError):
        return None


def read_json(content: bytes) -> Any:
    """What an answer holds; raises ValueError. NaN and infinity are read too, and found by whoever looks at them."""
    try:
        return orjson.loads(content)
    except ValueError:
        return json.loads(content)


def unreadable(provider: str) -> ProviderUnavailable:
    """The error for an answer that is not what the API promises: it was most likely billed."""
    return ProviderUnavailable(f"{provider} answered with something unreadable")


def was_never_sent(error: BaseException) -> bool:
    """Whether a request certainly did not leave, by what the HTTP library below an SDK's error says."""
    return type(error.__cause__).__name__ in NEVER_SENT


def broken_connection(error: BaseException, provider: str) -> ProviderUnavailable:
    """The error for what an SDK says of a connection; what we raised ourselves while it read is within."""
    if isinstance(error.__cause__, ProviderUnavailable):
        return error.__cause__
    told = f"{provider} could not be reached or broke off"
    return ProviderUnavailable(told, may_be_billed=not was_never_sent(error))


def _wait(
    message: str, reason: str, asked: float | None, otherwise: float, headers: Mapping[str, str] | None = None
) -> FlowControl:
    seconds = otherwise if asked is None else asked
    error = FlowControl(message, reason=reason, retry_after_seconds=seconds)
    error.headers = {name: value for name, value in (headers or {}).items() if LIMITS in name.lower()}
    return error


def _believed(seconds: float) -> float:
    if not seconds >= 0:  # not a number is neither
        raise ValueError
    return seconds if seconds <= LONGEST_WAIT_SECONDS else UNBELIEVED_SECONDS
