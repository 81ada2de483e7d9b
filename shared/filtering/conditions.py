"""Owns what a filter is: a tree of conditions over fields, and what it means for one row.

Stores translate the tree (`to_sql` and the like live with them); `holds` is the meaning that they have to match.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Value = str | float | bool
Operator = Literal["=", "!=", "<", "<=", ">", ">="]


@dataclass(frozen=True, slots=True)
class Compare:
    """A field against a value; a field that holds a list is compared by any of its items."""

    field: str
    operator: Operator
    value: Value


@dataclass(frozen=True, slots=True)
class IsOneOf:
    """A field that has one of the values."""

    field: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Exists:
    """A field that is there and not null."""

    field: str


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite: true also where the field is missing."""

    condition: "Condition"


@dataclass(frozen=True, slots=True)
class All:
    """Every one of the conditions."""

    conditions: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of the conditions."""

    conditions: tuple["Condition", ...]


Condition = Compare | IsOneOf | Exists | Not | All | AnyOf


def holds(condition: Condition, fields: Mapping[str, Any]) -> bool:
    """Whether a row with these fields (metadata, `document`, `uri`, …) meets the condition."""
    match condition:
        case All(conditions):
            return all(holds(one, fields) for one in conditions)
        case AnyOf(conditions):
            return any(holds(one, fields) for one in conditions)
        case Not(inner):
            return not holds(inner, fields)
        case Exists(name):
            return fields.get(name) is not None
        case IsOneOf(name, values):
            return any(_same(item, value) for item in _items(fields.get(name)) for value in values)
        case Compare(name, "!=", value):
            return not any(_same(item, value) for item in _items(fields.get(name)))
        case Compare(name, operator, value):
            return any(_compares(item, operator, value) for item in _items(fields.get(name)))


def _items(held: Any) -> Sequence[Any]:
    if held is None:
        return ()
    return held if isinstance(held, list | tuple) else (held,)


def _same(item: Any, value: Value) -> bool:
    return isinstance(item, bool) == isinstance(value, bool) and bool(item == value)


def _compares(item: Any, operator: Operator, value: Value) -> bool:
    if isinstance(item, str) != isinstance(value, str) or isinstance(item, bool) != isinstance(value, bool):
        return False
    match operator:
        case "<":
            return bool(item < value)
        case "<=":
            return bool(item <= value)
        case ">":
            return bool(item > value)
        case ">=":
            return bool(item >= value)
    return _same(item, value)
