"""Owns what a filter is: a tree of conditions over fields, and what it means for one row.

Stores translate the tree (that lives with them); `holds` is the meaning that they have to match. A condition is true or
false, never unknown: about a field that is missing all but `!=`, `not in` and `not` are false.
"""

from dataclasses import dataclass

from embedmill.shared.filtering.fields import Fields
from embedmill.shared.filtering.readings import Operator, Range, Value, ranges
from embedmill.shared.globs import Glob


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
class Resembles:
    """A field with a text that a glob matches as a whole."""

    field: str
    glob: Glob


@dataclass(frozen=True, slots=True)
class Exists:
    """A field that is there, with a value that is not null."""

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


Condition = Compare | IsOneOf | Resembles | Exists | Not | All | AnyOf


def holds(condition: Condition, fields: Fields) -> bool:
    """Whether a row with these fields meets the condition."""
    match condition:
        case All(conditions):
            return all(holds(one, fields) for one in conditions)
        case AnyOf(conditions):
            return any(holds(one, fields) for one in conditions)
        case Not(inner):
            return not holds(inner, fields)
        case Exists(name):
            return name in fields
        case Resembles(name, glob):
            return any(glob.matches(text) for value in fields.get(name, ()) if (text := value.get("text")) is not None)
        case Compare(name, "!=", value):
            return not holds(Compare(name, "=", value), fields)
    wanted = ranges_of(condition)
    return any(one.holds(value) for value in fields.get(condition.field, ()) for one in wanted)


def ranges_of(condition: Compare | IsOneOf) -> tuple[Range, ...]:
    """Where one of the field's values has to lie; for a comparison other than `!=`, which is the opposite of `=`."""
    match condition:
        case IsOneOf(_, values):
            return tuple(dict.fromkeys(one for value in values for one in ranges("=", value)))
        case Compare(_, operator, value):
            return ranges(operator, value)


def fields_named(condition: Condition) -> set[str]:
    """The fields that a condition asks for."""
    match condition:
        case All(conditions) | AnyOf(conditions):
            return {name for one in conditions for name in fields_named(one)}
        case Not(inner):
            return fields_named(inner)
    return {condition.field}
