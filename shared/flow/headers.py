"""What response headers tell of a provider's limits: OpenAI's and Anthropic's names, as dimensions of an allowance."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from embedmill.shared.providers.usage import as_header_count

_NAMES = (
    re.compile(r"x-ratelimit-(?P<what>limit|remaining)-(?P<of>requests|tokens)"),
    re.compile(r"anthropic-ratelimit-(?P<of>requests|input-tokens|output-tokens)-(?P<what>limit|remaining)"),
)
_DIMENSIONS = {"requests": "requests", "tokens": "tokens", "input-tokens": "tokens", "output-tokens": "output"}


@dataclass(frozen=True, slots=True)
class Told:
    """Units a minute and units left, by dimension."""

    limits: Mapping[str, int]
    remaining: Mapping[str, int]


def read_limits(headers: Mapping[str, str]) -> Told:
    """The limits in response headers; what is absent or unreadable is left out."""
    told: dict[str, dict[str, int]] = {"limit": {}, "remaining": {}}
    for name, value in headers.items():
        for pattern in _NAMES:
            found = pattern.fullmatch(name.lower())
            count = as_header_count(value)
            if found and count is not None:
                told[found["what"]][_DIMENSIONS[found["of"]]] = count
    return Told({name: limit for name, limit in told["limit"].items() if limit > 0}, told["remaining"])
