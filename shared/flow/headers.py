"""What response headers tell of a provider's limits: OpenAI's and Anthropic's names, as dimensions of an allowance."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

MOST_DIGITS = 15
"""Of a number in a header; nothing that is counted has more."""

_NAMES = (
    re.compile(r"x-ratelimit-(?P<what>limit|remaining)-(?P<of>requests|tokens)"),
    re.compile(r"anthropic-ratelimit-(?P<of>requests|input-tokens|output-tokens)-(?P<what>limit|remaining)"),
)
_DIMENSIONS = {"requests": "requests", "tokens": "tokens", "input-tokens": "tokens", "output-tokens": "output"}


@dataclass(frozen=True, slots=True)
class ReportedLimits:
    """Units a minute and units left, by dimension."""

    limits: Mapping[str, int]
    remaining: Mapping[str, int]


def read_limits(headers: Mapping[str, str]) -> ReportedLimits:
    """The limits in response headers; what is absent or unreadable is left out."""
    reported: dict[str, dict[str, int]] = {"limit": {}, "remaining": {}}
    for name, value in headers.items():
        for pattern in _NAMES:
            found = pattern.fullmatch(name.lower())
            count = as_header_count(value)
            if found and count is not None:
                reported[found["what"]][_DIMENSIONS[found["of"]]] = count
    return ReportedLimits(
        {name: limit for name, limit in reported["limit"].items() if limit > 0}, reported["remaining"]
    )


def as_header_count(value: str | None) -> int | None:
    """A count that stands in a header; None for what is none."""
    text = (value or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS else None
