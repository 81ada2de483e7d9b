"""Owns how a row's fields are kept in Postgres, and a filter in its words.

The column `fields` has each field's values by axis, as `{"year": {"number": [2021]}}`, read as every store reads them
(`shared/filtering`): Postgres compares, and knows nothing of dates, zones or texts that are numbers. What is asked for
by its value is found by the column's index; ranges and globs are asked of each row.
"""

import json
import re
from collections.abc import Mapping
from itertools import count
from typing import Any

from embedmill.shared.filtering.conditions import (
    All,
    AnyOf,
    Compare,
    Condition,
    Exists,
    IsOneOf,
    Not,
    Resembles,
    ranges_of,
)
from embedmill.shared.filtering.fields import fields_of
from embedmill.shared.filtering.readings import Range
from embedmill.shared.globs import Glob

_ESCAPE = str.maketrans({"\0": "\x01\x01", "\x01": "\x01\x02"})
_ANY = "(\x01.|[^\x01])"
"""One character as it is kept."""
_BUT = re.compile(r"\[\^((?:\\.|[^\]\\])*)\]", re.DOTALL)


def keep(own: Mapping[str, Any], metadata: Mapping[str, Any]) -> str:
    """A row's fields as the column takes them."""
    return _json({_kept(name): _by_axis(readings) for name, readings in fields_of(own, metadata).items()})


def _by_axis(readings: tuple[Mapping[Any, Any], ...]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for reading in readings:
        for axis, value in reading.items():
            found.setdefault(axis, []).append(_kept(value))
    return found


def _kept(value: Any) -> Any:
    """A value as it is kept: in the order of values, without NUL, and a whole number with all of its digits."""
    if isinstance(value, str):
        return value.translate(_ESCAPE)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


class Translation:
    """A condition in SQL over `fields`, and its parameters; true or false, never NULL."""

    def __init__(self, condition: Condition) -> None:
        self.parameters: dict[str, Any] = {}
        self._numbers = count()
        self.sql = self._say(condition)

    def _say(self, condition: Condition) -> str:
        match condition:
            case All(conditions):
                return f"({' AND '.join(map(self._say, conditions)) or 'true'})"
            case AnyOf(conditions):
                return f"({' OR '.join(map(self._say, conditions)) or 'false'})"
            case Not(inner):
                return f"NOT {self._say(inner)}"
            case Exists(name):
                return f"jsonb_exists(fields, {self._given(_kept(name))})"
            case Resembles(name, glob):
                held = f"jsonb_array_elements_text(coalesce({self._at(name, 'text')}, '[]'))"
                return f"EXISTS (SELECT FROM {held} AS held WHERE held ~ {self._given(_pattern(glob))})"
            case Compare(name, "!=", value):
                return f"NOT {self._say(Compare(name, '=', value))}"
            case Compare(name) | IsOneOf(name):
                within = [self._within(name, one) for one in ranges_of(condition)]
                return f"({' OR '.join(within) or 'false'})"

    def _within(self, name: str, wanted: Range) -> str:
        low, high = _kept(wanted.low), _kept(wanted.high)
        if wanted.is_point:
            return f"fields @> {self._given(_json({_kept(name): {wanted.axis: [low]}}))}::jsonb"
        ends = {"low": ">" if wanted.open else ">=", "high": "<" if wanted.open else "<="}
        given = {end: value for end, value in (("low", low), ("high", high)) if value is not None}
        tests = " && ".join(f"@ {ends[end]} ${end}" for end in given)
        asked = f"{self._at(name, wanted.axis)}, '$[*] ? ({tests})'::jsonpath, {self._given(_json(given))}::jsonb"
        return f"coalesce(jsonb_path_exists({asked}), false)"

    def _at(self, name: str, axis: str) -> str:
        return f"fields #> {self._given([_kept(name), axis])}::text[]"

    def _given(self, value: Any) -> str:
        name = f"w{next(self._numbers)}"
        self.parameters[name] = value
        return f"%({name})s"


def _pattern(glob: Glob) -> str:
    """The glob as a regular expression over texts as they are kept."""
    pattern = Glob(_kept(glob.pattern)).as_regex().replace("(.|\n)", _ANY)
    return _BUT.sub(lambda found: f"(\x01.|[^{found[1]}\x01])", pattern)
