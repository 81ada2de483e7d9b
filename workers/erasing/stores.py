"""Vector stores: every row of a document goes, from every shard of every index version, and from the disk below."""

from collections.abc import Iterator, Sequence

from embedmill.shared.db.collections import Collection, find_collection_by_id
from embedmill.shared.providers.vectorstores.base import VectorStore
from embedmill.shared.providers.vectorstores.table import is_remote
from embedmill.workers.erasing.base import Done, ErasureRun, Left, Some, require

LAST = 2**31 - 1
"""Above every generation."""
LATER = "somebody has time for it: whoever uses the table waits meanwhile"


def remove(run: ErasureRun) -> Done:
    """Delete rows and have the stores say that there are none; raises NotYetErased while one has some."""
    rows, touched = 0, set[tuple[int, int, str]]()
    for some in run.walk():
        for collection, store, shard in _shards(run, some):
            gone = store.delete_stale(shard, dict.fromkeys(some.ids, LAST))
            held = store.find_editions(shard, some.ids)
            require(not held, f"shard {shard} of collection {collection.name} still has rows")
            rows += gone
            if gone or shard in _homes(collection, some.ids):
                touched.add((some.collection_id, collection.index_version, shard))
    left = {store.expunge(shard) for place in touched for collection, store, shard in _find(run, *place)}
    return Done({"rows": rows}, [*(Left(where, LATER) for where in sorted(left) if where), *_left(run)])


def _find(
    run: ErasureRun, collection_id: int, version: int, shard: str
) -> Iterator[tuple[Collection, VectorStore, str]]:
    found = run.runtime.database.query(find_collection_by_id, collection_id)
    for collection in run.versions(found) if found else ():
        if collection.index_version == version:
            yield collection, run.runtime.store(collection), shard


def _homes(collection: Collection, ids: Sequence[str]) -> set[str | None]:
    """Shards that may hold bytes of rows that were deleted before."""
    return {place for id in ids for place in (collection.home(id), collection.former_home(id))}


def _shards(run: ErasureRun, some: Some) -> Iterator[tuple[Collection, VectorStore, str]]:
    for collection in run.versions(some.collection) if some.collection else ():
        for shard in collection.reading_shards:
            yield collection, run.runtime.store(collection), shard


def find_held(run: ErasureRun) -> int:
    """How many rows the stores say that they have."""
    return sum(
        rows
        for some in run.walk()
        for _, store, shard in _shards(run, some)
        for _, _, rows in store.find_editions(shard, some.ids)
    )


def _left(run: ErasureRun) -> list[Left]:
    url = run.runtime.settings.vector_url
    service = url.partition(":")[0]
    if not is_remote(url):
        return []
    until = {
        "pinecone": "as its service removes deleted records from its own storage; backups and collections made there",
    }
    server = "its write-ahead log, until that is written over; its archives, base backups and replicas"
    return [Left(f"the vector store ({service})", until.get(service, server))]
