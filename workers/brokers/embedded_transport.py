"""The embedded broker: a kombu transport over one SQLite file, for any number of processes on one host.

A message is taken by deleting its row, so a message dies with the process that took it. That is enough here: the
database is the truth, and the dispatcher sends again what nobody came for.
"""

import sqlite3
from queue import Empty
from typing import Any

from kombu.transport import virtual
from kombu.utils.json import dumps

from embedmill.workers.brokers.envelopes import enveloped, read_json
from embedmill.workers.brokers.queue_file import INSERT, QueueFile

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
        self._file.execute(INSERT, (queue, dumps(message)))

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
