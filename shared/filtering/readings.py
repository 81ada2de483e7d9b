"""Owns how a value of metadata is read, and what a condition's value asks of it: the one meaning for every store.

A value is read on several axes at once: a text is a text, and where it is written as a number, a date, or true or false
it is that too, since tables (CSV) and file properties have nothing but texts. What a condition names decides the axis:
`year >= 2020` asks for numbers, `day >= 2020-05-01` for dates, `lang = "en"` for texts.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal
from unicodedata import normalize

from embedmill.shared.filtering.dates import read_date, read_year

Value = str | int | float | bool
Operator = Literal["=", "!=", "<", "<=", ">", ">="]
Axis = Literal["text", "number", "moment", "truth"]
Reading = Mapping[Axis, Any]
"""A value on every axis on which it is one: a text in NFC, a number, microseconds since 1970, 0 or 1."""

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,19})(?P<rest>(?:\.[0-9]{1,20})?(?:[eE][+-]?[0-9]{1,3})?)")
SHORT = 64
"""Characters of a text that is likely to come again."""
_FIRST = frozenset("-0123456789")
_TRUTHS = {"true": 1, "false": 0}


@dataclass(frozen=True, slots=True)
class Range:
    """Part of an axis, its ends included unless they are open; an end that is None is none."""

    axis: Axis
    low: Any = None
    high: Any = None
    open: bool = False

    @property
    def is_point(self) -> bool:
        """Whether one value is in it, and no other."""
        return self.low is not None and self.low == self.high and not self.open

    def holds(self, reading: Reading) -> bool:
        """Whether a value lies in it."""
        value = reading.get(self.axis)
        if value is None:
            return False
        if self.open:
            return (self.low is None or value > self.low) and (self.high is None or value < self.high)
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


def read(value: Any) -> Reading:
    """A value on its axes; none for null, for what is nested, and for a number that is none."""
    match value:
        case bool():
            return {"truth": int(value)}
        case str():
            return _read_short(value) if len(value) <= SHORT else _read_text(value)
        case int():
            return {"number": value}
        case float() if math.isfinite(value):
            return {"number": value}
    return {}


def _read_text(value: str) -> Reading:
    text = normalize("NFC", value)
    if (number := read_number(text)) is not None:
        return {"text": text, "number": number}
    if (period := read_date(text)) is not None:
        return {"text": text, "moment": period.first}
    if (truth := _TRUTHS.get(text.lower())) is not None:
        return {"text": text, "truth": truth}
    return {"text": text}


_read_short = lru_cache(4096)(_read_text)


def read_number(text: str) -> int | float | None:
    """The number that a text is, as JSON writes them; `007` is none."""
    found = _NUMBER.fullmatch(text) if text[:1] in _FIRST else None
    if found is None:
        return None
    number = float(text) if found["rest"] else int(text)
    return number if math.isfinite(number) else None


def ranges(operator: Operator, value: Value) -> tuple[Range, ...]:
    """Where a value has to lie to be `operator value`, in any of these; `!=` is the opposite of `=` and not asked here.

    Dates are periods: what is after a day is after its last moment. A number of four digits is a year too, for dates.
    """
    match value:
        case bool():
            return (Range("truth", int(value), int(value)),) if operator == "=" else ()
        case str():
            text = normalize("NFC", value)
            period = read_date(text)
            return (_range("text", operator, text, text) if period is None else _range_of(operator, period),)
        case float() if not math.isfinite(value):
            return ()
    year = read_year(value) if isinstance(value, int) else None
    numbers = _range("number", operator, value, value)
    return (numbers,) if year is None else (numbers, _range_of(operator, year))


def _range_of(operator: Operator, period: Any) -> Range:
    return _range("moment", operator, period.first, period.last)


def _range(axis: Axis, operator: Operator, first: Any, last: Any) -> Range:
    match operator:
        case "<":
            return Range(axis, high=first, open=True)
        case "<=":
            return Range(axis, high=last)
        case ">":
            return Range(axis, low=last, open=True)
        case ">=":
            return Range(axis, low=first)
    return Range(axis, first, last)
