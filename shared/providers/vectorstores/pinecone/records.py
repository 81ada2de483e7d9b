"""Owns how a row becomes a Pinecone record and back: ids, metadata under its limit, filters, packs under two megabytes.

Metadata has our own fields, named `em_…`, those for filters among them (`filters`). The row itself is one JSON string,
which moves to the blob store when it does not fit.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from embedmill.shared.editions import parse_id, row_id
from embedmill.shared.errors import BadVector, ProviderUnavailable
from embedmill.shared.filtering.fields import OWN
from embedmill.shared.providers.vectorstores.exact import counts_of
from embedmill.shared.providers.vectorstores.pinecone import filters
from embedmill.shared.providers.vectorstores.pinecone.wording import sparse_of
from embedmill.shared.providers.vectorstores.rows import NO_VECTOR, Match, VectorRow
from embedmill.shared.words import cutting

MAX_ID_CHARACTERS = 512
MAX_METADATA_BYTES = 40_000
MAX_PACK_BYTES = 2_000_000
MAX_PACK_RECORDS = 1_000

ROW, SPILLED, GENERATION, ZERO = "em_row", "em_spilled", "em_generation", "em_zero"
LENGTH, CUTTER = "em_length", "em_cutter"
FIRST_CUTTER = 2
"""Whose words were the first that an index kept."""
UNIT_LENGTH_WITHIN = 1e-6
"""A vector whose length differs by less is kept as it is."""
KEPT: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("chunk", "uri", "title", "section", "text", "index_version"), str),
    **dict.fromkeys(("start", "end"), int),
    "page": (int, type(None)),
}
"""What of a row is kept as JSON, with its types."""
KEPT_SINCE: dict[str, type | tuple[type, ...]] = {"head": (list, type(None)), "last_page": (int, type(None))}
"""What records of older releases lack; it is kept only where there is some."""

Record = dict[str, Any]
Spill = Callable[[bytes], str]
Unspill = Callable[[str], bytes]


def record_of(row: VectorRow, spill: Spill, *, with_words: bool = False) -> Record:
    """The record of a row; `spill` stores what is too large and returns its reference.

    With words it has a sparse vector too, and its dense one has length 1, so that a dot product is the cosine.
    """
    _check_id(row)
    zero = not row.vector.any()
    vector = stand_in(len(row.vector)) if zero else row.vector
    length = float(np.linalg.norm(vector)) if with_words else 1.0
    own = {name: getattr(row, name) for name in OWN}
    metadata = filters.marked(own, row.metadata) | {GENERATION: row.generation}
    if zero:
        metadata[ZERO] = True
    if with_words:
        metadata[CUTTER] = cutting.VERSION
    if abs(length - 1) > UNIT_LENGTH_WITHIN:
        metadata[LENGTH], vector = length, (vector / np.float32(length)).astype(np.float32)
    body = {name: getattr(row, name) for name in KEPT} | {"metadata": dict(row.metadata)}
    body |= {name: value for name in KEPT_SINCE if (value := getattr(row, name)) is not None}
    packed = orjson.dumps(body)
    metadata[ROW] = packed.decode()
    if _size(metadata) > MAX_METADATA_BYTES:
        # The id is in it, so that no two rows share an object and one can go without the other.
        metadata[SPILLED] = spill(orjson.dumps({"id": row.id, "generation": row.generation, "row": body}))
        del metadata[ROW]
    sparse = sparse_of(counts_of(row)) if with_words else None
    record = {"id": row.id, "values": _values(vector), "metadata": metadata}
    return record | ({"sparse_values": sparse} if sparse else {})


def row_of(record: Any, unspill: Unspill, *, dimensions: int | None) -> VectorRow:
    """The row that an answer of the SDK holds, with its vector when `dimensions` say how long that is.

    Raises ProviderUnavailable when it is none that was ever written.
    """
    name = parse_id(record.id)
    if name is None:
        raise _unlike(record, "its id is none of ours")
    return VectorRow(
        id=record.id,
        document=name.document,
        version=name.edition.version,
        generation=generation_of(record),
        ordinal=name.ordinal,
        vector=NO_VECTOR if dimensions is None else _vector_of(record, dimensions),
        **_body_of(record, unspill),
    )


def _body_of(record: Any, unspill: Unspill) -> dict[str, Any]:
    metadata = record.metadata or {}
    spilled = metadata.get(SPILLED)
    try:
        body = orjson.loads(unspill(spilled))["row"] if spilled else orjson.loads(metadata[ROW])
        found = {name: body[name] for name in (*KEPT, "metadata")} | {name: body.get(name) for name in KEPT_SINCE}
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise _unlike(record, "the rest of its row cannot be read") from None
    wrong = [name for name, types in (KEPT | KEPT_SINCE).items() if not isinstance(found[name], types)]
    if wrong or not isinstance(found["metadata"], dict):
        raise _unlike(record, f"{(*wrong, 'metadata')[0]} is no such value")
    return found | {"head": found["head"] and tuple(found["head"])}


def _vector_of(record: Any, dimensions: int) -> NDArray[np.float32]:
    held = np.asarray(record.values, np.float32)
    if held.shape != (dimensions,) or not np.isfinite(held).all():
        raise _unlike(record, f"its vector is not one of {dimensions} numbers")
    metadata = record.metadata or {}
    if metadata.get(ZERO):
        return np.zeros_like(held)
    length = metadata.get(LENGTH)
    return held * np.float32(length) if isinstance(length, int | float) and length > 0 else held


def _unlike(record: Any, why: str) -> ProviderUnavailable:
    return ProviderUnavailable(f"Pinecone gave record {str(record.id)[:200]!r}, which is not as it was written: {why}")


def match_of(found: Any) -> Match | None:
    """A match of a query's answer; None for a record that is not ours, or a score that is no number."""
    name, score = parse_id(str(found.id)), float(found.score)
    if name is None or not math.isfinite(score):
        return None
    return Match(found.id, name.document, name.edition.version, score)


def is_held(made: Record, held: Mapping[str, Any]) -> bool:
    """Whether the fetched records have this one, the same in everything."""
    found = held.get(made["id"])
    if found is None or (found.metadata or {}) != made["metadata"]:
        return False
    return np.array_equal(np.asarray(found.values, np.float32), np.asarray(made["values"], np.float32))


def generation_of(record: Any) -> int:
    """The generation of a fetched record: by its id, or by its metadata, where numbers come back as doubles."""
    name = parse_id(record.id)
    if name is not None and name.edition.generation is not None:
        return name.edition.generation
    told = (record.metadata or {}).get(GENERATION, 0)
    if not isinstance(told, int | float) or not math.isfinite(told):
        raise _unlike(record, "its generation is no number")
    return int(told)


def is_of_another_cutter(found: Any) -> bool:
    """Whether another version of the cutter cut the words of a record of ours that came with its metadata."""
    return (
        bool(found.metadata) and parse_id(str(found.id)) is not None and found.metadata.get(CUTTER) != cutting.VERSION
    )


def of_another_cutter() -> dict[str, Any]:
    """The filter for records whose words another version of the cutter cut."""
    return {"$or": [{CUTTER: {"$exists": False}}, {CUTTER: {"$ne": cutting.VERSION}}]}


def spill_of(record: Any) -> str | None:
    """Where a fetched record keeps the rest of its row, if not with itself."""
    found: str | None = (record.metadata or {}).get(SPILLED)
    return found


def document_of(id: str) -> str:
    """The document of a row's id, of whatever else it is made."""
    return id.rsplit("-", 2)[0]


def packs(records: Sequence[Record]) -> Iterator[list[Record]]:
    """The records in as few requests as their bytes and number allow."""
    pack: list[Record] = []
    size = 0
    for record in records:
        bytes_ = len(orjson.dumps(record)) + 1
        if pack and (size + bytes_ > MAX_PACK_BYTES or len(pack) == MAX_PACK_RECORDS):
            yield pack
            pack, size = [], 0
        pack.append(record)
        size += bytes_
    if pack:
        yield pack


def stand_in(dimensions: int) -> NDArray[np.float32]:
    """What is stored for a zero vector, which Pinecone refuses: a direction that is near to nothing."""
    vector = np.random.default_rng(dimensions).standard_normal(dimensions)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def _check_id(row: VectorRow) -> None:
    if not row.id.isascii() or len(row.id) > MAX_ID_CHARACTERS:
        raise BadVector(f"a row's id has to be ASCII and {MAX_ID_CHARACTERS} characters at most")
    if row.id != row_id(row.document, row.version, row.generation, row.ordinal):
        raise BadVector(f"row {row.id}: its id does not tell its document, version, generation and ordinal")


def _values(vector: NDArray[np.float32]) -> list[float]:
    """Doubles that print as short as the floats they stand for: two bytes in five less on the wire."""
    values: list[float] = orjson.loads(orjson.dumps(np.ascontiguousarray(vector), option=orjson.OPT_SERIALIZE_NUMPY))
    return values


def _size(metadata: Mapping[str, Any]) -> int:
    return len(orjson.dumps(metadata))
