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
MAX_SPARSE_VALUES = 1_000
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
    has_sparse: bool = False
    """Whether it was made with a field for sparse vectors, without which it takes none."""


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
    elif (sparse := record.get("sparseValues")) is not None and (wrong := _wrong_with(sparse, index)):
        problem = wrong
    elif len(orjson.dumps(metadata)) > MAX_METADATA_BYTES:
        problem = f"Metadata size exceeds the limit of {MAX_METADATA_BYTES} bytes per vector"
    elif not all(map(_is_allowed, metadata.values())):
        problem = "Metadata value must be a string, number, boolean or list of strings"
    if problem:
        raise Refused(400, problem, code="INVALID_ARGUMENT")


def _wrong_with(sparse: Mapping[str, Any], index: Index) -> str | None:
    """Why a sparse vector would not be taken; None when it would."""
    indices, values = sparse.get("indices") or [], sparse.get("values") or []
    if not index.has_sparse:
        return "Index configuration does not support sparse values"
    if not indices or len(indices) != len(values):
        return "Sparse vectors need as many values as indices, one at least"
    if len(indices) > MAX_SPARSE_VALUES:
        return f"Sparse vectors can contain no more than {MAX_SPARSE_VALUES} non-zero values"
    if len(set(indices)) < len(indices) or not all(0 <= index < 2**32 for index in indices):
        return "Sparse indices have to be unique numbers of 32 bits"
    if any(value is None or value == 0 for value in values):
        return "Sparse values have to be numbers other than zero"
    return None


def check_query(body: Mapping[str, Any], index: Index) -> None:
    """Raise Refused for a sparse query that the index cannot answer."""
    sparse = body.get("sparseVector")
    if sparse is None:
        return
    problem = None if index.metric == "dotproduct" else "Index configuration does not support sparse values"
    if problem := problem or _wrong_with(sparse, index):
        raise Refused(400, problem, code="INVALID_ARGUMENT")


def _is_allowed(value: Any) -> bool:
    return isinstance(value, str | int | float) or (
        isinstance(value, list) and all(isinstance(item, str) for item in value)
    )


def size_of(record: Record) -> int:
    """Its bytes as the vendor counts storage: id, metadata, four bytes a dimension and nine a sparse value."""
    sparse = len((record.get("sparseValues") or {}).get("indices", ()))
    return len(record["id"]) + 4 * len(record["values"]) + 9 * sparse + len(orjson.dumps(record.get("metadata") or {}))


def kilobytes(sizes: Iterable[int]) -> int:
    """What sizes are billed as, rounded up."""
    return math.ceil(sum(sizes) / KILOBYTE)


def page_after(ids: Sequence[str], token: str | None, limit: int) -> tuple[list[str], dict[str, Any]]:
    """One page after the token, and the pagination part of the answer, which is left out at the end."""
    after = [id for id in ids if token is None or id > token]
    page = after[:limit]
    return page, ({"pagination": {"next": page[-1]}} if len(after) > limit else {})


def find_nearest(space: Namespace, body: Mapping[str, Any], index: Index) -> Iterator[tuple[Record, float]]:
    """The records most like a query's vectors by the index's metric, the nearest first."""
    condition = body.get("filter")
    records = [record for record in space.records.values() if condition is None or meets(record, condition)]
    if not records:
        return
    # In 64 bits and then in 32, so that equal records have equal scores wherever they stand.
    matrix = np.array([record["values"] for record in records], np.float64)
    query = np.asarray(_dense_query(space, body), np.float64)
    scores = (matrix * query).sum(axis=1)
    if index.metric != "dotproduct":
        scores /= np.linalg.norm(matrix, axis=1) * (np.linalg.norm(query) or 1)
    elif sparse := body.get("sparseVector"):
        asked = dict(zip(sparse["indices"], sparse["values"], strict=True))
        scores += [_sparse_product(record, asked) for record in records]
    scores = scores.astype(np.float32)
    for row in np.argsort(-scores, kind="stable")[: body["topK"]]:
        yield records[row], float(scores[row])


def _dense_query(space: Namespace, body: Mapping[str, Any]) -> Sequence[float]:
    found: Sequence[float] = body.get("vector") or space.records[body["id"]]["values"]
    return found


def _sparse_product(record: Record, asked: Mapping[int, float]) -> float:
    held = record.get("sparseValues") or {"indices": (), "values": ()}
    values = zip(held["indices"], held["values"], strict=True)
    return math.fsum(value * asked[index] for index, value in values if index in asked)


def as_match(record: Record, score: float, body: Mapping[str, Any]) -> Record:
    """A record as a query answers it."""
    match: Record = {"id": record["id"], "score": score}
    if body.get("includeValues"):
        match["values"] = record["values"]
        if "sparseValues" in record:
            match["sparseValues"] = record["sparseValues"]
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
