"""What every vector store asks of its input: shard names, vectors of the right shape, rows under their own ids."""

import re
from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.editions import Edition, parse_id, row_id
from embedmill.shared.errors import BadVector, SettingsError
from embedmill.shared.providers.vectorstores.base import VectorRow

SHARD_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")

NO_VECTOR: NDArray[np.float32] = np.empty(0, np.float32)


def check_shard(shard: str) -> str:
    """The name itself; raises SettingsError for one that is no file, table or namespace everywhere."""
    if not SHARD_NAME.fullmatch(shard):
        raise SettingsError(f"{shard!r} is no shard name", hint="Use letters, digits, - and _, 64 at most.")
    return shard


def check_rows(rows: Collection[VectorRow], *, dimensions: int) -> None:
    """Raises BadVector unless every vector has the store's dimensions and is finite."""
    odd = next((row for row in rows if row.vector.shape != (dimensions,)), None)
    if odd is not None:
        raise BadVector(f"row {odd.id}: expected {dimensions} dimensions, got shape {odd.vector.shape}")
    # What is not finite makes the sum so; whether one is too large is asked of each.
    with np.errstate(over="ignore", invalid="ignore"):
        doubted = rows if rows and not np.isfinite(np.sum([row.vector for row in rows])) else ()
    for row in doubted:
        if not np.isfinite(row.vector).all():
            raise BadVector(f"row {row.id}: the vector is not finite")


def check_query(vector: NDArray[np.float32], *, dimensions: int) -> NDArray[np.float32]:
    """The vector itself; raises BadVector for one of other dimensions or not finite."""
    if vector.shape != (dimensions,):
        raise BadVector(f"query: expected {dimensions} dimensions, got shape {vector.shape}")
    if not np.isfinite(vector).all():
        raise BadVector("query: the vector is not finite")
    return vector


def edition_of(row: VectorRow) -> Edition:
    """The edition of a stored row, as its id tells it."""
    name = parse_id(row.id)
    return Edition(row.version, None if name is None else name.edition.generation)


def named(rows: Sequence[VectorRow]) -> dict[str, VectorRow]:
    """The rows by the ids that they are kept under; of several that are the same row, the last."""
    found: dict[str, VectorRow] = {}
    for row in rows:
        id = row_id(row.document, row.version, row.generation, row.ordinal)
        found[id] = row if row.id == id else replace(row, id=id)
    return found
