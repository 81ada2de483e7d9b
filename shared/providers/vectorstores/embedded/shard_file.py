"""Owns one shard's SQLite file: its schema, its connection, and the translation of SQLite's errors.

A file is created under a lock beside it and stamped with an application id, so that two processes may create a shard
at once, a half-created file is finished by the next writer, and a foreign file is refused instead of written to.
"""

import fcntl
import glob
import os
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from itertools import count
from math import ceil
from pathlib import Path

from embedmill.shared.errors import ShardDamaged, StorageFailed
from embedmill.shared.providers.vectorstores.embedded import cipher, copying, high_water, schema
from embedmill.shared.sealing.envelope import DataKey
from embedmill.shared.sealing.ring import PLAIN, KeyRing
from embedmill.shared.sqlite_files import file_uri

APPLICATION_ID = 0x456D764D
BUSY_TIMEOUT_SECONDS = 30.0
WAL_LIMIT_BYTES = 64 * 2**20
SEALED_CACHE_KIB = 16_384
"""Of an encrypted shard, each page of which costs when it is read."""
READ_CACHE_KIB, WRITE_CACHE_KIB = 2_048, 8_192
"""Of each shard: what is read lies here and there, and what is written changes many pages at once."""

DISK_HINT = "Free disk space (or raise the quota) on the vector folder, then run the command again."
ACCESS_HINT = "Check the owner and permissions of the vector folder and its files; the folder has to be writable."
BUSY_HINT = "Another process held the shard for half a minute; look for a stopped one, then run the command again."

UNKNOWN_CODE = 0xFF  # errors of the Python module itself carry no code

HINTS = {
    sqlite3.SQLITE_FULL: DISK_HINT,
    sqlite3.SQLITE_IOERR: DISK_HINT,
    sqlite3.SQLITE_READONLY: ACCESS_HINT,
    sqlite3.SQLITE_CANTOPEN: ACCESS_HINT,
    sqlite3.SQLITE_PERM: ACCESS_HINT,
    sqlite3.SQLITE_AUTH: ACCESS_HINT,
    sqlite3.SQLITE_BUSY: BUSY_HINT,
    sqlite3.SQLITE_LOCKED: BUSY_HINT,
}

DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR})

LOCK = ".creating"
"""Beside the shards: held by who makes or removes one."""
DRAFT = ".rekeyed"
"""Behind the name of a file that is being written anew."""
ASIDE = ".damaged-"
"""Behind the name of a file that was put aside, and before its number."""

FILES = ("", "-wal", "-shm", cipher.SUFFIX)
"""What there is of a database: these behind its name."""

_patience: ContextVar[float] = ContextVar("patience", default=BUSY_TIMEOUT_SECONDS)

_abandoned: list[sqlite3.Connection] = []  # a forked child must neither use nor close its parent's connections


def folder_of_store(home: Path, key: str) -> Path:
    """Where the shards of a collection are, and beside it those of another installation that came first."""
    return home / "vectors" / key


def path_of(folder: Path, shard: str) -> Path:
    """The file of a shard."""
    return folder / f"{shard}.db"


class Patience:
    """Have this thread wait for a file that others hold for so long meanwhile, and never longer than usual."""

    __slots__ = ("_before", "_seconds")

    def __init__(self, seconds: float) -> None:
        self._seconds = min(seconds, BUSY_TIMEOUT_SECONDS)

    def __enter__(self) -> None:
        self._before = _patience.set(self._seconds)

    def __exit__(self, *_: object) -> None:
        _patience.reset(self._before)


class ShardFile:
    """The connection of this process to one shard; threads take turns, a forked child opens its own."""

    def __init__(self, path: Path, *, dimensions: int, ring: KeyRing = PLAIN) -> None:
        self.path = path
        self.ring = ring
        self._dimensions = dimensions
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        self._tenths: int | None = None
        self._writes = self._forgets = False

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection | None]:
        """One consistent view, or None when the shard was never written. Raises StorageFailed."""
        with self._turn():
            connection = self._open()
            if connection is None:
                yield None
                return
            connection.execute("BEGIN")
            yield connection
            connection.execute("COMMIT")

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction that may write, creating the file if need be. Raises StorageFailed, nothing half-written."""
        with self._turn():
            connection = self._begin_to_write()
            if schema.version_of(connection) < schema.VERSION:
                schema.migrate(connection)
            yield connection
            connection.execute("COMMIT")
            if self._forgets:
                connection.execute("PRAGMA shrink_memory")

    def _begin_to_write(self) -> sqlite3.Connection:
        """A connection to the file that is there once the turn is ours: it may have been written anew meanwhile."""
        while True:
            connection = self._open() or self._create()
            self._prepare_to_write(connection)
            connection.execute("BEGIN IMMEDIATE")
            if self._current_inode() == self._inode:
                return connection
            self._close()

    def rekey(self) -> bool:
        """Write the file anew under the current key, if it is under another; the caller sees to it that nobody writes.

        Readers go on with what they have, and open the new file next. Raises StorageFailed while others use the file.
        """
        with self._turn():
            key = self.ring.current()
            wanted = key.id if key else ""
            if not self._current_inode() or (cipher.key_id_of(self.path) or "") == wanted:
                return False
            with self._creation_lock():
                self._replace(key, wanted)
        return True

    def _replace(self, key: DataKey | None, wanted: str) -> None:
        connection, draft = self._open(), Path(f"{self.path}{DRAFT}")
        if connection is None:
            return
        connection.execute("BEGIN IMMEDIATE")
        copying.copy(connection, draft, key)
        connection.execute("COMMIT")
        if connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
            raise StorageFailed(f"vector shard {self.path} is being used", hint=BUSY_HINT)
        self._close()
        before = cipher.key_id_of(self.path)
        cipher.write_key_ids(self.path, {"": before, str(draft.stat().st_ino): wanted})
        for suffix in ("-wal", "-shm"):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)
        os.replace(draft, self.path)
        cipher.choose(self.path, self.ring)

    def drop(self) -> None:
        """Remove the file; processes that hold it open notice at their next call. Raises StorageFailed."""
        with self._turn():
            self._close()
            if self.path.exists():
                with self._creation_lock():
                    for suffix in FILES:
                        Path(f"{self.path}{suffix}").unlink(missing_ok=True)
            self._remove_aside()

    def examine(self) -> None:
        """Read all of the file's structure. Raises ShardDamaged."""
        with self.read() as connection:
            found = "ok" if connection is None else connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise ShardDamaged(f"vector shard {self.path}: {' '.join(found.split())}")

    def compact(self) -> None:
        """Write the file anew, so that nothing of deleted rows is left, nor in files that were put aside."""
        with self._turn():
            connection = self._open()
            if connection is not None:
                connection.execute("VACUUM")
                if connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                    raise StorageFailed(f"vector shard {self.path} is being read", hint=BUSY_HINT)
            self._remove_aside()

    def copy(self, folder: Path) -> list[str]:
        """Copy the file with its log, encrypted or not; returns their names. Writers wait meanwhile, readers do not.

        A checkpoint may move pages out of the log during the copy: then they are in both, and are the same.
        """
        with self._turn():
            connection = self._open()
            if connection is None:
                return []
            connection.execute("BEGIN IMMEDIATE")
            files = [Path(f"{self.path}{suffix}") for suffix in FILES if suffix != "-shm"]
            copied = [file.name for file in files if file.exists()]
            for name in copied:
                shutil.copyfile(self.path.parent / name, folder / name)
            connection.execute("COMMIT")
        return copied

    def _remove_aside(self) -> None:
        for aside in self.path.parent.glob(f"{glob.escape(self.path.name)}{ASIDE}*"):
            aside.unlink(missing_ok=True)

    def set_aside(self) -> Path:
        """Rename the file, so that the next write makes a new one; returns its new name. Raises StorageFailed."""
        with self._turn():
            self._close()
            with self._creation_lock():
                numbers = (Path(f"{self.path}{ASIDE}{number}") for number in count(1))
                kept = next(path for path in numbers if not path.exists())
                for suffix in reversed(FILES):
                    with suppress(FileNotFoundError):
                        os.rename(f"{self.path}{suffix}", f"{kept}{suffix}")
        return kept

    def size_bytes(self) -> int:
        """Bytes on disk, the write-ahead log included."""
        files = (Path(f"{self.path}{suffix}") for suffix in ("", "-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    def close(self) -> None:
        """Close this process's connection."""
        if self._pid == os.getpid():
            self._close()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if self._pid != os.getpid():
            if self._connection is not None:
                _abandoned.append(self._connection)
            self._reset()
        with self._lock, self._translated():
            try:
                yield
            except BaseException:
                self._close()  # rolls back, and the next call starts from a fresh connection
                raise

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except cipher.errors() as error:
            code = getattr(error, "sqlite_errorcode", UNKNOWN_CODE) & 0xFF
            message = f"vector shard {self.path}: {error}"
            if code in DAMAGE:
                raise ShardDamaged(message) from error
            raise StorageFailed(message, hint=HINTS.get(code, StorageFailed.hint)) from error
        except OSError as error:
            message = f"vector shard {self.path}: {error.strerror or error}"
            raise StorageFailed(message, hint=ACCESS_HINT) from error

    def _open(self) -> sqlite3.Connection | None:
        """The connection, reopened when the file was dropped or replaced since; None when there is no shard."""
        inode = self._current_inode()
        if self._connection is not None and inode == self._inode:
            self._wait_up_to(_patience.get())
            return self._connection
        self._close()
        if not inode:
            return None
        connection = _connect(self.path, mode="rw", ring=self.ring)
        try:
            recognised = self._recognised(connection)
        except BaseException:
            connection.close()
            raise
        if not recognised:
            connection.close()
            return None
        self._connection, self._inode = connection, inode
        return connection

    def _wait_up_to(self, seconds: float) -> None:
        """Wait so long for who holds the file, in tenths of a second: it is asked for many times in a search."""
        assert self._connection is not None
        tenths = ceil(10 * seconds)
        if tenths != self._tenths:
            self._connection.execute(f"PRAGMA busy_timeout={100 * tenths}")
            self._tenths = tenths

    def _prepare_to_write(self, connection: sqlite3.Connection) -> None:
        if not self._writes:
            # What was written waits for nobody: until the next batch another process has mostly written, too. Pages of
            # an encrypted shard cost when they are read again.
            self._forgets = not cipher.key_id_of(self.path)
            if self._forgets:
                connection.execute(f"PRAGMA cache_size=-{WRITE_CACHE_KIB}")
            self._writes = True

    def _create(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._creation_lock():
            if not self._current_inode():
                cipher.choose(self.path, self.ring)
            connection = _connect(self.path, mode="rwc", ring=self.ring)
            try:
                if not self._recognised(connection):
                    high_water.forget(self.path)
                    _lay_out(connection, self._dimensions)
            except BaseException:
                connection.close()
                raise
        self._connection, self._inode = connection, self._current_inode()
        return connection

    @contextmanager
    def _creation_lock(self) -> Iterator[None]:
        descriptor = os.open(self.path.parent / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _recognised(self, connection: sqlite3.Connection) -> bool:
        """True for a shard of ours, False for a file that holds nothing yet; anything else raises StorageFailed."""
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
            return False
        if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise StorageFailed(f"{self.path} is not a vector shard of Embedmill", hint="Move that file away.")
        if (version := schema.version_of(connection)) not in schema.READABLE:
            message = f"{self.path} has schema {version}, this program knows {schema.VERSION}"
            raise StorageFailed(message, hint="Use the version of Embedmill that wrote it, or a newer one.")
        if (stored := connection.execute("SELECT dimensions FROM shard").fetchone()[0]) != self._dimensions:
            message = f"{self.path} holds vectors of {stored} dimensions, not {self._dimensions}"
            raise StorageFailed(message, hint="Every index version needs shards of its own.")
        return True

    def _current_inode(self) -> int:
        try:
            return os.stat(self.path).st_ino
        except FileNotFoundError:
            return 0

    def _close(self) -> None:
        if self._connection is not None:
            connection, self._connection, self._tenths, self._writes = self._connection, None, None, False
            connection.close()


def _connect(path: Path, *, mode: str, ring: KeyRing) -> sqlite3.Connection:
    options = {"timeout": _patience.get(), "isolation_level": None, "check_same_thread": False}
    connection = cipher.connect(path, file_uri(path, mode=mode), ring, **options)
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA secure_delete=ON")
    connection.execute(f"PRAGMA cache_size=-{SEALED_CACHE_KIB if cipher.key_id_of(path) else READ_CACHE_KIB}")
    connection.execute(f"PRAGMA journal_size_limit={WAL_LIMIT_BYTES}")
    return connection


def _lay_out(connection: sqlite3.Connection, dimensions: int) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("BEGIN IMMEDIATE")
    schema.lay_out(connection, dimensions=dimensions)
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.execute("COMMIT")
