"""Which documents somebody sees, by the labels of what is indexed of them, as stores are asked (`Reach.condition`)."""

from collections.abc import Mapping

from sqlalchemy import ColumnElement, Connection, and_, false, or_, select, true

from embedmill.shared.access.labels import Reach
from embedmill.shared.db.bulk import among
from embedmill.shared.db.schema import document


def is_seen(reach: Reach | None) -> ColumnElement[bool]:
    """Whether a document is indexed and within reach; without a reach, every document is, indexed or not."""
    if reach is None:
        return true()
    labels = [document.c.access.in_(sorted(reach.levels)), document.c.owner == reach.name]
    default = [document.c.access.is_(None)] if reach.unlabelled else []
    theirs = [document.c.owner.is_(None)] if reach.unowned else []
    return and_(document.c.active_version.is_not(None), or_(*labels, *default, *theirs))


def is_seen_in(reaches: Mapping[int, Reach]) -> ColumnElement[bool]:
    """The same in some collections, by their ids; in others, no document is."""
    each = [and_(document.c.collection_id == id_, is_seen(reach)) for id_, reach in reaches.items()]
    return or_(false(), *each)


def find_seen(connection: Connection, ids: list[str], reach: Reach | None) -> set[str]:
    """Those of some documents that are within reach."""
    query = select(document.c.id).where(among(connection, document.c.id, ids), is_seen(reach))
    return set(connection.execute(query).scalars())
