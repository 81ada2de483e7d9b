"""The sweeper: removes rows that workers may have written after they had lost their work, and that nobody sees.

A worker that lives takes back what it wrote too late. One that was killed before it could, or whose last request was
delivered after its death, cannot. Its rows have names of their own, so that removing them can be done at any time, and
as often as one likes.
"""

from collections.abc import Sequence, Set
from itertools import groupby
from typing import TYPE_CHECKING

from embedmill.shared.db.collections import Collection, get_collection_by_id
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.erasures import list_watched
from embedmill.shared.db.flow import lock_value, read_value, write_value
from embedmill.shared.db.leftovers import ANY, DELAYS, Leftover, find_leftovers
from embedmill.shared.editions import Edition
from embedmill.shared.errors import EmbedmillError, StorageFailed
from embedmill.shared.logs import get_logger
from embedmill.shared.paging import pages
from embedmill.shared.runtime import Runtime
from embedmill.workers.erasing.watching import open_ids

if TYPE_CHECKING:
    from embedmill.shared.providers.vectorstores.base import VectorStore

log = get_logger()

KEY = "sweeper"
UNTIL = "until"
PAGE = 500


def sweep(runtime: Runtime) -> int:
    """Remove what is due; returns how many rows went. What a store refuses now is due again at the next delay."""

    def find(connection: Connection) -> tuple[float, list[Leftover], list[bytes]]:
        value, now = read_value(connection, KEY)
        since = float(value.get(UNTIL, now - DELAYS[-1]))
        watched = list_watched(connection, since=since, until=now, delays=DELAYS)
        return now, find_leftovers(connection, since=since, until=now), watched

    now, found, watched = runtime.database.query(find)
    found += (left for sealed in watched for left in open_ids(runtime, sealed))
    gone = sum(_try(runtime, id, list(some)) for id, some in groupby(found, lambda entry: entry.collection_id))

    def note(connection: Connection) -> None:
        lock_value(connection, KEY)
        write_value(connection, KEY, {UNTIL: now})

    runtime.database.transact(note)
    return gone


def _try(runtime: Runtime, collection_id: int, found: Sequence[Leftover]) -> int:
    try:
        gone = _sweep(runtime, collection_id, found)
    except StorageFailed:
        raise
    except EmbedmillError as error:
        log.warning("sweeper.refused", collection=collection_id, error_class=type(error).__name__)
        return 0
    if gone:
        log.warning("sweeper.swept", collection=collection_id, rows=gone)
    return gone


def _sweep(runtime: Runtime, collection_id: int, found: Sequence[Leftover]) -> int:
    collection: Collection = runtime.database.query(lambda connection: get_collection_by_id(connection, collection_id))
    store = runtime.store(collection)
    return sum(_remove(store, shard, some) for shard in collection.reading_shards for some in pages(found, PAGE))


def _remove(store: "VectorStore", shard: str, found: Sequence[Leftover]) -> int:
    # It brings numpy, which a command that has nothing to remove does without.
    from embedmill.shared.providers.vectorstores.rows import edition_of

    wanted = {(entry.document_id, entry.generation) for entry in found}
    held = store.find_editions(shard, sorted({entry.document_id for entry in found}))
    documents = {document for document, edition, _ in held if _is_in(wanted, document, edition)}
    if not documents:
        return 0
    rows = store.fetch_documents(shard, sorted(documents))
    gone = [id for id, row in rows.items() if _is_in(wanted, row.document, edition_of(row))]
    return store.delete_ids(shard, gone)


def _is_in(wanted: Set[tuple[str, int]], document: str, edition: Edition) -> bool:
    return (document, edition.generation) in wanted or (document, ANY) in wanted
