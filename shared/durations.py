"""Durations and times as people write and read them."""

import re
import time
from datetime import UTC, datetime

from embedmill.shared.errors import UsageError

_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_WRITTEN = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|[smhdw]?)")


def parse_duration(text: str) -> float:
    """Seconds from `90`, `200ms`, `15m`, `2h`, `3d` or `1w`; raises ValueError."""
    found = _WRITTEN.fullmatch(text.strip().lower())
    if found is None:
        raise ValueError(f"{text!r} is no duration: write 90, 200ms, 15m, 2h or 3d")
    return float(found[1]) * _UNITS[found[2]]


def format_duration(seconds: float) -> str:
    """A duration in its largest fitting unit: `45 s`, `12 min`, `3.5 h`, `2.0 d`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86400:.1f} d"


def parse_since(text: str) -> float:
    """Seconds since 1970 of a date, a time, or a span before now such as 90m or 7d; raises UsageError.

    A number alone is a date or nothing.
    """
    try:
        if text.endswith(("s", "m", "h", "d", "w")):
            return time.time() - parse_duration(text)
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--since {text!r}: write a date such as 2026-11-25, or a span such as 12h or 7d") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def moment(seconds: float) -> datetime:
    """A point in time in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def format_time(seconds: float) -> str:
    """A point in time in UTC, to the second: `2026-11-29T12:00:00Z`."""
    return moment(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")
