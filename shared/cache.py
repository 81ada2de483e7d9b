"""The embedding cache: vectors by content address, stored before anything else happens to them.

One interface for a file, which the processes of one host share, and for a server, which hosts share (shared.db.cache).
"""

import os
import sqlite3
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.errors import StorageFailed

# Well under SQLite's limit of bound values in one statement.
LOOK_UP = 500
# A reservation that ends later than this was made by a clock that has since been put back.
LONGEST_SECONDS = 3600.0


class EmbeddingCache(ABC):
    """Float32 vectors by 32-byte address; safe with any number of processes that share it. Raises StorageFailed."""

    @abstractmethod
    def get_many(self, addresses: Sequence[bytes]) -> dict[bytes, NDArray[np.float32]]:
        """The vectors that are known."""

    @abstractmethod
    def put_many(self, vectors: Mapping[bytes, NDArray[np.float32]]) -> None:
        """Store vectors in one transaction; an address that is known already keeps its vector."""

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
    def close(self) -> None:
        """Release connections."""


class FileCache(EmbeddingCache):
    """One SQLite file, for one host."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._pid = 0

    def get_many(self, addresses: Sequence[bytes]) -> dict[bytes, NDArray[np.float32]]:
        found: dict[bytes, NDArray[np.float32]] = {}
        with self._translated() as connection:
            for start in range(0, len(addresses), LOOK_UP):
                part = addresses[start : start + LOOK_UP]
                marks = ",".join("?" * len(part))
                rows = connection.execute(f"SELECT address, vector FROM embedding WHERE address IN ({marks})", part)
                found.update((row[0], np.frombuffer(row[1], np.float32)) for row in rows)
        return found

    def put_many(self, vectors: Mapping[bytes, NDArray[np.float32]]) -> None:
        rows = [(address, vector.tobytes()) for address, vector in sorted(vectors.items())]
        with self._written() as connection:
            connection.executemany("INSERT OR IGNORE INTO embedding VALUES (?, ?)", rows)
            connection.executemany("DELETE FROM reservation WHERE address = ?", [(address,) for address, _ in rows])

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

    def close(self) -> None:
        if self._connection is not None and self._pid == os.getpid():
            self._connection.close()
        self._connection = None

    def _holders(self, connection: sqlite3.Connection, addresses: Sequence[bytes]) -> Iterator[tuple[bytes, str]]:
        for start in range(0, len(addresses), LOOK_UP):
            part = addresses[start : start + LOOK_UP]
            marks = ",".join("?" * len(part))
            yield from connection.execute(f"SELECT address, owner FROM reservation WHERE address IN ({marks})", part)

    @contextmanager
    def _written(self) -> Iterator[sqlite3.Connection]:
        with self._translated() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                connection.execute("ROLLBACK")
                raise

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
            for pragma in ("journal_mode=WAL", "synchronous=NORMAL"):
                connection.execute(f"PRAGMA {pragma}")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS embedding (address BLOB PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID"
            )
            connection.execute(
                "CREATE TABLE IF NOT EXISTS reservation "
                "(address BLOB PRIMARY KEY, owner TEXT NOT NULL, until REAL NOT NULL) WITHOUT ROWID"
            )
            self._connection, self._pid = connection, os.getpid()
        return self._connection
