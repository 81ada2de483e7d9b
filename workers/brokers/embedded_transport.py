"""The embedded broker: a kombu transport over one SQLite file, for any number of processes on one host.

A message is taken by deleting its row, so a message dies with the process that took it. That is enough here: the
database is the truth, and the dispatcher sends again what nobody came for.
"""

import os
import sqlite3
from queue import Empty
from typing import Any

from kombu.transport import virtual
from kombu.utils.json import dumps

from embedmill.workers.brokers.envelopes import enveloped, read_json

POLLING_SECONDS = 0.02


class EmbeddedChannel(virtual.Channel):
    """Queues as rows of one table, oldest first."""

    supports_fanout = False
    _queue: "QueueFile | None" = None

    @property
    def _file(self) -> sqlite3.Connection:
        if self._queue is None:
            self._queue = QueueFile(self.connection.client.transport_options["path"])
        return self._queue.connection

    def _put(self, queue: str, message: Any, **_: Any) -> None:
        self._file.execute("INSERT INTO message (queue, body) VALUES (?, ?)", (queue, dumps(message)))

    def _get(self, queue: str, timeout: Any = None) -> Any:
        # The cheap look first: a poll of an empty queue must not take the write lock.
        if not self._size(queue):
            raise Empty
        row = self._file.execute(
            "DELETE FROM message"
            " WHERE id = (SELECT id FROM message WHERE queue = ? ORDER BY id LIMIT 1) RETURNING body",
            (queue,),
        ).fetchall()
        if not row:
            raise Empty
        return enveloped(read_json(row[0][0]), queue=queue)

    def _size(self, queue: str) -> int:
        query = "SELECT count(*) FROM (SELECT 1 FROM message WHERE queue = ? LIMIT 1000)"
        return int(self._file.execute(query, (queue,)).fetchone()[0])

    def _purge(self, queue: str) -> int:
        return self._file.execute("DELETE FROM message WHERE queue = ?", (queue,)).rowcount

    def _new_queue(self, queue: str, **_: Any) -> None:
        """Queues come into being with their first message."""

    def _has_queue(self, queue: str, **_: Any) -> bool:
        return True

    def close(self) -> None:
        """Close the file with the channel."""
        super().close()
        if self._queue is not None:
            self._queue.close()


class EmbeddedTransport(virtual.Transport):
    """`embedded://`, with the file's path in the transport options."""

    Channel = EmbeddedChannel
    driver_type = "embedded"
    driver_name = "sqlite3"
    polling_interval = POLLING_SECONDS
    default_port = None
    connection_errors = (*virtual.Transport.connection_errors, sqlite3.OperationalError)

    def driver_version(self) -> str:
        """The SQLite library's version."""
        return sqlite3.sqlite_version


class QueueFile:
    """The file of messages; opened anew when somebody removed it, as wiping a broker does."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._inode = 0

    @property
    def connection(self) -> sqlite3.Connection:
        """A connection to the file that is there now."""
        if self._connection is None or self._current_inode() != self._inode:
            self.close()
            self._connection = _open(self._path)
            self._inode = self._current_inode()
        return self._connection

    def depth(self) -> int:
        """Messages in all queues."""
        return sum(self.depths().values())

    def depths(self) -> dict[str, int]:
        """Messages by queue; a queue without any is left out."""
        return dict(self.connection.execute("SELECT queue, count(*) FROM message GROUP BY queue").fetchall())

    def purge(self) -> None:
        """Drop every message."""
        self.connection.execute("DELETE FROM message")

    def close(self) -> None:
        """Release the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _current_inode(self) -> int:
        try:
            return os.stat(self._path).st_ino
        except FileNotFoundError:
            return -1


def _open(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
    # Messages need not survive a power cut; the database knows what to send again.
    for pragma in ("journal_mode=WAL", "synchronous=OFF"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS message (id INTEGER PRIMARY KEY, queue TEXT NOT NULL, body TEXT NOT NULL)"
    )
    connection.execute("CREATE INDEX IF NOT EXISTS ix_message_queue ON message (queue, id)")
    return connection
