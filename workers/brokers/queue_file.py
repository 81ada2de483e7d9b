"""The file of messages of the embedded broker: queues as rows of one table."""

import os
import sqlite3
from collections.abc import Iterable

INSERT = "INSERT INTO message (queue, body) VALUES (?, ?)"


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

    def put(self, messages: Iterable[tuple[str, str]]) -> None:
        """Add messages, each with its queue before it."""
        self.connection.executemany(INSERT, messages)

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
