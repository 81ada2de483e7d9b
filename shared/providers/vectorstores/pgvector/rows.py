"""Owns how a row becomes the values of a statement, and back."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from embedmill.shared.editions import Edition
from embedmill.shared.filtering.fields import OWN
from embedmill.shared.providers.vectorstores.base import VectorRow
from embedmill.shared.providers.vectorstores.exact import counts_of
from embedmill.shared.providers.vectorstores.pgvector import filters
from embedmill.shared.providers.vectorstores.pgvector import sql as statements
from embedmill.shared.providers.vectorstores.pgvector.text import map_strings, with_nul, without_nul
from embedmill.shared.providers.vectorstores.pgvector.words import columns_of
from embedmill.shared.providers.vectorstores.rows import NO_VECTOR
from embedmill.shared.words.cutting import VERSION


def selected(*, with_vectors: bool) -> str:
    """The columns of a row."""
    return f"{statements.FIELDS}, {'vector' if with_vectors else 'NULL'}"


def written(rows: Sequence[VectorRow]) -> list[list[Any]]:
    """The rows as one array for each column, in the order of the statement."""
    texts = ("chunk", "uri", "title", "section", "text")
    ids = [[without_nul(getattr(row, name)) for row in rows] for name in ("id", "document", "version")]
    return [
        *ids,
        [row.generation for row in rows],
        [row.ordinal for row in rows],
        *([without_nul(getattr(row, name)) for row in rows] for name in texts),
        [row.start for row in rows],
        [row.end for row in rows],
        [row.page for row in rows],
        [row.index_version for row in rows],
        [orjson.dumps(map_strings(dict(row.metadata), without_nul)).decode() for row in rows],
        [np.ascontiguousarray(row.vector, np.float32) for row in rows],
        *columns_of(list(map(counts_of, rows))),
        [VERSION] * len(rows),
        [filters.keep({name: getattr(row, name) for name in OWN}, row.metadata) for row in rows],
    ]


def row_of(record: Sequence[Any]) -> VectorRow:
    """A row of a record with the columns of `selected`."""
    *columns, metadata, vector = record
    texts = [with_nul(value) if isinstance(value, str) else value for value in columns]
    stored = NO_VECTOR if vector is None else as_array(vector)
    return VectorRow(*(*texts, stored, map_strings(metadata, with_nul)))


def held_of(record: Sequence[Any]) -> tuple[str, Edition, int]:
    """An edition and its number of rows."""
    document, version, generation, rows = record
    return with_nul(document), Edition(with_nul(version), generation), rows


def as_array(vector: Any) -> NDArray[np.float32]:
    """A vector as the driver gives it, in numbers."""
    return np.asarray(vector.to_numpy() if hasattr(vector, "to_numpy") else vector, np.float32)
