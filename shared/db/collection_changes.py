"""How often what readers see of a collection has changed: what was found before a change is not found after it.

Triggers count (migration 0028), in the very transaction that shows, changes or removes a document, or the terms by
which questions are understood. So no writer can forget it, and nobody sees a change and the number before it.
"""

from sqlalchemy import Connection, Insert, bindparam, delete, func, select

from embedmill.shared.db.bulk import insert_or
from embedmill.shared.db.engine import glance
from embedmill.shared.db.schema import collection_change

SUMMED = -1
"""In the place of a writer, of the changes that were added up."""
MOVES = -2
"""In the place of a writer, of documents that go from a shard to another."""
MANY = 64
"""Writers whose changes are worth adding up."""
_COUNT_IN_FILE = "SELECT coalesce(sum(changes), 0) FROM collection_change WHERE collection_id = ?"
_COUNT_MOVES = select(func.coalesce(func.sum(collection_change.c.changes), 0)).where(
    collection_change.c.collection_id == bindparam("collection_id"), collection_change.c.writer == MOVES
)
_COUNT = select(func.coalesce(func.sum(collection_change.c.changes), 0)).where(
    collection_change.c.collection_id == bindparam("collection_id")
)


def count_changes(connection: Connection, collection_id: int) -> int:
    """A number that every change raises, and that never falls."""
    if connection.dialect.name == "sqlite":
        ((changes,),) = glance(connection, _COUNT_IN_FILE, collection_id)
        return int(changes)
    return int(connection.execute(_COUNT, {"collection_id": collection_id}).scalar_one())


def count_moves(connection: Connection, collection_id: int) -> int:
    """How often documents have gone from a shard to another."""
    return int(connection.execute(_COUNT_MOVES, {"collection_id": collection_id}).scalar_one())


def note_move(connection: Connection, collection_id: int) -> None:
    """Documents are about to go from shards where readers may have found them."""
    connection.execute(_add(connection, collection_id, MOVES, 1))


def add_up_changes(connection: Connection) -> int:
    """Make one row of those that sessions left on Postgres, where they are many; returns how many collections had."""
    crowded = (
        select(collection_change.c.collection_id)
        .group_by(collection_change.c.collection_id)
        .having(func.count() > MANY)
    )
    found = list(connection.execute(crowded).scalars())
    for collection_id in found:
        _add_up(connection, collection_id)
    return len(found)


def _add_up(connection: Connection, collection_id: int) -> None:
    """Sessions that are counting at this moment keep their rows."""
    of_it = collection_change.c.collection_id == collection_id
    held = select(collection_change.c.writer).where(of_it).with_for_update(skip_locked=True)
    writers = list(connection.execute(held.where(collection_change.c.writer != MOVES)).scalars())
    gone = delete(collection_change).where(of_it, collection_change.c.writer.in_(writers))
    total = sum(connection.execute(gone.returning(collection_change.c.changes)).scalars())
    connection.execute(_add(connection, collection_id, SUMMED, total))


def _add(connection: Connection, collection_id: int, writer: int, changes: int) -> Insert:
    add = insert_or(connection, collection_change)
    added: Insert = add.values(collection_id=collection_id, writer=writer, changes=changes).on_conflict_do_update(
        index_elements=[collection_change.c.collection_id, collection_change.c.writer],
        set_={"changes": collection_change.c.changes + add.excluded.changes},
    )
    return added
