"""The recutter: cuts anew, a moment at a time, what another version of the cutter cut, where nobody bills for it."""

import time
from pkgutil import resolve_name

from embedmill.shared.db.collections import Collection, list_collections
from embedmill.shared.errors import EmbedmillError, ShardDamaged, StorageFailed
from embedmill.shared.logs import get_logger
from embedmill.shared.providers.vectorstores.table import find_offer, is_remote, key_of, may_lag
from embedmill.shared.runtime import Runtime

log = get_logger()

CHORE_SECONDS = 1.0


def cut_everywhere(runtime: Runtime) -> None:
    """Cut anew, for a moment, what another cutter cut. Stores are opened where there may be something to cut."""
    url = runtime.settings.vector_url
    if is_remote(url) and find_offer(url) is not None:
        return
    deadline = time.monotonic() + CHORE_SECONDS
    for collection in runtime.database.query(list_collections):
        if not _may_lag(runtime, collection):
            continue
        cut_anew = resolve_name("embedmill.workers.word_counts:cut_anew")
        try:
            cut_anew(runtime, collection, collection.reading_shards, deadline=deadline)
        except EmbedmillError as error:
            if isinstance(error, StorageFailed) and not isinstance(error, ShardDamaged):
                raise
            log.warning("words.not_cut", collection=collection.id, error_class=type(error).__name__)


def _may_lag(runtime: Runtime, collection: Collection) -> bool:
    place = (runtime.home, key_of(collection.id), collection.reading_shards)
    return may_lag(runtime.settings.vector_url, *place, dimensions=collection.dimensions)
