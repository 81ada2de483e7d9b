"""Owns how a row becomes the values of a statement, and back."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from embedmill.shared.editions import Edition
from embedmill.shared.filtering.fields import OWN
from embedmill.shared.providers.vectorstores.exact import counts_of
from embedmill.shared.providers.vectorstores.pgvector import filters
from embedmill.shared.providers.vectorstores.pgvector import sql as statements
from embedmill.shared.providers.vectorstores.pgvector.text import map_strings, with_nul, without_nul
from embedmill.shared.providers.vectorstores.pgvector.words import columns_of
from embedmill.shared.providers.vectorstores.rows import NO_VECTOR, VectorRow
from embedmill.shared.words.cutting import VERSION

PLACE = "em_place"
"""Of the metadata that is kept: `[[head, last page] or null, what the user calls so, if anything]`."""


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
        [orjson.dumps(map_strings(_kept(row), without_nul)).decode() for row in rows],
        [np.ascontiguousarray(row.vector, np.float32) for row in rows],
        *columns_of(list(map(counts_of, rows))),
        [VERSION] * len(rows),
        [filters.keep({name: getattr(row, name) for name in OWN}, row.metadata) for row in rows],
    ]


def row_of(record: Sequence[Any]) -> VectorRow:
    """A row of a record with the columns of `selected`."""
    *columns, metadata, vector = record
    texts: list[Any] = [with_nul(value) if isinstance(value, str) else value for value in columns]
    stored = NO_VECTOR if vector is None else as_array(vector)
    given, (head, last_page) = split_metadata(map_strings(metadata, with_nul))
    return VectorRow(*(*texts, stored, given, head, last_page))


def _kept(row: VectorRow) -> dict[str, Any]:
    """The metadata, with where the head of the row's table stands and its last page; what has that name is kept too."""
    place = None if row.head is None and row.last_page is None else [row.head, row.last_page]
    if place is None and PLACE not in row.metadata:
        return dict(row.metadata)
    theirs = [row.metadata[PLACE]] if PLACE in row.metadata else []
    return {**row.metadata, PLACE: [place, *theirs]}


def split_metadata(kept: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[tuple[int, int] | None, int | None]]:
    """The metadata as it was given, and the row's head and last page. Rows of older releases have no such entry."""
    given = dict(kept)
    own = given.pop(PLACE, None)
    if own is None:
        return given, (None, None)
    place, *theirs = own
    head, last_page = place or (None, None)
    if theirs:
        given[PLACE] = theirs[0]
    return given, (head and (head[0], head[1]), last_page)


def held_of(record: Sequence[Any]) -> tuple[str, Edition, int]:
    """An edition and its number of rows."""
    document, version, generation, rows = record
    return with_nul(document), Edition(with_nul(version), generation), rows


def as_array(vector: Any) -> NDArray[np.float32]:
    """A vector as the driver gives it, in numbers."""
    return np.asarray(vector.to_numpy() if hasattr(vector, "to_numpy") else vector, np.float32)
