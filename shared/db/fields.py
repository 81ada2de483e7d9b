"""The metadata of a collection's documents, some of them where there are many."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, and_, select

from embedmill.shared.access.labels import Reach
from embedmill.shared.db.schema import document, work
from embedmill.shared.db.visibility import is_seen


def list_metadata(
    connection: Connection, collection_id: int, *, most: int, reach: Reach | None = None
) -> list[Mapping[str, Any]]:
    """Of at most so many indexed documents within reach: those with the least ids, which are random."""
    came_with = and_(work.c.document_id == document.c.id, work.c.generation == document.c.active_generation)
    query = (
        select(document.c.id, work.c.origin)
        .join_from(document, work, came_with)
        .where(document.c.collection_id == collection_id, document.c.active_version.is_not(None), ~work.c.deletes)
        .where(is_seen(reach))
        .order_by(document.c.id, work.c.id)
        .limit(most)
    )
    found = {row.id: row.origin for row in connection.execute(query)}
    return [origin.get("metadata") or {} for origin in found.values()]
