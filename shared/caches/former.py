"""What releases up to 0.1 left in a file of vectors: two tables by address, each vector on pages of its own."""

import sqlite3
import time
from collections.abc import Sequence

from embedmill.shared.caches.embeddings import DOCUMENT, LOOK_UP, Size, open_vector, seal_vector
from embedmill.shared.paging import pages

_ENTRY = """CREATE TABLE IF NOT EXISTS entry (
    address BLOB PRIMARY KEY, kind TEXT NOT NULL, bytes INTEGER NOT NULL, used_at REAL NOT NULL) WITHOUT ROWID"""
_MISSING = "SELECT address, ?, length(vector), ? FROM embedding WHERE address NOT IN (SELECT address FROM entry)"


def prepare(connection: sqlite3.Connection) -> bool:
    """Whether there is anything; where the first release stored no times, everything counts as used now."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if "embedding" not in tables or not connection.execute("SELECT 1 FROM embedding LIMIT 1").fetchone():
        return False
    if "entry" not in tables:
        connection.execute(_ENTRY)
        connection.execute(f"INSERT OR IGNORE INTO entry {_MISSING}", (DOCUMENT, time.time()))
    return True


def find_known(connection: sqlite3.Connection, addresses: Sequence[bytes]) -> set[bytes]:
    """Those of the addresses that have a vector here."""
    found: set[bytes] = set()
    for part in pages(addresses, LOOK_UP):
        marks = ",".join("?" * len(part))
        found |= {a for (a,) in connection.execute(f"SELECT address FROM embedding WHERE address IN ({marks})", part)}
    return found


def take(connection: sqlite3.Connection, addresses: Sequence[bytes]) -> list[tuple[bytes, bytes, str, float]]:
    """Remove what there is of the addresses and return it: address, vector as it is stored now, kind, last use."""
    taken: list[tuple[bytes, bytes, str, float]] = []
    for part in pages(addresses, LOOK_UP):
        rows = connection.execute(
            "SELECT embedding.address, vector, coalesce(kind, ?), coalesce(used_at, ?) FROM embedding LEFT JOIN entry "
            f"ON entry.address = embedding.address WHERE embedding.address IN ({','.join('?' * len(part))})",
            (DOCUMENT, time.time(), *part),
        )
        taken += [(address, _sealed(address, vector, kind), kind, at) for address, vector, kind, at in rows]
    for table in ("embedding", "entry"):
        connection.executemany(f"DELETE FROM {table} WHERE address = ?", [(row[0],) for row in taken])
    return taken


def list_oldest(connection: sqlite3.Connection, limit: int) -> list[bytes]:
    """The addresses that were not used for longest."""
    rows = connection.execute("SELECT address FROM entry ORDER BY used_at LIMIT ?", (limit,))
    return [address for (address,) in rows]


def measure(connection: sqlite3.Connection) -> dict[str, Size]:
    """What is held, by kind."""
    rows = connection.execute("SELECT kind, count(*), sum(bytes) FROM entry GROUP BY kind")
    return {kind: Size(entries, size) for kind, entries, size in rows}


def _sealed(address: bytes, stored: bytes, kind: str) -> bytes:
    """What is damaged stays as it is: whoever reads it drops and counts it."""
    vector = open_vector(address, stored)
    return stored if vector is None else seal_vector(address, vector, kind=kind)
