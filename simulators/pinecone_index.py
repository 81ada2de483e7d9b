"""What the simulator of Pinecone holds: records in namespaces that are seen late, searched and filtered."""

import math
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson

from embedmill.simulators.base import Refused

MAX_METADATA_BYTES = 40 * 1024
MAX_ID_CHARACTERS = 512
KILOBYTE = 1000
"""As the vendor's examples of units have it."""

ORDERS = {"$gt": operator.gt, "$gte": operator.ge, "$lt": operator.lt, "$lte": operator.le}

Record = dict[str, Any]
Change = Callable[[dict[str, Record]], None]


@dataclass(slots=True)
class Namespace:
    """What is applied, and what is written but not seen yet."""

    records: dict[str, Record] = field(default_factory=dict)
    written: int = 0
    """Position of the last write."""
    applied: int = 0
    """Position of the last write that reads see."""
    log: list[tuple[float, int, Change]] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    """Bytes of every record that was written and not deleted since, seen or not: what a write or a delete replaces."""

    def write(self, change: Change, *, visible_at: float) -> int:
        """Put a change into the log; nothing overtakes what was written before."""
        self.written += 1
        not_before = self.log[-1][0] if self.log else 0.0
        self.log.append((max(visible_at, not_before), self.written, change))
        return self.written

    def catch_up(self, now: float) -> "Namespace":
        """Apply what is due."""
        while self.log and self.log[0][0] <= now:
            _, self.applied, change = self.log.pop(0)
            change(self.records)
        return self

    def forget(self, ids: Iterable[str]) -> list[int]:
        """The sizes that these records had, which are gone now."""
        return [self.sizes.pop(id) for id in ids if id in self.sizes]

    @property
    def size_bytes(self) -> int:
        """As the vendor counts storage: id, metadata and four bytes a dimension."""
        return sum(size_of(record) for record in self.records.values())


@dataclass(slots=True)
class Index:
    """An index with its namespaces."""

    name: str
    dimension: int
    metric: str
    description: dict[str, Any]
    namespaces: dict[str, Namespace] = field(default_factory=dict)


def check_record(record: Record, index: Index) -> None:
    """Raise Refused for a record that the vendor would not take."""
    id, values, metadata = record.get("id", ""), record.get("values"), record.get("metadata") or {}
    problem = None
    if not 1 <= len(id) <= MAX_ID_CHARACTERS or not id.isascii():
        problem = f"an id has 1 to {MAX_ID_CHARACTERS} ASCII characters"
    elif not values or any(value is None for value in values):
        problem = f"vector {id}: values have to be numbers"
    elif len(values) != index.dimension:
        problem = f"Vector dimension {len(values)} does not match the dimension of the index {index.dimension}"
    elif not any(values):
        problem = "Dense vectors must contain at least one non-zero value"
    elif len(orjson.dumps(metadata)) > MAX_METADATA_BYTES:
        problem = f"Metadata size exceeds the limit of {MAX_METADATA_BYTES} bytes per vector"
    elif not all(map(_is_allowed, metadata.values())):
        problem = "Metadata value must be a string, number, boolean or list of strings"
    if problem:
        raise Refused(400, problem, code="INVALID_ARGUMENT")


def _is_allowed(value: Any) -> bool:
    return isinstance(value, str | int | float) or (
        isinstance(value, list) and all(isinstance(item, str) for item in value)
    )


def size_of(record: Record) -> int:
    """Its bytes as the vendor counts storage: id, metadata and four bytes a dimension."""
    return len(record["id"]) + 4 * len(record["values"]) + len(orjson.dumps(record.get("metadata") or {}))


def kilobytes(sizes: Iterable[int]) -> int:
    """What sizes are billed as, rounded up."""
    return math.ceil(sum(sizes) / KILOBYTE)


def page_after(ids: Sequence[str], token: str | None, limit: int) -> tuple[list[str], dict[str, Any]]:
    """One page after the token, and the pagination part of the answer, which is left out at the end."""
    after = [id for id in ids if token is None or id > token]
    page = after[:limit]
    return page, ({"pagination": {"next": page[-1]}} if len(after) > limit else {})


def find_nearest(
    space: Namespace, vector: Sequence[float], top_k: int, condition: Mapping[str, Any] | None
) -> Iterator[tuple[Record, float]]:
    """The records most like a vector, with their cosine, the nearest first."""
    records = [record for record in space.records.values() if condition is None or meets(record, condition)]
    if not records:
        return
    matrix = np.array([record["values"] for record in records], np.float32)
    query = np.asarray(vector, np.float32)
    lengths = np.linalg.norm(matrix, axis=1) * (np.linalg.norm(query) or 1)
    scores = matrix @ query / lengths
    for row in np.argsort(-scores, kind="stable")[:top_k]:
        yield records[row], float(scores[row])


def as_match(record: Record, score: float, body: Mapping[str, Any]) -> Record:
    """A record as a query answers it."""
    match: Record = {"id": record["id"], "score": score}
    if body.get("includeValues"):
        match["values"] = record["values"]
    if body.get("includeMetadata"):
        match["metadata"] = record.get("metadata", {})
    return match


def meets(record: Record, condition: Mapping[str, Any]) -> bool:
    """Whether a record's metadata is as a filter wants it."""
    return all(_meets_one(record.get("metadata") or {}, name, wanted) for name, wanted in condition.items())


def _meets_one(metadata: Mapping[str, Any], name: str, wanted: Any) -> bool:
    match name:
        case "$and":
            return all(meets({"metadata": metadata}, part) for part in wanted)
        case "$or":
            return any(meets({"metadata": metadata}, part) for part in wanted)
    operators = wanted if isinstance(wanted, dict) else {"$eq": wanted}
    held = metadata.get(name)
    return all(_compare(held, sign, operand) for sign, operand in operators.items())


def _compare(held: Any, sign: str, operand: Any) -> bool:
    values = held if isinstance(held, list) else [] if held is None else [held]
    match sign:
        case "$eq":
            return any(_same(value, operand) for value in values)
        case "$ne":
            return not any(_same(value, operand) for value in values)
        case "$in":
            return any(_same(value, item) for value in values for item in operand)
        case "$nin":
            return not any(_same(value, item) for value in values for item in operand)
        case "$exists":
            return (held is not None) == bool(operand)
        case "$gt" | "$gte" | "$lt" | "$lte":
            return _is_beyond(held, sign, operand)
    raise Refused(400, f"unknown operator {sign}", code="INVALID_ARGUMENT")


def _is_beyond(held: Any, sign: str, operand: Any) -> bool:
    """Numbers are in order, and nothing else is."""
    if not _is_number(operand):
        raise Refused(400, f"the {sign} operator must be followed by a number", code="INVALID_ARGUMENT")
    if not _is_number(held):
        return False
    return bool(ORDERS[sign](held, operand))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _same(value: Any, other: Any) -> bool:
    return isinstance(value, bool) == isinstance(other, bool) and bool(value == other)
