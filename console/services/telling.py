"""What the audit is told of a call: with what it was made and how much came of it; never what was said or found."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from typing import Any

from embedmill.shared.audit.trail import Trail
from embedmill.shared.encoding import make_storable

MOST_NAMES = 100
"""Names of documents or sources in one record; of the others, how many there are."""
LONGEST = 200
"""Characters of an argument."""
HASHED = frozenset({"names", "sources", "source", "uri"})
"""Arguments that are places of documents and sources; whatever else looks like one is hashed, too."""


@dataclass(frozen=True, slots=True)
class AnswerRecord:
    """What is written of an answer."""

    target: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)


def tell_answer(answer: Any, trail: Trail) -> AnswerRecord:
    """What is written of an answer: query and scores hashed, the id of what it shows, or how many things it holds."""
    hits, query = getattr(answer, "hits", None), getattr(answer, "query", None)
    if hits is not None and query is not None:
        scores = trail.hash_scores([(f"{hit.document}/{hit.chunk}", hit.score) for hit in hits])
        details = {"query": trail.hash_query(query.original), "scores": scores}
        return AnswerRecord(counts={"hits": len(hits)}, details=details)
    if hasattr(answer, "question") and hasattr(answer, "claims"):
        counts = {"documents": len(answer.documents), "claims": len(answer.claims)}
        return AnswerRecord(counts=counts, details={"query": trail.hash_query(answer.question)})
    return AnswerRecord(_target(answer), dict(_counts(answer)))


def _target(answer: Any) -> str:
    """What an answer is about, by the id that everybody else has for it."""
    for name in ("job", "id"):
        found = getattr(answer, name, None)
        if isinstance(found, str | int):
            return f"{name} {found}" if isinstance(found, int) else found
    return ""


def _counts(answer: Any) -> Iterator[tuple[str, int]]:
    """Whole numbers of a report and of the reports in it, and how long its lists are."""
    for name, value in _parts(answer):
        if is_dataclass(value):
            yield from ((f"{name}.{inner}", n) for inner, n in _parts(value) if type(n) is int)
        elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
            yield name, len(value)
        elif type(value) is int and name not in ("job", "id"):
            yield name, value


def _parts(answer: Any) -> Iterator[tuple[str, Any]]:
    return ((each.name, getattr(answer, each.name)) for each in fields(answer)) if is_dataclass(answer) else iter(())


def tell_arguments(given: Mapping[str, Any], names: Sequence[str], trail: Trail) -> dict[str, Any]:
    """Arguments as they are written: numbers and our own words as they are, places and names hashed."""
    told = {name: _shown(name, given[name], trail) for name in names if given.get(name) is not None}
    return {name: value for name, value in told.items() if value not in ({}, [])}


def _shown(name: str, value: Any, trail: Trail) -> Any:
    match value:
        case Enum():
            return str(value.value)
        case str():
            return trail.hash_name(value) if name in HASHED or "/" in value else make_storable(value[:LONGEST])
        case bool() | int():
            return value
        case dict():
            return {key: shown for key, each in value.items() if (shown := _shown(key, each, trail)) is not None}
        case list() | tuple():
            shown = [_shown(name, each, trail) for each in value[:MOST_NAMES]]
            return [each for each in shown if each is not None]
    if hasattr(value, "as_json"):
        return _shown(name, value.as_json(), trail)
    if hasattr(value, "identity"):
        return trail.hash_name(value.identity)
    # Floats have no one way to be written.
    return None if value is None else str(value)
