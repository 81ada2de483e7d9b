"""Reads what a provider says of its rate limits: when it allows the next call, and how much is left."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# A hostile or broken header must not park work for a year.
LONGEST_SECONDS = 3600.0


def retry_after_seconds(headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """Seconds from `retry-after-ms` or `retry-after` (seconds or an HTTP date), at most an hour; None without one."""
    seconds = _number(headers.get("retry-after-ms"))
    if seconds is not None:
        return _bounded(seconds / 1000)
    told = headers.get("retry-after")
    seconds = _number(told)
    if seconds is None and told:
        seconds = _until(told, now or datetime.now(UTC))
    return None if seconds is None else _bounded(seconds)


def rate_limits(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers about rate limits, lower-case, as any of the vendors spells them."""
    return {name.lower(): value for name, value in headers.items() if "ratelimit" in name.lower()}


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if number == number else None  # noqa: PLR0124 - NaN is a number to float() and to nobody else


def _until(text: str, now: datetime) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now.timestamp()


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), LONGEST_SECONDS)
