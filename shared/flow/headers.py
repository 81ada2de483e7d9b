"""What response headers tell of a provider's limits: OpenAI's and Anthropic's names, as dimensions of an allowance.

OpenAI says in how many seconds a bucket is full again. So it is known how much it holds: a vendor may enforce the limit
of a minute over shorter spans. Anthropic says at what time, by a clock that is not ours, and nothing is made of that.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

MOST_DIGITS = 15
"""Of a number in a header; nothing that is counted has more."""

_NAMES = (
    re.compile(r"x-ratelimit-(?P<what>limit|remaining|reset)-(?P<of>requests|tokens)"),
    re.compile(r"anthropic-ratelimit-(?P<of>requests|input-tokens|output-tokens)-(?P<what>limit|remaining)"),
)
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")
_UNITS = (3600.0, 60.0, 1.0, 0.001)
SHORTEST_SPAN_SECONDS, MINUTE_SECONDS = 1.0, 60.0
"""Over no shorter span than the first is a limit of a minute taken to be enforced, whatever headers say."""
_DIMENSIONS = {"requests": "requests", "tokens": "tokens", "input-tokens": "tokens", "output-tokens": "output"}


@dataclass(frozen=True, slots=True)
class ReportedLimits:
    """Units a minute, units left, and the seconds until nothing is missing, by dimension."""

    limits: Mapping[str, int]
    remaining: Mapping[str, int]
    resets: Mapping[str, float] = field(default_factory=dict)

    @property
    def holds(self) -> dict[str, float]:
        """What the provider's buckets hold at most, where that can be told."""
        return {
            name: min(max(self.remaining[name] + seconds * self._rate(name), self._rate(name)), self.limits[name])
            for name, seconds in self.resets.items()
            if name in self.limits and name in self.remaining
        }

    def _rate(self, name: str) -> float:
        """Units a second, which are also those of the shortest span."""
        return self.limits[name] * SHORTEST_SPAN_SECONDS / MINUTE_SECONDS


def read_limits(headers: Mapping[str, str]) -> ReportedLimits:
    """The limits in response headers; what is absent or unreadable is left out."""
    reported: dict[str, dict[str, int]] = {"limit": {}, "remaining": {}}
    resets: dict[str, float | None] = {}
    for name, value in headers.items():
        for pattern in _NAMES:
            found = pattern.fullmatch(name.lower())
            if found is None:
                continue
            dimension, count = _DIMENSIONS[found["of"]], as_header_count(value)
            if found["what"] == "reset":
                resets[dimension] = as_seconds(value)
            elif count is not None:
                reported[found["what"]][dimension] = count
    limits = {name: limit for name, limit in reported["limit"].items() if limit > 0}
    told = {name: seconds for name, seconds in resets.items() if seconds is not None}
    return ReportedLimits(limits, reported["remaining"], told)


def as_seconds(value: str | None) -> float | None:
    """A duration as OpenAI writes it, 6m0s, 1.5s or 20ms; None for what is none."""
    text = (value or "").strip()
    found = _DURATION.fullmatch(text) if text and len(text) <= MOST_DIGITS else None
    if found is None:
        return None
    return sum(float(part) * unit for part, unit in zip(found.groups(), _UNITS, strict=True) if part)


def as_header_count(value: str | None) -> int | None:
    """A count that stands in a header; None for what is none."""
    text = (value or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS else None
