"""Owns what readers thought of hits: kept with the record of the query, and added up by query."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, case, func, select

from embedmill.shared.access.labels import Reach
from embedmill.shared.db.bulk import insert_or
from embedmill.shared.db.clock import clock
from embedmill.shared.db.schema import collection, document, feedback, query_record
from embedmill.shared.db.sealed import FEEDBACK, QUERY, open_sealed
from embedmill.shared.db.visibility import is_seen
from embedmill.shared.encoding import is_storable, make_storable


@dataclass(frozen=True, slots=True)
class Shown:
    """A result as it was shown: its hits as `document/chunk`, which begin with `first_rank`."""

    id: str
    collection: str
    collection_id: int
    hash: str
    text: str | None
    shown: Sequence[str]
    first_rank: int


def find_shown(connection: Connection, id_: str | None) -> Shown | None:
    """A result by its id; the newest for None."""
    if id_ is not None and not is_storable(id_):
        return None
    query = select(
        query_record.c.id,
        collection.c.name.label("collection"),
        query_record.c.collection_id,
        query_record.c.hash,
        query_record.c.text,
        query_record.c.shown,
        query_record.c.first_rank,
    ).join_from(query_record, collection, collection.c.id == query_record.c.collection_id)
    wanted = query.order_by(query_record.c.created_at.desc()).limit(1)
    row = connection.execute(wanted if id_ is None else query.where(query_record.c.id == id_)).first()
    return None if row is None else Shown(**_opened(connection, row._mapping))


def find_uri(connection: Connection, document_id: str) -> str | None:
    """The address of a document, as long as it is known."""
    return connection.execute(select(document.c.uri).where(document.c.id == document_id)).scalar()


def put_feedback(
    connection: Connection, query_id: str, document_id: str, chunk: str, *, helpful: bool, why: str | None
) -> None:
    """Keep what somebody thought of a hit, in the place of what was thought of it before."""
    query = insert_or(connection, feedback).values(
        query_id=query_id,
        document_id=document_id,
        chunk=chunk,
        helpful=helpful,
        why=None if why is None else make_storable(why),
        created_at=clock(),
    )
    changed = {name: query.excluded[name] for name in ("helpful", "why", "created_at")}
    keys = [feedback.c.query_id, feedback.c.document_id, feedback.c.chunk]
    connection.execute(query.on_conflict_do_update(index_elements=keys, set_=changed))


@dataclass(frozen=True, slots=True)
class Of:
    """Whose queries, and of what: those of a collection, or of all; of one asker, and hits that are within reach."""

    collection_id: int | None = None
    asked_by: str | None = None
    reach: Reach | None = None

    def of_queries(self, query: Select[Any]) -> Select[Any]:
        """The records of queries."""
        if self.collection_id is not None:
            query = query.where(query_record.c.collection_id == self.collection_id)
        return query if self.asked_by is None else query.where(query_record.c.asked_by == self.asked_by)

    def of_hits(self, query: Select[Any]) -> Select[Any]:
        """The same, and what was said of their hits."""
        if self.reach is not None:
            query = query.where(feedback.c.document_id.in_(select(document.c.id).where(is_seen(self.reach))))
        return self.of_queries(query)


def sum_queries(connection: Connection, of: Of) -> tuple[int, int]:
    """How many queries were asked, and how many of them somebody has judged."""
    judged = select(func.count(feedback.c.query_id.distinct())).join_from(
        feedback, query_record, feedback.c.query_id == query_record.c.id
    )
    asked = select(func.count()).select_from(query_record)
    found = [connection.execute(query).scalar_one() for query in (of.of_queries(asked), of.of_hits(judged))]
    return int(found[0]), int(found[1])


def sum_feedback(connection: Connection, of: Of) -> list[Mapping[str, Any]]:
    """What was thought of the hits of each judged query, the least helpful first.

    Each has `collection`, `query` (its hash), `text` where that is kept, `helpful` and `not_helpful`.
    """
    helpful, not_helpful = _count(feedback.c.helpful), _count(~feedback.c.helpful)
    query = (
        select(
            collection.c.name.label("collection"),
            query_record.c.hash.label("query"),
            func.max(query_record.c.text).label("text"),
            helpful.label("helpful"),
            not_helpful.label("not_helpful"),
        )
        .join_from(feedback, query_record, feedback.c.query_id == query_record.c.id)
        .join(collection, collection.c.id == query_record.c.collection_id)
        .group_by(collection.c.name, query_record.c.hash)
        .order_by((helpful - not_helpful), not_helpful.desc(), collection.c.name, query_record.c.hash)
    )
    return [_opened(connection, row) for row in connection.execute(of.of_hits(query)).mappings()]


def _opened(connection: Connection, row: Mapping[Any, Any]) -> dict[str, Any]:
    return {**row, "text": open_sealed(connection, QUERY, row["text"])}


def list_reasons(connection: Connection, of: Of) -> list[tuple[str, str, str]]:
    """Why hits were not helpful, the newest first: collection, the query's hash, and what was said."""
    query = (
        select(collection.c.name, query_record.c.hash, feedback.c.why)
        .join_from(feedback, query_record, feedback.c.query_id == query_record.c.id)
        .join(collection, collection.c.id == query_record.c.collection_id)
        .where(feedback.c.why.is_not(None), ~feedback.c.helpful)
        .order_by(feedback.c.created_at.desc(), feedback.c.id.desc())
    )
    found = connection.execute(of.of_hits(query))
    return [(name, hash_, open_sealed(connection, FEEDBACK, why)) for name, hash_, why in found]


def list_judged(connection: Connection, collection_id: int) -> list[Mapping[str, Any]]:
    """How often each document was helpful or not to each query, by `query` (its hash) and `document`."""
    query = (
        select(
            query_record.c.hash.label("query"),
            func.max(query_record.c.text).label("text"),
            feedback.c.document_id.label("document"),
            _count(feedback.c.helpful).label("helpful"),
            _count(~feedback.c.helpful).label("not_helpful"),
        )
        .join_from(feedback, query_record, feedback.c.query_id == query_record.c.id)
        .group_by(query_record.c.hash, feedback.c.document_id)
        .order_by(query_record.c.hash, feedback.c.document_id)
    )
    found = connection.execute(Of(collection_id).of_hits(query))
    return [_opened(connection, row) for row in found.mappings()]


def _count(where: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((where, 1), else_=0))
