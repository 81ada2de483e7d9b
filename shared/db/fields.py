"""The metadata of a collection's documents, some of them where there are many."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, and_, select

from embedmill.shared.db.schema import document, work


def list_metadata(connection: Connection, collection_id: int, *, most: int) -> list[Mapping[str, Any]]:
    """Of at most so many indexed documents, those with the least ids: ids are random, and so is what is left out."""
    came_with = and_(work.c.document_id == document.c.id, work.c.generation == document.c.active_generation)
    query = (
        select(document.c.id, work.c.origin)
        .join_from(document, work, came_with)
        .where(document.c.collection_id == collection_id, document.c.active_version.is_not(None), ~work.c.deletes)
        .order_by(document.c.id, work.c.id)
        .limit(most)
    )
    found = {row.id: row.origin for row in connection.execute(query)}
    return [origin.get("metadata") or {} for origin in found.values()]
