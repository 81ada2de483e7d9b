"""The embedding cache on Postgres: one for all hosts, so that no two of them pay for the same text."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ARRAY, Connection, LargeBinary, bindparam, text

from embedmill.shared.caches.embeddings import (
    DOCUMENT,
    LONGEST_SECONDS,
    NOTE,
    TOUCH_SECONDS,
    CacheEntry,
    EmbeddingCache,
    Size,
    add_up,
    choose,
)
from embedmill.shared.db.engine import Database
from embedmill.shared.db.wiping import wipe

_BYTES = ARRAY(LargeBinary())
_NOW = "extract(epoch FROM statement_timestamp())::float8"

# Numbers do not compress: the server need not try.
_TABLES = (
    "CREATE TABLE IF NOT EXISTS embedding (address bytea PRIMARY KEY, vector bytea NOT NULL)",
    "ALTER TABLE embedding ALTER COLUMN vector SET STORAGE EXTERNAL",
    """CREATE TABLE IF NOT EXISTS embedding_reservation (
        address bytea PRIMARY KEY, owner text NOT NULL, until double precision NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS ix_embedding_reservation_owner ON embedding_reservation (owner)",
    # Apart from the vectors, so that noting a use or looking for what may go does not read or write them.
    """CREATE TABLE IF NOT EXISTS embedding_entry (
        address bytea PRIMARY KEY, kind text NOT NULL, bytes integer NOT NULL, used_at double precision NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS ix_embedding_entry_used_at ON embedding_entry (used_at, kind, bytes)",
    f"INSERT INTO embedding_entry SELECT address, '{DOCUMENT}', octet_length(vector), {_NOW} FROM embedding",
)
_DAMAGE_TABLES = ("CREATE TABLE embedding_damage (id integer PRIMARY KEY, entries bigint NOT NULL)",)
_GET = text(
    f"SELECT embedding.address, vector, coalesce(used_at, 0) < {_NOW} - :touch AS stale FROM embedding "
    "LEFT JOIN embedding_entry AS entry ON entry.address = embedding.address WHERE embedding.address = ANY(:addresses)"
)
# Before the vector itself: whoever evicts locks entries first too, and passes over what is locked.
_ENTER = text(
    f"INSERT INTO embedding_entry AS entry SELECT address, :kind, octet_length(vector), {_NOW} "
    "FROM unnest(CAST(:addresses AS bytea[]), CAST(:vectors AS bytea[])) AS given (address, vector) "
    "ON CONFLICT (address) DO UPDATE SET used_at = excluded.used_at"
)
# Of a vector that was stored without an entry, by an older release, it makes one.
_TOUCH = text(
    f"INSERT INTO embedding_entry AS entry SELECT address, :kind, octet_length(vector), {_NOW} FROM embedding "
    "WHERE address = ANY(:addresses) ORDER BY address ON CONFLICT (address) DO UPDATE SET used_at = excluded.used_at"
)
_PUT = text(
    "INSERT INTO embedding SELECT * FROM unnest(CAST(:addresses AS bytea[]), CAST(:vectors AS bytea[])) "
    "ON CONFLICT (address) DO NOTHING RETURNING address"
)
_FREE = text("DELETE FROM embedding_reservation WHERE address = ANY(:addresses)")
_RESERVE = text(
    f"INSERT INTO embedding_reservation AS held SELECT address, :owner, {_NOW} + :seconds "
    "FROM unnest(CAST(:addresses AS bytea[])) AS given (address) "
    f"ON CONFLICT (address) DO UPDATE SET owner = excluded.owner, until = excluded.until "
    f"WHERE held.until < {_NOW} OR held.until > {_NOW} + :longest OR held.owner = excluded.owner "
    "RETURNING address"
)
# A statement of its own, after the rows are ours: it sees what was stored while they were waited for.
_FREE_STORED = text(
    "DELETE FROM embedding_reservation AS held USING embedding "
    "WHERE embedding.address = held.address AND held.address = ANY(:addresses) RETURNING held.address"
)
_HOLDERS = text("SELECT DISTINCT owner FROM embedding_reservation WHERE address = ANY(:addresses)")
_RELEASE = text("DELETE FROM embedding_reservation WHERE owner = :owner")
_COUNT = text("SELECT count(*) FROM embedding")
_MEASURE = text("SELECT kind, count(*) AS entries, sum(bytes) AS bytes FROM embedding_entry GROUP BY kind")
_OLDEST = text(
    f"SELECT address, kind, bytes FROM embedding_entry WHERE used_at <= {_NOW} - :unused AND kind = ANY(:kinds) "
    "ORDER BY used_at LIMIT :limit FOR UPDATE SKIP LOCKED"
)
_COUNT_DAMAGE = text(
    "INSERT INTO embedding_damage AS known VALUES (1, :entries) "
    "ON CONFLICT (id) DO UPDATE SET entries = known.entries + excluded.entries"
)
_DAMAGED = text("SELECT coalesce(sum(entries), 0) FROM embedding_damage")
_DROP = (
    text("DELETE FROM embedding WHERE address = ANY(:addresses)"),
    text("DELETE FROM embedding_entry WHERE address = ANY(:addresses)"),
)


class ServerCache(EmbeddingCache):
    """Three tables, made on first use, in the tracking database or in one of their own."""

    home = "postgres"

    def __init__(self, database: Database, *, owns_database: bool = False) -> None:
        self._database = database
        self._owns_database = owns_database
        self._made = False

    def fetch_many(self, addresses: Sequence[bytes]) -> dict[bytes, bytes]:
        self._make()
        rows = self._database.query(
            lambda connection: _run(connection, _GET, addresses=list(addresses), touch=TOUCH_SECONDS).all()
        )
        stale = sorted(bytes(row.address) for row in rows if row.stale)
        if stale:
            self._database.transact(lambda connection: _run(connection, _TOUCH, addresses=stale, kind=DOCUMENT))
        return {bytes(row.address): bytes(row.vector) for row in rows}

    def store_many(self, stored: Mapping[bytes, bytes], *, kind: str) -> None:
        # In order, so that two that store the same do not wait for each other in a circle.
        addresses = sorted(stored)

        def put(connection: Connection) -> None:
            _store(connection, addresses, [stored[address] for address in addresses], kind)
            _run(connection, _FREE, addresses=addresses)

        self._make()
        self._database.transact(put)

    def note_many(self, addresses: Sequence[bytes]) -> set[bytes]:
        ordered = sorted(addresses)
        self._make()
        return self._database.transact(lambda c: _store(c, ordered, [NOTE] * len(ordered), DOCUMENT))

    def forget_many(self, addresses: Sequence[bytes]) -> None:
        def forget(connection: Connection) -> None:
            # Entries before vectors, as everybody locks them.
            for statement in reversed(_DROP):
                _run(connection, statement, addresses=sorted(addresses))

        self._make()
        self._database.transact(forget)

    def note_damage(self, entries: int) -> None:
        self._make()
        self._database.transact(lambda connection: connection.execute(_COUNT_DAMAGE, {"entries": entries}).rowcount)

    def wipe(self) -> str:
        self._make()
        return wipe(self._database, ("embedding", "embedding_entry"))

    def count_damaged(self) -> int:
        self._make()
        return self._database.query(lambda connection: int(connection.execute(_DAMAGED).scalar_one()))

    def reserve(self, addresses: Sequence[bytes], *, owner: str, seconds: float) -> set[bytes]:
        def reserve(connection: Connection) -> set[bytes]:
            values = {"owner": owner, "seconds": seconds, "longest": LONGEST_SECONDS}
            mine = _addresses(_run(connection, _RESERVE, addresses=sorted(addresses), **values))
            return mine - _addresses(_run(connection, _FREE_STORED, addresses=sorted(mine)))

        self._make()
        return self._database.transact(reserve)

    def find_holders(self, addresses: Sequence[bytes]) -> set[str]:
        self._make()
        rows = self._database.query(lambda connection: _run(connection, _HOLDERS, addresses=list(addresses)).all())
        return {row.owner for row in rows}

    def release(self, owner: str) -> None:
        self._make()
        self._database.transact(lambda connection: connection.execute(_RELEASE, {"owner": owner}).rowcount)

    def count(self) -> int:
        self._make()
        return self._database.query(lambda connection: int(connection.execute(_COUNT).scalar_one()))

    def measure(self) -> dict[str, Size]:
        self._make()
        rows = self._database.query(lambda connection: connection.execute(_MEASURE).all())
        return {row.kind: Size(int(row.entries), int(row.bytes)) for row in rows}

    def evict(self, *, kinds: Sequence[str], unused_seconds: float, freeing: int | None, limit: int) -> dict[str, Size]:
        def evict(connection: Connection) -> list[CacheEntry[bytes]]:
            rows = connection.execute(_OLDEST, {"unused": unused_seconds, "kinds": list(kinds), "limit": limit})
            chosen = choose((CacheEntry(bytes(row.address), row.kind, row.bytes) for row in rows), freeing)
            for statement in _DROP:
                _run(connection, statement, addresses=[entry.address for entry in chosen])
            return chosen

        self._make()
        return add_up(self._database.transact(evict))

    def close(self) -> None:
        if self._owns_database:
            self._database.close()

    def _make(self) -> None:
        if not self._made:
            self._database.transact(make_tables)
            self._made = True


def make_tables(connection: Connection) -> None:
    """Whoever comes second finds them made; vectors of an older release count as used now."""
    for table, statements in (("embedding_entry", _TABLES), ("embedding_damage", _DAMAGE_TABLES)):
        wanted = text(f"SELECT to_regclass('{table}')")
        if connection.execute(wanted).scalar() is None:
            connection.execute(text("SELECT pg_advisory_xact_lock(7166231)"))
            if connection.execute(wanted).scalar() is None:
                for statement in statements:
                    connection.execute(text(statement))


def _store(connection: Connection, addresses: Sequence[bytes], stored: Sequence[bytes], kind: str) -> set[bytes]:
    """Those of the addresses that were not known."""
    _run(connection, _ENTER, addresses=addresses, vectors=stored, kind=kind)
    return _addresses(_run(connection, _PUT, addresses=addresses, vectors=stored))


def _run(connection: Connection, statement: Any, **values: Any) -> Any:
    arrays = [bindparam(name, type_=_BYTES) for name in values if name in ("addresses", "vectors")]
    return connection.execute(statement.bindparams(*arrays), values)


def _addresses(rows: Any) -> set[bytes]:
    return {bytes(row.address) for row in rows}
