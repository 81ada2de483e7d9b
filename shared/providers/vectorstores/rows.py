"""Rows as every vector store takes and gives them: which a search may find, what it found, and what rows have to be."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.editions import Edition, parse_id, row_id
from embedmill.shared.errors import BadVector, SettingsError
from embedmill.shared.filtering.conditions import Condition
from embedmill.shared.headed import body_at
from embedmill.shared.words.weighing import WordCounts

SHARD_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")

NO_VECTOR: NDArray[np.float32] = np.empty(0, np.float32)


@dataclass(frozen=True, slots=True)
class VectorRow:
    """One chunk with its vector, as written. `start` and `end` are character offsets into the normalised text.

    `text` is what stands there; where `head` says where the head of its table stands, that and a line feed go before.
    `last_page` is None where that is `page`, as it is with a chunk of older releases, which knew its first page only.

    A store keeps a row as `<document>-<version>-<generation>.<ordinal>` (`embedmill.shared.editions`), whatever `id` it
    comes with: remote stores find a document's rows by the beginning of their ids. Rows of 0.1.0 keep the ids that they
    have.
    """

    id: str
    document: str
    version: str
    generation: int
    ordinal: int
    chunk: str
    uri: str
    title: str
    section: str
    text: str
    start: int
    end: int
    page: int | None
    index_version: str
    vector: NDArray[np.float32]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    head: tuple[int, int] | None = None
    last_page: int | None = None

    @property
    def pages(self) -> tuple[int, int] | None:
        """The first and the last page."""
        return None if self.page is None else (self.page, self.last_page or self.page)

    @property
    def body(self) -> str:
        """The text from `start` to `end`."""
        return self.text[body_at(self.head) :]


class Match(NamedTuple):
    """One answer to a query, best first; higher scores are better, comparable only within one call."""

    id: str
    document: str
    version: str
    score: float
    shard: str = ""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows a search may find, by meaning and by words alike.

    `where` is the user's filter. A row holds at least one term of each set of `required` and none of `excluded`.
    """

    where: Condition | None = None
    required: tuple[frozenset[int], ...] = ()
    excluded: frozenset[int] = frozenset()


EVERYTHING = Selection()


class IndexChanged(Exception):
    """The index that a wording was counted of is there no more, as a newer one was made meanwhile: count again."""


@dataclass(frozen=True, slots=True)
class Found:
    """Rows of several shards, best first, ties by id; and the shards that did not answer, each with the reason."""

    matches: list[Match]
    failed: Mapping[str, str] = field(default_factory=dict)
    vanished: bool = False
    """Whether rows went while they were looked at: others may stand for them by now, which were not looked at."""


@dataclass(frozen=True, slots=True)
class Counted:
    """The words of several shards counted together; and the shards that did not answer, each with the reason."""

    counts: WordCounts
    failed: Mapping[str, str] = field(default_factory=dict)


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
