"""The ids of documents that were erased, encrypted: a worker that was frozen may write rows of theirs later."""

from collections.abc import Iterator, Mapping

import orjson

from embedmill.shared.db.leftovers import ANY, Leftover
from embedmill.shared.runtime import Runtime
from embedmill.shared.sealing.envelope import DataKey, seal, unseal

PURPOSE = "erased documents"
PLACE = b"erasure"


def seal_ids(runtime: Runtime, documents: Mapping[str, int]) -> bytes:
    """Documents, given with their collections' numbers, as only this installation reads them."""
    return seal(_key(runtime), PLACE, orjson.dumps(documents))


def open_ids(runtime: Runtime, sealed: bytes) -> Iterator[Leftover]:
    """What may be left of them: a row of whatever generation."""
    documents = orjson.loads(unseal(_key(runtime), PLACE, sealed))
    return (Leftover(collection_id, id, ANY) for id, collection_id in documents.items())


def _key(runtime: Runtime) -> DataKey:
    return DataKey(runtime.keys.key_id, runtime.keys.derive(PURPOSE))
