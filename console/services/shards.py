"""Owns the health of a collection's shards: which cannot be read, and which lack what they should hold."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from embedmill.console.services.lost_shards import ShardWatch
from embedmill.shared.db.collections import Collection
from embedmill.shared.errors import EmbedmillError, ShardDamaged
from embedmill.shared.providers.vectorstores.base import VectorStore
from embedmill.shared.runtime import Runtime


def find_unreadable(store: VectorStore, shards: Iterable[str]) -> dict[str, EmbedmillError]:
    """The shards that cannot be read, as far as their structure tells, each with the reason."""
    found: dict[str, EmbedmillError] = {}
    for shard in shards:
        try:
            store.examine(shard)
        except EmbedmillError as error:
            found[shard] = error
    return found


def find_silent(unreadable: Mapping[str, EmbedmillError]) -> dict[str, EmbedmillError]:
    """Those of them that are not damaged: they do not answer now, or may not be read, and may well be whole."""
    return {shard: error for shard, error in unreadable.items() if not isinstance(error, ShardDamaged)}


def find_lost(runtime: Runtime, collection: Collection, shards: Sequence[str]) -> dict[str, str]:
    """Of the shards that can be read, those that lack what they should hold, each with the reason."""
    return ShardWatch(runtime, collection.id, runtime.store(collection)).find_lost(shards)


def set_aside(store: VectorStore, unreadable: Mapping[str, EmbedmillError]) -> dict[str, str]:
    """Put those aside that are damaged; returns where each of them is kept. The others are left as they are."""
    kept: dict[str, str] = {}
    for shard, error in unreadable.items():
        if isinstance(error, ShardDamaged):
            with suppress(EmbedmillError):
                kept[shard] = store.set_aside(shard)
    return kept
