"""The embedding cache in a file of SQLite, which the processes of one host share.

What is known of an entry is apart from its vector, so that noting a use or looking for what may go does not read or
write vectors. Rows go to the end of both tables; the one index that is not in the order of their coming has eight
bytes of each address, so that it stays small where there are millions. A file of an older release has vectors in
tables of their own (`embedmill.shared.caches.former`); they move over as they are used.
"""

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from embedmill.shared.caches import former
from embedmill.shared.caches.embeddings import (
    DOCUMENT,
    KINDS,
    LONGEST_SECONDS,
    LOOK_UP,
    NOTE,
    TOUCH_SECONDS,
    CacheEntry,
    EmbeddingCache,
    Size,
    add_up,
    choose,
)
from embedmill.shared.errors import StorageFailed
from embedmill.shared.paging import pages
from embedmill.shared.sqlite_files import file_uri, is_writable, truncate_log

BUSY_SECONDS, AGAIN_SECONDS = 30.0, 0.05
"""How long others are waited for who write, and how soon it is tried again where SQLite does not wait."""
KEY_BYTES, REST_BYTES = 8, 12
"""What is kept of an address, from its end: 160 bits of a hash, of which the index has the last 64."""

EACH_OF = "(SELECT value FROM json_each(?))"
"""However many there are, the statement is one, which is compiled once."""

_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS held (
        id INTEGER PRIMARY KEY, key INTEGER NOT NULL, rest BLOB NOT NULL,
        kind INTEGER NOT NULL, bytes INTEGER NOT NULL, used_at REAL NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS held_by_key ON held (key)",
    "CREATE INDEX IF NOT EXISTS held_by_use ON held (used_at)",
    "CREATE TABLE IF NOT EXISTS vector (id INTEGER PRIMARY KEY, data BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS damage (id INTEGER PRIMARY KEY, entries INTEGER NOT NULL)",
    """CREATE TABLE IF NOT EXISTS reservation (
        address BLOB PRIMARY KEY, owner TEXT NOT NULL, until REAL NOT NULL) WITHOUT ROWID""",
)


@dataclass(frozen=True, slots=True)
class HeldEntry:
    """An entry as the file has it; `used_at` is by this host's clock."""

    id: int
    address: bytes
    used_at: float


class FileCache(EmbeddingCache):
    """One SQLite file, for one host."""

    home = "file"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._pid = 0
        self._has_former = self._is_frozen = False

    def fetch_many(self, addresses: Sequence[bytes]) -> dict[bytes, bytes]:
        held, found = self._look_up(addresses)
        if self._has_former and len(held) < len(addresses):
            with self._written() as connection:
                self._take_over(connection, [address for address in addresses if address not in held])
            held, found = self._look_up(addresses)
        now = time.time()
        stale = [entry for entry in held.values() if entry.used_at < now - TOUCH_SECONDS]
        if stale and not self._is_frozen:
            with self._written() as connection:
                _touch(connection, stale, now)
        return found

    def store_many(self, stored: Mapping[bytes, bytes], *, kind: str) -> None:
        ordered = dict(sorted(stored.items()))
        with self._written() as connection:
            self._store(connection, ordered, kind)
            connection.executemany("DELETE FROM reservation WHERE address = ?", [(address,) for address in ordered])

    def note_many(self, addresses: Sequence[bytes]) -> set[bytes]:
        with self._written() as connection:
            return self._store(connection, dict.fromkeys(addresses, NOTE), DOCUMENT)

    def forget_many(self, addresses: Sequence[bytes]) -> None:
        with self._written() as connection:
            held = _find(connection, addresses) | self._take_over(connection, addresses)
            _delete(connection, [entry.id for entry in held.values()])

    def note_damage(self, entries: int) -> None:
        with self._written() as connection:
            connection.execute(
                "INSERT INTO damage VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET entries = entries + excluded.entries",
                (entries,),
            )

    def wipe(self) -> str:
        """Deleted rows are overwritten as they go; until the log is emptied it has them as they came."""
        with self._translated() as connection:
            truncate_log(connection, self._path)
        return ""

    def count_damaged(self) -> int:
        with self._translated() as connection:
            return int(connection.execute("SELECT coalesce(sum(entries), 0) FROM damage").fetchone()[0])

    def reserve(self, addresses: Sequence[bytes], *, owner: str, seconds: float) -> set[bytes]:
        now = time.time()
        with self._written() as connection:
            known = set(_find(connection, addresses))
            known |= former.find_known(connection, addresses) if self._has_former else set()
            connection.executemany(
                "INSERT INTO reservation VALUES (:address, :owner, :until) "
                "ON CONFLICT (address) DO UPDATE SET owner = excluded.owner, until = excluded.until "
                "WHERE until < :now OR until > :latest OR owner = excluded.owner",
                [
                    {"address": a, "owner": owner, "until": now + seconds, "now": now, "latest": now + LONGEST_SECONDS}
                    for a in sorted(set(addresses) - known)
                ],
            )
            return {a for a, holder in _holders(connection, addresses) if holder == owner and a not in known}

    def find_holders(self, addresses: Sequence[bytes]) -> set[str]:
        with self._translated() as connection:
            return {holder for _, holder in _holders(connection, addresses)}

    def release(self, owner: str) -> None:
        with self._written() as connection:
            connection.execute("DELETE FROM reservation WHERE owner = ?", (owner,))

    def count(self) -> int:
        return sum(size.entries for size in self.measure().values())

    def measure(self) -> dict[str, Size]:
        with self._translated() as connection:
            rows = connection.execute("SELECT kind, count(*), sum(bytes) FROM held GROUP BY kind ORDER BY kind")
            sizes = {KINDS[kind]: Size(entries, size) for kind, entries, size in rows}
            for kind, size in (former.measure(connection) if self._has_former else {}).items():
                sizes[kind] = sizes.get(kind, Size()) + size
        return sizes

    def evict(self, *, kinds: Sequence[str], unused_seconds: float, freeing: int | None, limit: int) -> dict[str, Size]:
        numbers = [KINDS.index(kind) for kind in kinds]
        with self._written() as connection:
            if self._has_former:
                self._take_over(connection, former.list_oldest(connection, limit))
            rows = connection.execute(
                f"SELECT id, kind, bytes FROM held WHERE used_at <= ? AND kind IN ({_marks(numbers)}) "
                "ORDER BY used_at, id LIMIT ?",
                (time.time() - unused_seconds, *numbers, limit),
            )
            chosen = choose((CacheEntry(id_, KINDS[kind], size) for id_, kind, size in rows), freeing)
            _delete(connection, [entry.address for entry in chosen])
        if chosen:
            self._shrink()
        return add_up(chosen)

    def close(self) -> None:
        if self._connection is not None and self._pid == os.getpid():
            self._connection.close()
        self._connection = None

    def _look_up(self, addresses: Sequence[bytes]) -> tuple[dict[bytes, HeldEntry], dict[bytes, bytes]]:
        """Entries and their vectors as they were at one moment: numbers of entries that went are given out again."""
        with self._translated() as connection, _transaction(connection, "BEGIN"):
            held = _find(connection, addresses)
            return held, _read(connection, held.values())

    def _store(self, connection: sqlite3.Connection, sealed: Mapping[bytes, bytes], kind: str) -> set[bytes]:
        """Those of the addresses that were not known; the others count as used now."""
        now, wanted = time.time(), list(sealed)
        held = _find(connection, wanted)
        if self._has_former and len(held) < len(wanted):
            held |= self._take_over(connection, [address for address in wanted if address not in held])
        _touch(connection, list(held.values()), now)
        fresh = [address for address in wanted if address not in held]
        _insert(connection, [(address, sealed[address], kind, now) for address in fresh])
        return set(fresh)

    def _take_over(self, connection: sqlite3.Connection, addresses: Sequence[bytes]) -> dict[bytes, HeldEntry]:
        """Move what an older release stored of the addresses, in the width in which it is stored now."""
        if not self._has_former:
            return {}
        _insert(connection, former.take(connection, addresses))
        return _find(connection, addresses)

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
            self._connection, self._pid = self._open_frozen() or _patiently(self._open_to_write), os.getpid()
        return self._connection

    def _open_to_write(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = _connect(str(self._path))
        try:
            # The first only counts before there is anything in the file.
            for pragma in ("auto_vacuum=INCREMENTAL", "journal_mode=WAL", "synchronous=NORMAL", "secure_delete=ON"):
                connection.execute(f"PRAGMA {pragma}")
            self._has_former = _make_tables(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _open_frozen(self) -> sqlite3.Connection | None:
        """The file as it stands where its folder cannot be written, empty where there is none; None where it can.

        What an older release left in the file stays as it is there, and is not read.
        """
        self._is_frozen = self._path.parent.is_dir() and not is_writable(self._path.parent)
        if not self._is_frozen:
            return None
        connection = _connect(file_uri(self._path, mode="ro") if self._path.exists() else ":memory:")
        if not _has_tables(connection):
            connection.close()
            connection = _connect(":memory:")
            _make_tables(connection)
        connection.execute("PRAGMA query_only=ON")
        return connection


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: str = "BEGIN IMMEDIATE") -> Iterator[None]:
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _patiently(make: Callable[[], sqlite3.Connection]) -> sqlite3.Connection:
    """A connection to a file that others may be making at this moment, for which SQLite itself does not wait."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            return make()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(AGAIN_SECONDS)


def _connect(place: str) -> sqlite3.Connection:
    is_uri = place.startswith("file:")
    return sqlite3.connect(place, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, uri=is_uri)


def _has_tables(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'vector'").fetchone())


def _make_tables(connection: sqlite3.Connection) -> bool:
    """Make what is not there yet; returns whether an older release has left vectors in the file."""
    if not _has_tables(connection):
        with _transaction(connection):
            for statement in _SCHEMA:
                connection.execute(statement)
    return former.prepare(connection)


def _split(address: bytes) -> tuple[int, bytes]:
    key, rest = address[-KEY_BYTES:], address[-KEY_BYTES - REST_BYTES : -KEY_BYTES]
    return int.from_bytes(key, "big", signed=True), rest


def _find(connection: sqlite3.Connection, addresses: Sequence[bytes]) -> dict[bytes, HeldEntry]:
    found: dict[bytes, HeldEntry] = {}
    for part in pages(addresses, LOOK_UP):
        by_place = {_split(address): address for address in part}
        keys = _each(key for key, _ in by_place)
        rows = connection.execute(f"SELECT id, key, rest, used_at FROM held WHERE key IN {EACH_OF}", keys)
        for id_, key, rest, used_at in rows:
            address = by_place.get((key, rest))
            if address is not None:
                found[address] = HeldEntry(id_, address, used_at)
    return found


def _read(connection: sqlite3.Connection, entries: Iterable[HeldEntry]) -> dict[bytes, bytes]:
    """The vectors of entries, empty where one has none."""
    found: dict[bytes, bytes] = {}
    for part in pages(list(entries), LOOK_UP):
        by_id = {entry.id: entry.address for entry in part}
        rows = connection.execute(
            f"SELECT held.id, coalesce(data, x'') FROM held LEFT JOIN vector USING (id) WHERE held.id IN {EACH_OF}",
            _each(by_id),
        )
        found |= {by_id[id_]: data for id_, data in rows}
    return found


def _insert(connection: sqlite3.Connection, rows: Sequence[tuple[bytes, bytes, str, float]]) -> None:
    """Address, vector as it is stored, kind, and when it was last used."""
    first = connection.execute("SELECT coalesce(max(id), 0) + 1 FROM held").fetchone()[0]
    numbered = list(enumerate(rows, first))
    connection.executemany(
        "INSERT INTO held VALUES (?, ?, ?, ?, ?, ?)",
        [(id_, *_split(address), KINDS.index(kind), len(data), at) for id_, (address, data, kind, at) in numbered],
    )
    connection.executemany(
        "INSERT INTO vector VALUES (?, ?)", [(id_, data) for id_, (_, data, _, _) in numbered if data != NOTE]
    )


def _touch(connection: sqlite3.Connection, entries: Sequence[HeldEntry], now: float) -> None:
    connection.executemany("UPDATE held SET used_at = ? WHERE id = ?", [(now, entry.id) for entry in entries])


def _delete(connection: sqlite3.Connection, ids: Sequence[int]) -> None:
    for table in ("held", "vector"):
        connection.executemany(f"DELETE FROM {table} WHERE id = ?", [(id_,) for id_ in ids])


def _holders(connection: sqlite3.Connection, addresses: Sequence[bytes]) -> Iterator[tuple[bytes, str]]:
    for part in pages(addresses, LOOK_UP):
        yield from connection.execute(f"SELECT address, owner FROM reservation WHERE address IN ({_marks(part)})", part)


def _each(numbers: Iterable[int]) -> tuple[str]:
    return (json.dumps(list(numbers)),)


def _marks(values: Iterable[object]) -> str:
    return ",".join("?" for _ in values)
