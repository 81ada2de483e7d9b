"""Owns the records of queries: what each came to, in numbers and hashes, until it is forgotten."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Collection as Names
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any
from unicodedata import normalize

from sqlalchemy import Connection, delete, exists, select, update

from embedmill.shared.collections import read_collection_settings
from embedmill.shared.db.bulk import insert_each
from embedmill.shared.db.clock import clock, read_clock
from embedmill.shared.db.schema import collection, feedback, installation, query_record
from embedmill.shared.encoding import make_storable

KEY_BYTES = 32
FORGOTTEN_AT_ONCE = 1000
"""So many records go in one transaction."""
AT_ONCE = 5000
"""So many records are read at a time."""


@dataclass(frozen=True, slots=True)
class QueryRecord:
    """What a query came to; `text` is hashed when the record is stored, and kept only where its collection keeps texts.

    `door` is `search` or `ask`. `models` says by step which model took part, with the hash of its prompt; `steps` has
    the seconds of those that ran, what went in and came out, and how many of its calls have no known price; `faults`
    what models said that nothing bears out, by kind. `cached` counts what was kept from before in the place of calls,
    `saved_microusd` is what that had cost. `shown` are the first hits as `document/chunk`, which begin with
    `first_rank`. `asked_by` is a hash of who asked, where that was somebody who reads some access levels only.
    `asked_at` is this process's monotonic time.
    """

    id: str
    collection: str
    door: str
    text: str
    mode: str
    filtered: bool
    ranked: bool
    models: Mapping[str, Mapping[str, str]]
    hits: int
    relevance: str | None
    degraded: bool
    partial: int
    seconds: float
    steps: Mapping[str, Sequence[float]]
    calls: int
    cost_microusd: int
    cached: int
    saved_microusd: int
    faults: Mapping[str, int]
    hallucinations: int
    shown: Sequence[str]
    first_rank: int
    asked_at: float
    asked_by: str | None = None


@dataclass(frozen=True, slots=True)
class MeasuredQuery:
    """The numbers of one record, for whoever adds them up."""

    created_at: float
    collection: str
    relevance: str | None
    degraded: bool
    seconds: float
    steps: Mapping[str, Sequence[float]]
    calls: int
    cost_microusd: int
    cached: int
    saved_microusd: int
    hallucinations: int


def store_records(
    connection: Connection,
    records: Sequence[QueryRecord],
    *,
    monotonic: float,
    key: bytes,
    seal: Callable[[int, str], str] = lambda _, text: text,
) -> int:
    """Store records, `monotonic` being the time of now; returns how many. Those of no collection are left out.

    `key` is what hashes of texts are made with; a home of an older release has one of its own. `seal` makes of a
    text what is kept of it in a collection, by its number.
    """
    known = _find_collections(connection, {record.collection for record in records})
    found_key = _find_key(connection) or key
    now = read_clock(connection)
    rows = [
        _row(
            record,
            known[record.collection],
            key=found_key,
            created_at=now - max(0.0, monotonic - record.asked_at),
            seal=seal,
        )
        for record in records
        if record.collection in known
    ]
    if rows:
        insert_each(connection, query_record, rows)
    return len(rows)


@dataclass(frozen=True, slots=True)
class _Owner:
    """A collection as records know it."""

    id: int
    keeps_texts: bool


_SAME = [name for name in QueryRecord.__slots__ if name not in ("collection", "text", "asked_at")]


def _row(
    record: QueryRecord, owner: _Owner, *, key: bytes, created_at: float, seal: Callable[[int, str], str]
) -> dict[str, Any]:
    return {name: getattr(record, name) for name in _SAME} | {
        "collection_id": owner.id,
        "hash": hash_query(record.text, key),
        "text": seal(owner.id, make_storable(record.text)) if owner.keeps_texts else None,
        "created_at": created_at,
    }


def hash_query(text: str, key: bytes) -> str:
    """A hash of a query that is the same for the same words, however they are spaced and written large or small."""
    same = " ".join(normalize("NFKC", text).casefold().split())
    return blake2b(same.encode("utf-8", "surrogatepass"), key=key, digest_size=16).hexdigest()


def _find_collections(connection: Connection, names: Names[str]) -> dict[str, _Owner]:
    """Collections by their names."""
    query = select(collection.c.name, collection.c.id, collection.c.settings).where(collection.c.name.in_(list(names)))
    found = connection.execute(query)
    return {row.name: _Owner(row.id, read_collection_settings(row.settings).keep_queries) for row in found}


def _find_key(connection: Connection) -> bytes | None:
    """The key of hashes of a home that was made before they were made with the installation's."""
    found: str | None = connection.execute(select(installation.c.query_key)).scalar()
    return bytes.fromhex(found) if found else None


def list_measured(
    connection: Connection, *, since: float, collection_id: int | None = None, asked_by: str | None = None
) -> Iterator[MeasuredQuery]:
    """The numbers of every record since a time, or of those of one asker, the oldest first."""
    columns = [query_record.c[name] for name in MeasuredQuery.__slots__ if name != "collection"]
    query = (
        select(*columns, collection.c.name.label("collection"))
        .join_from(query_record, collection, collection.c.id == query_record.c.collection_id)
        .where(query_record.c.created_at >= since)
        .order_by(query_record.c.created_at)
    )
    if collection_id is not None:
        query = query.where(query_record.c.collection_id == collection_id)
    if asked_by is not None:
        query = query.where(query_record.c.asked_by == asked_by)
    rows = connection.execute(query.execution_options(yield_per=AT_ONCE))
    return (MeasuredQuery(**row) for row in rows.mappings())


def forget_texts(connection: Connection, collection_id: int) -> int:
    """Forget what queries of a collection said; returns how many did."""
    of_it = (query_record.c.collection_id == collection_id, query_record.c.text.is_not(None))
    return connection.execute(update(query_record).where(*of_it).values(text=None)).rowcount


def forget_records(connection: Connection, *, older_than_seconds: float) -> int:
    """Delete some records that are so old; returns how many. Those that somebody has judged stay."""
    judged = exists().where(feedback.c.query_id == query_record.c.id)
    old = select(query_record.c.id).where(query_record.c.created_at < clock() - older_than_seconds, ~judged)
    some = old.limit(FORGOTTEN_AT_ONCE).scalar_subquery()
    return connection.execute(delete(query_record).where(query_record.c.id.in_(some))).rowcount
