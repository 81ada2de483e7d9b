"""The embedding cache: vectors by content address, stored before anything else happens to them.

One interface for three homes: a file, which the processes of one host share (here), a database server
(embedmill.shared.db.cache) and Redis (embedmill.shared.caches.redis), which hosts share.
"""

import os
import sqlite3
import time
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.errors import StorageFailed
from embedmill.shared.logs import get_logger
from embedmill.shared.paging import pages

log = get_logger()

FLOAT_BYTES = 4
DOCUMENT, QUERY = "document", "query"
KINDS = (DOCUMENT, QUERY)
"""What vectors are of; each kind is kept for a time of its own."""

# Well under SQLite's limit of bound values in one statement.
LOOK_UP = 500
# A reservation that ends later than this was made by a clock that has since been put back.
LONGEST_SECONDS = 3600.0
TOUCH_SECONDS = 3600.0
"""By how much an entry's last use may look too old: it is not written down more often."""


CHECKSUM_BYTES = 5
"""A mark and a CRC-32 of address and vector; what an older release stored has neither, and a length of whole floats."""
_MARK = b"\x01"


def seal_vector(address: bytes, vector: NDArray[np.float32]) -> bytes:
    """A vector as it is stored."""
    data = vector.astype(np.float32, copy=False).tobytes()
    return data + _MARK + _checksum(address, data)


def open_vector(address: bytes, stored: bytes, dimensions: int | None = None) -> NDArray[np.float32] | None:
    """The vector that was stored, or None when that is damaged: cut off, changed, not finite, or, unsealed, zeros."""
    is_sealed = len(stored) % FLOAT_BYTES == CHECKSUM_BYTES % FLOAT_BYTES
    data = stored[:-CHECKSUM_BYTES] if is_sealed else stored
    if is_sealed and stored[len(data) :] != _MARK + _checksum(address, data):
        return None
    if not data or len(data) % FLOAT_BYTES or (dimensions is not None and len(data) != FLOAT_BYTES * dimensions):
        return None
    vector = np.frombuffer(data, np.float32)
    fine = bool(np.isfinite(vector).all()) and (is_sealed or bool(vector.any()))
    return vector if fine else None


def _checksum(address: bytes, data: bytes) -> bytes:
    return zlib.crc32(data, zlib.crc32(address)).to_bytes(4, "big")


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is, or how much went."""

    entries: int = 0
    bytes: int = 0

    def __add__(self, other: "Size") -> "Size":
        return Size(self.entries + other.entries, self.bytes + other.bytes)


class EmbeddingCache(ABC):
    """Float32 vectors by 32-byte address; safe with any number of processes that share it.

    Raises StorageFailed where the process should end, FlowControl where work should wait until the cache is back. An
    entry that is lost costs money and nothing else: whoever misses it has its text embedded again.
    """

    home: str
    """Where it is, in a word, for people."""

    def get_many(
        self, addresses: Sequence[bytes], *, dimensions: int | None = None
    ) -> dict[bytes, NDArray[np.float32]]:
        """The vectors that are known; they count as used now. With `dimensions`, those of another length are none.

        What was damaged since it was stored is dropped and counted, as if it had never been there.
        """
        stored = self.fetch_many(addresses)
        opened = {address: open_vector(address, data, dimensions) for address, data in stored.items()}
        damaged = sorted(address for address, vector in opened.items() if vector is None)
        if damaged:
            log.warning("cache.damaged", entries=len(damaged), home=self.home)
            self.drop_damaged(damaged)
        return {address: vector for address, vector in opened.items() if vector is not None}

    @abstractmethod
    def fetch_many(self, addresses: Sequence[bytes]) -> dict[bytes, bytes]:
        """What is stored, as it is; it counts as used now."""

    @abstractmethod
    def drop_damaged(self, addresses: Sequence[bytes]) -> None:
        """Remove entries that cannot be used, and count them."""

    @abstractmethod
    def count_damaged(self) -> int:
        """How many entries were dropped because they were damaged."""

    @abstractmethod
    def put_many(self, vectors: Mapping[bytes, NDArray[np.float32]], *, kind: str = DOCUMENT) -> None:
        """Store vectors, all or none at a time; an address that is known already keeps its vector and its kind."""

    @abstractmethod
    def reserve(self, addresses: Sequence[bytes], *, owner: str, seconds: float) -> set[bytes]:
        """Those of the addresses that `owner` is to embed now: nobody has stored them or is at work on them.

        Two workers that meet the same new text at the same moment would pay for it twice otherwise. A reservation
        ends with `put_many`, with `release`, or after `seconds`.
        """

    @abstractmethod
    def find_holders(self, addresses: Sequence[bytes]) -> set[str]:
        """Who has reserved any of the addresses."""

    @abstractmethod
    def release(self, owner: str) -> None:
        """Give up what an owner has reserved and not stored."""

    @abstractmethod
    def count(self) -> int:
        """Vectors held."""

    @abstractmethod
    def measure(self) -> dict[str, Size]:
        """What is held, by kind."""

    @abstractmethod
    def evict(self, *, kinds: Sequence[str], unused_seconds: float, freeing: int | None, limit: int) -> dict[str, Size]:
        """Remove up to `limit` entries that were not used for so long, the longest unused first; returns what went.

        With `freeing`, no more than it takes to free so many bytes.
        """

    def require(self) -> None:
        """Raise FlowControl when the cache is away; a database says so by itself."""
        return

    def find_risks(self) -> list[str]:
        """What about the cache's home may cost money, in words for an operator."""
        return []

    @abstractmethod
    def close(self) -> None:
        """Release connections."""


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """An entry that may be evicted."""

    address: bytes
    kind: str
    bytes: int


def choose(oldest_first: Iterable[CacheEntry], freeing: int | None) -> list[CacheEntry]:
    """The first entries that together free as many bytes."""
    chosen: list[CacheEntry] = []
    for entry in oldest_first:
        if freeing is not None and freeing <= 0:
            break
        chosen.append(entry)
        freeing = None if freeing is None else freeing - entry.bytes
    return chosen


def add_up(entries: Iterable[CacheEntry]) -> dict[str, Size]:
    """Sizes by kind."""
    sizes: dict[str, Size] = {}
    for entry in entries:
        sizes[entry.kind] = sizes.get(entry.kind, Size()) + Size(1, entry.bytes)
    return sizes


_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS embedding (address BLOB PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID",
    """CREATE TABLE IF NOT EXISTS reservation (
        address BLOB PRIMARY KEY, owner TEXT NOT NULL, until REAL NOT NULL) WITHOUT ROWID""",
    # Apart from the vectors, so that noting a use or looking for what may go does not read or write them.
    """CREATE TABLE entry (
        address BLOB PRIMARY KEY, kind TEXT NOT NULL, bytes INTEGER NOT NULL, used_at REAL NOT NULL) WITHOUT ROWID""",
    "CREATE INDEX ix_entry_used_at ON entry (used_at, kind, bytes)",
)
# Of a vector that was stored without an entry, by an older release, it makes one.
_TOUCH = (
    "INSERT INTO entry SELECT address, :kind, length(vector), :now FROM embedding WHERE address = :address "
    "ON CONFLICT (address) DO UPDATE SET used_at = excluded.used_at"
)


class FileCache(EmbeddingCache):
    """One SQLite file, for one host."""

    home = "file"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._pid = 0

    def fetch_many(self, addresses: Sequence[bytes]) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        stale: list[bytes] = []
        now = time.time()
        with self._translated() as connection:
            for part in pages(addresses, LOOK_UP):
                marks = ",".join("?" * len(part))
                rows = connection.execute(
                    "SELECT embedding.address, vector, coalesce(used_at, 0) FROM embedding "
                    f"LEFT JOIN entry ON entry.address = embedding.address WHERE embedding.address IN ({marks})",
                    part,
                )
                for address, vector, used_at in rows:
                    found[address] = vector
                    if used_at < now - TOUCH_SECONDS:
                        stale.append(address)
        if stale:
            with self._written() as connection:
                _touch(connection, stale, DOCUMENT, now)
        return found

    def put_many(self, vectors: Mapping[bytes, NDArray[np.float32]], *, kind: str = DOCUMENT) -> None:
        rows = [(address, seal_vector(address, vector)) for address, vector in sorted(vectors.items())]
        with self._written() as connection:
            connection.executemany("INSERT OR IGNORE INTO embedding VALUES (?, ?)", rows)
            _touch(connection, [address for address, _ in rows], kind, time.time())
            connection.executemany("DELETE FROM reservation WHERE address = ?", [(address,) for address, _ in rows])

    def drop_damaged(self, addresses: Sequence[bytes]) -> None:
        with self._written() as connection:
            for table in ("embedding", "entry"):
                connection.executemany(f"DELETE FROM {table} WHERE address = ?", [(address,) for address in addresses])
            connection.execute(
                "INSERT INTO damage VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET entries = entries + excluded.entries",
                (len(addresses),),
            )

    def count_damaged(self) -> int:
        with self._translated() as connection:
            return int(connection.execute("SELECT coalesce(sum(entries), 0) FROM damage").fetchone()[0])

    def reserve(self, addresses: Sequence[bytes], *, owner: str, seconds: float) -> set[bytes]:
        now = time.time()
        with self._written() as connection:
            connection.executemany(
                "INSERT INTO reservation SELECT :address, :owner, :until "
                "WHERE NOT EXISTS (SELECT 1 FROM embedding WHERE address = :address) "
                "ON CONFLICT (address) DO UPDATE SET owner = excluded.owner, until = excluded.until "
                "WHERE until < :now OR until > :latest OR owner = excluded.owner",
                [
                    {"address": a, "owner": owner, "until": now + seconds, "now": now, "latest": now + LONGEST_SECONDS}
                    for a in sorted(addresses)
                ],
            )
            return {address for address, holder in self._holders(connection, addresses) if holder == owner}

    def find_holders(self, addresses: Sequence[bytes]) -> set[str]:
        with self._translated() as connection:
            return {holder for _, holder in self._holders(connection, addresses)}

    def release(self, owner: str) -> None:
        with self._written() as connection:
            connection.execute("DELETE FROM reservation WHERE owner = ?", (owner,))

    def count(self) -> int:
        with self._translated() as connection:
            return int(connection.execute("SELECT count(*) FROM embedding").fetchone()[0])

    def measure(self) -> dict[str, Size]:
        with self._translated() as connection:
            rows = connection.execute("SELECT kind, count(*), sum(bytes) FROM entry GROUP BY kind").fetchall()
        return {kind: Size(entries, size) for kind, entries, size in rows}

    def evict(self, *, kinds: Sequence[str], unused_seconds: float, freeing: int | None, limit: int) -> dict[str, Size]:
        marks = ",".join("?" * len(kinds))
        with self._written() as connection:
            rows = connection.execute(
                f"SELECT address, kind, bytes FROM entry WHERE used_at <= ? AND kind IN ({marks}) "
                "ORDER BY used_at LIMIT ?",
                (time.time() - unused_seconds, *kinds, limit),
            )
            chosen = choose((CacheEntry(*row) for row in rows), freeing)
            for table in ("embedding", "entry"):
                connection.executemany(f"DELETE FROM {table} WHERE address = ?", [(entry.address,) for entry in chosen])
        if chosen:
            self._shrink()
        return add_up(chosen)

    def close(self) -> None:
        if self._connection is not None and self._pid == os.getpid():
            self._connection.close()
        self._connection = None

    def _holders(self, connection: sqlite3.Connection, addresses: Sequence[bytes]) -> Iterator[tuple[bytes, str]]:
        for part in pages(addresses, LOOK_UP):
            marks = ",".join("?" * len(part))
            yield from connection.execute(f"SELECT address, owner FROM reservation WHERE address IN ({marks})", part)

    def _shrink(self) -> None:
        """Give free pages back to the disk; in a file of an older release they are only used again."""
        with self._translated() as connection:
            connection.executescript("PRAGMA incremental_vacuum")  # one step a page, which `execute` does not take

    @contextmanager
    def _written(self) -> Iterator[sqlite3.Connection]:
        with self._translated() as connection, _transaction(connection):
            yield connection

    @contextmanager
    def _translated(self) -> Iterator[sqlite3.Connection]:
        try:
            yield self._open()
        except (sqlite3.Error, OSError) as error:
            raise StorageFailed(f"the embedding cache refused: {error}") from error

    def _open(self) -> sqlite3.Connection:
        if self._connection is None or self._pid != os.getpid():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self._path, timeout=30, isolation_level=None, check_same_thread=False)
            # The first only counts before there is anything in the file.
            for pragma in ("auto_vacuum=INCREMENTAL", "journal_mode=WAL", "synchronous=NORMAL"):
                connection.execute(f"PRAGMA {pragma}")
            connection.execute("CREATE TABLE IF NOT EXISTS damage (id INTEGER PRIMARY KEY, entries INTEGER NOT NULL)")
            _make_tables(connection)
            self._connection, self._pid = connection, os.getpid()
        return self._connection


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _make_tables(connection: sqlite3.Connection) -> None:
    """Make what is not there yet; vectors of an older release count as used now."""
    wanted = "SELECT 1 FROM sqlite_master WHERE name = 'entry'"
    if connection.execute(wanted).fetchone():
        return
    with _transaction(connection):
        if not connection.execute(wanted).fetchone():
            for statement in _SCHEMA:
                connection.execute(statement)
            connection.execute(
                "INSERT INTO entry SELECT address, ?, length(vector), ? FROM embedding", (DOCUMENT, time.time())
            )


def _touch(connection: sqlite3.Connection, addresses: Sequence[bytes], kind: str, now: float) -> None:
    connection.executemany(_TOUCH, [{"address": address, "kind": kind, "now": now} for address in addresses])
