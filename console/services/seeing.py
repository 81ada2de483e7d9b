"""What searches of a collection are told by the tracker, kept for as long as nothing of the collection has changed.

Every switch, change and removal of a document raises a number in its own transaction (`collection_changes`). What was
looked up under a number holds while the collection has it, so a search reads that number and what is not yet known.
"""

from collections.abc import Collection as Ids
from collections.abc import Mapping, MutableMapping, Sequence
from typing import cast

from embedmill.shared.db import documents
from embedmill.shared.db.collection_changes import count_changes
from embedmill.shared.db.collections import get_reading_order
from embedmill.shared.db.engine import Connection, Database
from embedmill.shared.editions import Edition, Seen
from embedmill.shared.paging import pages
from embedmill.shared.sharding import ReadingOrder

# Under SQLite's limit of bound values.
PAGE = 5000
MOST_KNOWN = 20_000
"""Documents whose editions are kept in memory, some 250 bytes each."""


class Sight:
    """Tells the searches of one collection which shards there are, and which documents are seen in which edition."""

    def __init__(self, database: Database, collection_id: int, seen: MutableMapping[int, Seen]) -> None:
        self._database = database
        self._collection_id = collection_id
        self._seen = seen

    def find_shards(self) -> ReadingOrder:
        """The shards in the order in which readers ask them; raises NotFound when the collection was deleted."""
        with self._database.glancing() as connection:
            return get_reading_order(connection, self._collection_id)

    def find_editions(self, ids: Ids[str]) -> Mapping[str, Edition]:
        """The editions of documents that readers see now; those that have none are absent."""
        with self._database.glancing() as connection:
            known = self._seen_in(connection).editions
            found = dict(zip(ids, map(known.get, ids), strict=True))
        return cast("dict[str, Edition]", found) if all(found.values()) else self._read(ids)

    def find_seen(self) -> set[str]:
        """The ids of rows that were found to be seen since anything changed; searches add to them."""
        with self._database.glancing() as connection:
            return self._seen_in(connection).rows

    def _read(self, ids: Ids[str]) -> Mapping[str, Edition]:
        with self._database.read() as connection:
            known = self._seen_in(connection).editions
            found = {id: known[id] for id in ids if id in known}
            read = _look_up(connection, [id for id in ids if id not in found])
            _remember(known, read)
        return found | read

    def _seen_in(self, connection: Connection) -> Seen:
        """What is known as of what the connection sees; others may be at another state meanwhile."""
        changes = count_changes(connection, self._collection_id)
        seen = self._seen.get(self._collection_id)
        if seen is None or seen.changes != changes:
            seen = self._seen[self._collection_id] = Seen(changes, {}, set())
        return seen


def _look_up(connection: Connection, ids: Sequence[str]) -> dict[str, Edition]:
    found: dict[str, Edition] = {}
    for some in pages(ids, PAGE):
        found |= documents.find_active_editions(connection, some)
    return found


def _remember(known: MutableMapping[str, Edition], read: Mapping[str, Edition]) -> None:
    if len(known) + len(read) > MOST_KNOWN:
        known.clear()
    known.update(read)
