"""Owns how dates are read: ISO 8601 as people and machines write it, without a zone in UTC.

A text is a date as a whole or not at all: `2026-11`, `2026-11-29`, `2026-11-29T14:30`, `2026-11-29 14:30:05.25+02:00`.
Digits beyond microseconds are cut off.
"""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date

_DATE = re.compile(
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})(?:-(?P<day>[0-9]{2})"
    r"(?:[Tt ](?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,9}))?)?"
    r"(?P<zone>[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?)?)?"
)
_LONGEST = 40
_EPOCH_DAY = date(1970, 1, 1).toordinal()
MICROSECONDS = 1_000_000
DAY = 86_400 * MICROSECONDS


@dataclass(frozen=True, slots=True)
class Period:
    """What a date stands for: its first and its last microsecond since 1970 in UTC."""

    first: int
    last: int


def read_date(text: str) -> Period | None:
    """The month, day, minute, second or fraction of one that the text names; None for a text that is no date."""
    found = _DATE.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None:
        return None
    year, month, day = int(found["year"]), int(found["month"]), int(found["day"] or 1)
    if year < 1 or not 1 <= month <= 12 or not 1 <= day <= monthrange(year, month)[1]:
        return None
    midnight = (date(year, month, day).toordinal() - _EPOCH_DAY) * DAY
    if found["day"] is None:
        return _period(midnight, monthrange(year, month)[1] * DAY)
    if found["hour"] is None:
        return _period(midnight, DAY)
    return _read_time(found, midnight)


def read_year(year: int) -> Period | None:
    """The whole of a year of four digits."""
    if not 1000 <= year <= 9999:
        return None
    first = (date(year, 1, 1).toordinal() - _EPOCH_DAY) * DAY
    return _period(first, (date(year, 12, 31).toordinal() - date(year, 1, 1).toordinal() + 1) * DAY)


def _read_time(found: re.Match[str], midnight: int) -> Period | None:
    hour, minute, second = int(found["hour"]), int(found["minute"]), int(found["second"] or 0)
    ahead = _minutes_ahead(found["zone"] or "Z")
    if hour > 23 or minute > 59 or second > 59 or ahead is None:
        return None
    seconds = (hour * 60 + minute - ahead) * 60 + second
    fraction = (found["fraction"] or "")[:6]
    length = MICROSECONDS * (1 if found["second"] else 60) // 10 ** len(fraction)
    return _period(midnight + seconds * MICROSECONDS + int(fraction.ljust(6, "0")), length)


def _minutes_ahead(zone: str) -> int | None:
    """How many minutes a zone is ahead of UTC."""
    if zone in "Zz":
        return 0
    hours, minutes = int(zone[1:3]), int(zone[-2:]) if len(zone) > 3 else 0
    ahead = 60 * hours + minutes
    return None if hours > 23 or minutes > 59 else -ahead if zone[0] == "-" else ahead


def _period(first: int, length: int) -> Period:
    return Period(first, first + length - 1)
