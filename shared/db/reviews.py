"""The review queue: verdicts that a person should look at before anybody acts upon them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, Text, cast, func, select, update

from embedmill.shared.db.bulk import insert_or
from embedmill.shared.db.clock import clock
from embedmill.shared.db.schema import collection, document, review, verdict
from embedmill.shared.errors import NotFound, UserError


@dataclass(frozen=True, slots=True)
class Doubt:
    """A verdict on one chunk of a document, and why it is doubted."""

    collection_id: int
    document_id: str
    chunk: str
    ordinal: int
    address: str
    doubts: tuple[str, ...]


def submit_reviews(connection: Connection, doubts: Sequence[Doubt]) -> None:
    """Put verdicts into the queue; what is in it already, or was resolved, stays as it is."""
    rows = [{name: getattr(doubt, name) for name in Doubt.__slots__} | {"doubts": [*doubt.doubts]} for doubt in doubts]
    if rows:
        connection.execute(insert_or(connection, review).values(created_at=clock()).on_conflict_do_nothing(), rows)


def list_reviews(
    connection: Connection,
    *,
    collection_id: int | None = None,
    resolved: bool = False,
    limit: int = 100,
    open_verdict: Callable[[str], str] = str,
) -> list[dict[str, Any]]:
    """Entries with their verdicts, oldest first; only open ones unless `resolved`. A damaged verdict is None.

    `open_verdict` makes of a verdict as it is stored its JSON.
    """
    query = (
        select(
            review,
            collection.c.name.label("collection"),
            document.c.uri,
            document.c.chunks_ref,
            cast(verdict.c.body, Text).label("verdict"),
            verdict.c.model,
            verdict.c.prompt_hash,
        )
        .join_from(review, collection, collection.c.id == review.c.collection_id)
        .join(document, document.c.id == review.c.document_id)
        .join(verdict, verdict.c.address == review.c.address)
        .where(review.c.resolved_at.is_not(None) if resolved else review.c.resolved_at.is_(None))
        .order_by(review.c.id)
        .limit(limit)
    )
    if collection_id is not None:
        query = query.where(review.c.collection_id == collection_id)
    return [dict(row._mapping) | {"verdict": _shown(open_verdict(row.verdict))} for row in connection.execute(query)]


def _shown(text: str) -> dict[str, Any] | None:
    """A verdict's body; None of one that was damaged and has not been made anew."""
    try:
        body = orjson.loads(text)
    except ValueError:
        return None
    return body if isinstance(body, dict) and "score" in body else None


def count_open_reviews(connection: Connection, collection_id: int) -> int:
    """Entries that wait for a person."""
    query = select(func.count()).where(review.c.collection_id == collection_id, review.c.resolved_at.is_(None))
    return int(connection.execute(query).scalar_one())


def resolve_review(connection: Connection, id_: int, resolution: str) -> list[tuple[int, str]]:
    """Decide about a verdict: every open entry of the same address is resolved with it.

    Returns (collection id, document id) of the documents that the decision is about. Raises NotFound for a number that
    is none, UserError for an entry that was resolved already.
    """
    row = connection.execute(select(review.c.address, review.c.resolution).where(review.c.id == id_)).first()
    if row is None:
        raise NotFound(f"no review entry {id_}", hint="embedmill review list")
    if row.resolution is not None:
        raise UserError(f"review entry {id_} was {row.resolution} already", hint="embedmill review list --resolved")
    query = (
        update(review)
        .where(review.c.address == row.address, review.c.resolved_at.is_(None))
        .values(resolved_at=clock(), resolution=resolution)
        .returning(review.c.collection_id, review.c.document_id)
    )
    connection.execute(update(verdict).where(verdict.c.address == row.address).values(decision=resolution))
    return [(found.collection_id, found.document_id) for found in connection.execute(query)]
