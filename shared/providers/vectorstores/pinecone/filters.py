"""Owns what a record has for filters, and a filter in Pinecone's words: it leaves all rows that meet it, few others.

Pinecone's metadata has neither null nor nesting, its lists are of texts, its numbers doubles, and what its operators
say of missing fields and of lists has changed over time. So a record has marks (`em_marks`), a short text for each
value of each field and for each field that is there, and the least and greatest of its numbers and dates. A filter
asks for marks and bounds, and is weaker than the user's where those cannot say it: what comes back is verified by
`holds`. Records without marks, of releases before or with too many, are left for that too. What says who may see a row
(`shared/access/labels.py`) has marks of its own in every record that has such a label, and is never left for later.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

from embedmill.shared.access.labels import KEPT
from embedmill.shared.filtering.columns import THERE, key_of
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
from embedmill.shared.filtering.fields import Fields, fields_of
from embedmill.shared.filtering.readings import Axis, Range

MARKS, LABELS = "em_marks", "em_labels"
LEAST, GREATEST = "em_least_", "em_most_"
ORDERED: tuple[Axis, ...] = ("number", "moment")
MOST_MARKS = 400
"""Of a record; they are 17 bytes each, and metadata has 40 KB for everything."""
MARK_BYTES = 8
EXACT_BELOW = 2**53
"""A double under this is no other number's nearest."""

Filter = dict[str, Any]
EVERYTHING: Filter | None = None
"""A filter that leaves all rows is none."""
NOTHING: Filter = {MARKS: {"$in": ["none"]}}


def marked(own: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What the metadata of a row's record has for filters; nothing for a row with too many values."""
    fields = fields_of(own, metadata)
    marks = {_mark(name, THERE) for name in fields}
    bounds: dict[str, float] = {}
    for name, readings in fields.items():
        for axis, value in (found for reading in readings for found in reading.items()):
            marks.add(_mark(name, axis, value))
            if axis in ORDERED:
                least, greatest = _bounds(name, axis)
                bounds[least] = min(bounds.get(least, float(value)), float(value))
                bounds[greatest] = max(bounds.get(greatest, float(value)), float(value))
    labels = _labels(fields)
    return labels if len(marks) + len(bounds) > MOST_MARKS else {MARKS: sorted(marks), **bounds, **labels}


def _labels(fields: Fields) -> dict[str, Any]:
    """The marks of a row's labels; nothing for a row without any."""
    held = {name: readings for name, readings in fields.items() if name in KEPT.values()}
    values = {_mark(name, "text", reading["text"]) for name, readings in held.items() for reading in readings}
    marks = values | {_mark(name, THERE) for name in held}
    return {LABELS: sorted(marks)} if marks else {}


def _mark(name: str, axis: str, value: Any = None) -> str:
    key = b"" if axis == THERE else key_of(axis, value)  # type: ignore[arg-type]  # an axis, when it is not THERE
    told = f"{len(name)}:{name}{axis}:".encode() + key
    return blake2b(told, digest_size=MARK_BYTES).hexdigest()


def _bounds(name: str, axis: str) -> tuple[str, str]:
    told = _mark(name, axis, 0)
    return f"{LEAST}{told}", f"{GREATEST}{told}"


def filter_of(condition: Condition | None) -> Filter | None:
    """What leaves every row that meets a condition; None where that is all of them."""
    wanted = EVERYTHING if condition is None else _say(condition, true=True)
    if condition is None or wanted is EVERYTHING:
        return EVERYTHING
    return _all([_any([wanted, {MARKS: {"$exists": False}}]), _seen(condition, true=True)])


def _seen(condition: Condition, *, true: bool) -> Filter | None:
    """What leaves every row of which the condition is true, or is not, as far as labels alone tell."""
    match condition:
        case Not(inner):
            return _seen(inner, true=not true)
        case All(conditions):
            return (_all if true else _any)([_seen(one, true=true) for one in conditions])
        case AnyOf(conditions):
            return (_any if true else _all)([_seen(one, true=true) for one in conditions])
        case _ if condition.field not in KEPT.values():
            return EVERYTHING
        case Exists(name):
            return _labelled([_mark(name, THERE)], true=true)
        case Compare(name, "=") | IsOneOf(name):
            return _labelled([_mark(name, one.axis, one.low) for one in ranges_of(condition)], true=true)
    return EVERYTHING


def _labelled(marks: Sequence[str], *, true: bool) -> Filter:
    if true:
        return {LABELS: {"$in": list(marks)}}
    return {"$or": [{LABELS: {"$exists": False}}, {LABELS: {"$nin": list(marks)}}]}


def _say(condition: Condition, *, true: bool) -> Filter | None:
    """What leaves every row of which the condition is true, or is not."""
    match condition:
        case Not(inner):
            return _say(inner, true=not true)
        case All(conditions):
            return (_all if true else _any)([_say(one, true=true) for one in conditions])
        case AnyOf(conditions):
            return (_any if true else _all)([_say(one, true=true) for one in conditions])
        case Compare(name, "!=", value):
            return _say(Compare(name, "=", value), true=not true)
        case Exists(name) | Resembles(name):
            return _has(_mark(name, THERE)) if true else _lacks(condition)
        case Compare(name) | IsOneOf(name):
            return (_any if true else _all)(_ranges(name, ranges_of(condition), true=true))


def _ranges(name: str, wanted: Sequence[Range], *, true: bool) -> list[Filter | None]:
    """Each range by itself, but all single values in one list of marks."""
    marks = [_mark(name, one.axis, one.low) for one in wanted if one.is_point]
    within = [_within(name, one, true=true) for one in wanted if not one.is_point]
    return [{MARKS: {"$in" if true else "$nin": marks}}, *within] if marks else within


def _has(mark: str) -> Filter:
    return {MARKS: {"$in": [mark]}}


def _lacks(condition: Exists | Resembles) -> Filter | None:
    return {MARKS: {"$nin": [_mark(condition.field, THERE)]}} if isinstance(condition, Exists) else EVERYTHING


def _within(name: str, wanted: Range, *, true: bool) -> Filter | None:
    """By the bounds of all values of a row."""
    if wanted.axis not in ORDERED:
        return _has(_mark(name, THERE)) if true else EVERYTHING
    least, greatest = _bounds(name, wanted.axis)
    if true:
        low = _end(greatest, "$gt" if wanted.open else "$gte", wanted.low)
        return _all([low, _end(least, "$lt" if wanted.open else "$lte", wanted.high)])
    below = _end(least, "$lte" if wanted.open else "$lt", wanted.low, otherwise=NOTHING)
    above = _end(greatest, "$gte" if wanted.open else "$gt", wanted.high, otherwise=NOTHING)
    return _any([below, above, {least: {"$exists": False}}])


def _end(name: str, sign: str, end: int | float | None, otherwise: Filter | None = EVERYTHING) -> Filter | None:
    """A bound against an end; where doubles are not exact, what is equal to it may be beyond it."""
    if end is None:
        return otherwise
    return {name: {sign if abs(end) < EXACT_BELOW else f"{sign[:3]}e": float(end)}}


def _all(filters: Sequence[Filter | None]) -> Filter | None:
    asked = [one for one in filters if one is not None]
    return {"$and": asked} if len(asked) > 1 else next(iter(asked), EVERYTHING)


def _any(filters: Sequence[Filter | None]) -> Filter | None:
    asked = [one for one in filters if one is not None]
    if len(asked) < len(filters):
        return EVERYTHING
    return {"$or": asked} if len(asked) > 1 else next(iter(asked), NOTHING)
