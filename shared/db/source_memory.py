"""What sources keep from one scan to the next, by key; written under the fence of a scan, with what it met."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import ARRAY, Connection, any_, bindparam, delete, select

from embedmill.shared.addresses import digest
from embedmill.shared.db.bulk import among, upsert_each
from embedmill.shared.db.schema import source_memory

PAGE = 1000

_OF_SOURCE = select(source_memory.c.key, source_memory.c.value).where(source_memory.c.source_id == bindparam("source"))
_address = source_memory.c.address
# Made once, as a crawl looks for each page by itself.
_FIND = {
    "sqlite": _OF_SOURCE.where(_address.in_(bindparam("addresses", expanding=True))),
    "postgresql": _OF_SOURCE.where(_address == any_(bindparam("addresses", type_=ARRAY(_address.type)))),
}


def address_of(key: str) -> str:
    """Where a key is: keys may be longer than an index takes, and hold what a text on a server cannot."""
    return digest("memory", key)


def write_memory(connection: Connection, source_id: int, changes: Mapping[str, Mapping[str, Any] | None]) -> None:
    """Keep values by their keys, and forget those that are None; the caller holds the fence of the source's scan."""
    kept = [
        {"address": address_of(key), "key": _as_json(key), "value": _as_json(value)}
        for key, value in changes.items()
        if value is not None
    ]
    if kept:
        ordered = sorted(kept, key=lambda row: row["address"])
        upsert_each(connection, source_memory, ordered, keys=("source_id", "address"), source_id=source_id)
    if gone := [address_of(key) for key, value in changes.items() if value is None]:
        mine = source_memory.c.source_id == source_id
        connection.execute(delete(source_memory).where(mine, among(connection, source_memory.c.address, gone)))


def find_memory(connection: Connection, source_id: int, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The values of those keys that there are."""
    query = _FIND[connection.dialect.name]
    given = {"source": source_id, "addresses": [address_of(key) for key in keys]}
    return {orjson.loads(row.key): orjson.loads(row.value) for row in connection.execute(query, given)}


def list_memory(connection: Connection, source_id: int, *, after: str) -> list[tuple[str, dict[str, Any]]]:
    """The next page of keys with their values, by address, after that of a key."""
    query = select(source_memory.c.key, source_memory.c.value).where(source_memory.c.source_id == source_id)
    if after:
        query = query.where(source_memory.c.address > address_of(after))
    rows = connection.execute(query.order_by(source_memory.c.address).limit(PAGE))
    return [(orjson.loads(row.key), orjson.loads(row.value)) for row in rows]


def forget_memory(connection: Connection, source_id: int) -> None:
    """All of a source's memory."""
    connection.execute(delete(source_memory).where(source_memory.c.source_id == source_id))


def _as_json(value: Any) -> str:
    return orjson.dumps(value).decode()
