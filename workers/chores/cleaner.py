"""The cleaner: removes stored objects that nothing refers to any more, and records of queries that are old."""

from embedmill.shared.db.engine import Database
from embedmill.shared.db.manifest import list_referenced_objects
from embedmill.shared.db.query_records import FORGOTTEN_AT_ONCE, forget_records
from embedmill.shared.providers.blobs.base import BlobStore

# An object is written before the row that names it; younger ones may still be on their way into the database.
YOUNGEST_SECONDS = 3600.0
DAY_SECONDS = 86_400.0


def clean(database: Database, blobs: BlobStore, *, youngest_seconds: float = YOUNGEST_SECONDS) -> int:
    """Delete unreferenced objects older than `youngest_seconds`; returns how many."""
    old = [object_ for object_, age in blobs.list_objects() if age >= youngest_seconds]
    if not old:
        return 0
    with database.read() as connection:
        kept = list_referenced_objects(connection)
    garbage = [object_ for object_ in old if object_ not in kept]
    for object_ in garbage:
        blobs.delete(object_)
    return len(garbage)


def forget_queries(database: Database, *, days: float) -> int:
    """Delete records of queries that are so old and that nobody judged; returns how many. 0 keeps all."""
    gone, some = 0, FORGOTTEN_AT_ONCE if days else 0
    while some == FORGOTTEN_AT_ONCE:
        some = database.transact(forget_records, older_than_seconds=DAY_SECONDS * days)
        gone += some
    return gone
