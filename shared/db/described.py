"""All that the tracking database says of documents in words, and where the rest of it is stored."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from embedmill.shared.db.bulk import among
from embedmill.shared.db.references import find_references
from embedmill.shared.db.schema import document, work
from embedmill.shared.db.sealed import TITLE, open_sealed


@dataclass(frozen=True, slots=True)
class Described:
    """A document, in whatever state, with the origins, sealed or not, and the stored objects of all of its work."""

    id: str
    uri: str
    title: str
    origins: Sequence[Mapping[str, Any]]
    references: Sequence[str]


def list_described(connection: Connection, collection_id: int, *, after: str, limit: int) -> list[Described]:
    """The next documents of a collection by id, `after` one."""
    query = (
        select(document.c.id, document.c.uri, document.c.title)
        .where(document.c.collection_id == collection_id, document.c.id > after)
        .order_by(document.c.id)
        .limit(limit)
    )
    rows = connection.execute(query).all()
    ids = [row.id for row in rows]
    origins, references = _find_origins(connection, ids), find_references(connection, ids)
    titles = {row.id: open_sealed(connection, TITLE, row.title) for row in rows}
    return [Described(row.id, row.uri, titles[row.id], origins[row.id], sorted(references[row.id])) for row in rows]


def _find_origins(connection: Connection, ids: Sequence[str]) -> defaultdict[str, list[Mapping[str, Any]]]:
    found: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in connection.execute(
        select(work.c.document_id, work.c.origin).where(among(connection, work.c.document_id, ids))
    ):
        found[row.document_id].append(row.origin)
    return found


def list_ids(connection: Connection, *, after: str, limit: int) -> list[str]:
    """The next documents of all collections by id, `after` one."""
    query = select(document.c.id).where(document.c.id > after).order_by(document.c.id).limit(limit)
    return list(connection.execute(query).scalars())
