"""What is known of a job's documents before they are read: how many, how large, and some of them to look at."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from embedmill.shared import stages
from embedmill.shared.db.schema import document, work


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many documents there are, and the sum of their sizes."""

    documents: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class SizedDocument:
    """A document that a job writes: `size` is a guess from its bytes until it is split, and then its chunks' tokens."""

    uri: str
    title: str
    size: int
    origin: Mapping[str, Any]
    is_split: bool


def sum_sizes(connection: Connection, job_id: int) -> dict[bool, Sizes]:
    """What a job writes, apart for what is split already; their sizes are of two kinds."""
    is_split = work.c.stage != stages.first()
    query = (
        select(is_split.label("is_split"), func.count().label("documents"), func.sum(work.c.size).label("size"))
        .where(work.c.job_id == job_id, ~work.c.deletes)
        .group_by(is_split)
    )
    return {bool(row.is_split): Sizes(int(row.documents), int(row.size)) for row in connection.execute(query)}


def list_some(connection: Connection, job_id: int, *, documents: int, most: int) -> list[SizedDocument]:
    """At most about `most` of a job's `documents`, evenly spread over the order in which they were submitted."""
    step = max(1, documents // most)
    is_split = work.c.stage != stages.first()
    query = (
        select(document.c.uri, work.c.title, work.c.size, work.c.origin, is_split.label("is_split"))
        .join_from(work, document)
        .where(work.c.job_id == job_id, work.c.id % step == 0, ~work.c.deletes)
        .order_by(work.c.id)
        .limit(2 * most)
    )
    return [SizedDocument(r.uri, r.title, int(r.size), r.origin, bool(r.is_split)) for r in connection.execute(query)]
