"""Owns the finding of shards that hold nothing though the records say that they hold documents.

A store takes a shard that is gone for one that was never written. So a shard that has nothing to say is asked for one
document that has to be there, its witness; as documents spread evenly, one is found among the first few.
"""

import time
from collections.abc import Sequence
from itertools import islice

from embedmill.shared.db import collections, manifest
from embedmill.shared.db.collections import Collection
from embedmill.shared.db.manifest import Tracked
from embedmill.shared.errors import EmbedmillError
from embedmill.shared.providers.vectorstores.base import VectorStore
from embedmill.shared.runtime import Runtime

PAGE = 200
PAGES = 50
"""Among so many documents there is one of every shard, or the shard may well be empty."""
BELIEVED_SECONDS = 60.0
"""So long a shard that gave its witness is not asked again: a service bills each question."""
LOST = "it lacks what the records say that it holds"


class ShardWatch:
    """Watches the shards of one collection; remembers their witnesses."""

    def __init__(self, runtime: Runtime, collection_id: int, store: VectorStore) -> None:
        self._database = runtime.database
        self._collection_id = collection_id
        self._store = store
        self._witnesses: dict[str, Tracked] = {}
        self._believed_until: dict[str, float] = {}

    def find_lost(self, shards: Sequence[str]) -> dict[str, str]:
        """Those of the shards that lack what they should hold, and those that cannot say, each with the reason."""
        doubted = [shard for shard in shards if self._believed_until.get(shard, 0.0) <= time.monotonic()]
        self._find_witnesses(doubted)
        lost: dict[str, str] = {}
        for shard in doubted:
            if shard in self._witnesses and (reason := self._question(shard)):
                lost[shard] = reason
        return lost

    def _question(self, shard: str) -> str:
        witness = self._witnesses[shard]
        try:
            if self._store.count_versions(shard, {witness.id: witness.version})[witness.id]:
                self._believed_until[shard] = time.monotonic() + BELIEVED_SECONDS
                return ""
        except EmbedmillError as error:
            return str(error)
        # What was replaced, removed or moved since it was read is no witness.
        del self._witnesses[shard]
        return LOST if self._still_at_home(witness, shard) else ""

    def _still_at_home(self, witness: Tracked, shard: str) -> bool:
        with self._database.read() as connection:
            collection = collections.get_collection_by_id(connection, self._collection_id)
            tracked = manifest.find_tracked(connection, self._collection_id, [witness.id])
        return tracked.get(witness.id) == witness and _is_home(collection, witness, shard)

    def _find_witnesses(self, shards: Sequence[str]) -> None:
        if not (wanted := set(shards) - self._witnesses.keys()):
            return
        with self._database.read() as connection:
            collection = collections.get_collection_by_id(connection, self._collection_id)
        # What a move brings or takes away has no document of which that is certain.
        wanted &= set(collection.shards) & set(collection.leaving or collection.shards)
        for page in islice(manifest.walk_tracked(self._database, self._collection_id, page=PAGE), PAGES):
            for tracked in page:
                home = collection.home(tracked.id)
                if home in wanted and tracked.indexed and _is_home(collection, tracked, home):
                    self._witnesses[home] = tracked
                    wanted.remove(home)
            if not wanted:
                return


def _is_home(collection: Collection, tracked: Tracked, shard: str) -> bool:
    """Whether a document is at a shard and nowhere else, as it is unless it is being moved."""
    return collection.home(tracked.id) == shard and collection.former_home(tracked.id) is None
