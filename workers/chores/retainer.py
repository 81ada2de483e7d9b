"""Whose time has come, as their collections want it, is erased, and so is what is as old beside them."""

from collections import Counter
from functools import partial

from embedmill.shared.collections import read_collection_settings
from embedmill.shared.db import erasures, expiry
from embedmill.shared.db.collections import Collection, list_collections
from embedmill.shared.db.leftovers import DELAYS
from embedmill.shared.erasing import RETENTION
from embedmill.shared.logs import get_logger
from embedmill.shared.runtime import Runtime

log = get_logger()

TOGETHER = 2000
"""Documents of one erasure: each writes the tracking database anew."""
WATCHED_SECONDS = 1.1 * DELAYS[-1]
"""So long after an erasure somebody looks whether a worker has written rows of its documents late."""


def retain(runtime: Runtime) -> int:
    """Begin to erase what is due, some of each collection; returns how many documents."""
    begun = sum(_retain(runtime, collection) for collection in runtime.database.query(list_collections))
    runtime.database.transact(erasures.forget_watched, older_than_seconds=WATCHED_SECONDS)
    return begun


def _retain(runtime: Runtime, collection: Collection) -> int:
    days = read_collection_settings(collection.settings).retain_days
    if not days:
        return 0
    due = runtime.database.query(expiry.list_expired, collection.id, days=days, limit=TOGETHER)
    if due:
        from embedmill.workers.erasing import eraser

        eraser.begin(runtime, due, cause=RETENTION)
    gone = Counter[str](_forget(runtime, collection, days))
    if due or gone.total():
        log.info("retention.kept", collection=collection.id, documents=len(due), rows=gone.total())
    return len(due)


def _forget(runtime: Runtime, collection: Collection, days: float) -> Counter[str]:
    gone, forget = Counter[str](), partial(expiry.forget_expired, collection_id=collection.id, days=days)
    while (some := Counter(runtime.database.transact(forget))).total():
        gone += some
    return gone
