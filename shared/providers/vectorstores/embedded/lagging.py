"""Owns a look at a store's files for rows that wait for today's cutter, without what reads words and vectors."""

from collections.abc import Iterable
from pathlib import Path

from embedmill.shared.errors import StorageFailed
from embedmill.shared.providers.vectorstores.embedded import cipher, listing
from embedmill.shared.providers.vectorstores.embedded.shard_file import ShardFile, folder_of_store, path_of
from embedmill.shared.words import cutter


def may_lag(home: Path, collection_key: str, shards: Iterable[str], *, dimensions: int) -> bool:
    """Whether a shard has words of another cutter, or too few of today's, or cannot be read here."""
    ours = folder_of_store(home, collection_key)
    folders = [ours, *ours.parent.glob(f"{ours.name}-*")]
    return any(_may_lag(path_of(folder, shard), dimensions) for folder in folders for shard in shards)


def _may_lag(path: Path, dimensions: int) -> bool:
    if cipher.key_id_of(path):
        return True
    file = ShardFile(path, dimensions=dimensions)
    try:
        with file.read() as connection:
            return connection is not None and (
                listing.lags(connection, cutter.VERSION) or bool(listing.former_cutters(connection, cutter.VERSION))
            )
    except StorageFailed:
        return True
    finally:
        file.close()
