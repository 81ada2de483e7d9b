"""Sources as people look for them: which there are, what each claims, and who claims a document."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, or_, select

from embedmill.shared.db.bulk import among
from embedmill.shared.db.collections import get_collection
from embedmill.shared.db.schema import claim, collection, source
from embedmill.shared.errors import NotFound, UserError


@dataclass(frozen=True, slots=True)
class KnownSource:
    """A source on record; `documents` are those that it claims, `scanned_at` when it was last read to its end."""

    id: int
    collection: str
    spec: dict[str, Any]
    state: str
    documents: int
    scanned_at: float | None

    @property
    def uri(self) -> str:
        """What it reads."""
        return str(self.spec.get("uri", ""))


def _select() -> Any:
    count = select(func.count()).where(claim.c.source_id == source.c.id, ~claim.c.leaving).scalar_subquery()
    return select(
        source.c.id,
        collection.c.name.label("collection"),
        source.c.spec,
        source.c.state,
        count.label("documents"),
        source.c.scanned_at,
    ).join_from(source, collection, collection.c.id == source.c.collection_id)


def list_sources(
    connection: Connection, *, collection_name: str | None, limit: int, after: int = 0, seen: Any = None
) -> list[KnownSource]:
    """Sources in the order in which they were first named; raises NotFound for a collection that there is not.

    `seen` is what else they have to meet: to claim documents that somebody sees.
    """
    query = _select().where(source.c.id > after).order_by(source.c.id).limit(limit)
    if seen is not None:
        query = query.where(seen)
    if collection_name is not None:
        query = query.where(source.c.collection_id == get_collection(connection, collection_name).id)
    return [KnownSource(**row._mapping) for row in connection.execute(query)]


def find_source(
    connection: Connection, names: Sequence[str], *, collection_name: str | None = None, seen: Any = None
) -> KnownSource:
    """The source that has one of `names` as its number or its URI; raises NotFound, UserError when several have."""
    numbers = [int(name) for name in names if name.isdecimal()]
    by_name = source.c.spec["uri"].as_string().in_(names)
    query = _select().where(or_(source.c.id.in_(numbers), by_name)).order_by(source.c.id)
    if seen is not None:
        query = query.where(seen)
    if collection_name is not None:
        query = query.where(source.c.collection_id == get_collection(connection, collection_name).id)
    found = [KnownSource(**row._mapping) for row in connection.execute(query)]
    if not found:
        raise NotFound(f"no source {names[0]!r}", hint="embedmill sources list")
    if len(found) > 1:
        each = ", ".join(f"{known.id} ({known.collection})" for known in found)
        raise UserError(f"{names[0]!r} is several sources: {each}", hint="Name one by its number.")
    return found[0]


def find_claims(connection: Connection, ids: Sequence[str]) -> dict[str, list[str]]:
    """The URIs of the sources that claim each document."""
    query = (
        select(claim.c.document_id, source.c.spec)
        .join_from(claim, source, source.c.id == claim.c.source_id)
        .where(among(connection, claim.c.document_id, ids), ~claim.c.leaving)
        .order_by(claim.c.document_id, claim.c.source_id)
    )
    found: dict[str, list[str]] = {}
    for row in connection.execute(query):
        found.setdefault(row.document_id, []).append(str(row.spec.get("uri", "")))
    return found
