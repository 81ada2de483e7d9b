"""Owns the asking for the end of a shard's file, where its latest rows lie: met page by page, each would wait.

It is asked for by the descriptor that SQLite has. One of our own must not be closed while a connection is open: the
system would take all locks of this process on the file with it.
"""

import os
import sqlite3
import sys
from contextlib import suppress

SPARE = 3.0
"""Rows lie among what else was written with them, and some in pages that were free."""
FEWEST = 1_024
"""Rows for which nobody looks for the descriptor."""
MOST_BYTES = 64 * 2**20
DESCRIPTORS = "/proc/self/fd"


def read_ahead(connection: sqlite3.Connection, rows: int, of: int) -> int:
    """Have the system read at once what holds the last of some rows; returns how many bytes were asked for."""
    if rows < FEWEST or sys.platform != "linux":
        return 0
    path = connection.execute("PRAGMA database_list").fetchone()[2]
    with suppress(OSError):
        size = os.stat(path).st_size
        wanted = min(int(SPARE * size * rows / of), size, MOST_BYTES)
        for descriptor in os.listdir(DESCRIPTORS):
            if _is_of(descriptor, path):
                os.posix_fadvise(int(descriptor), size - wanted, wanted, os.POSIX_FADV_WILLNEED)
                return wanted
    return 0


def _is_of(descriptor: str, path: str) -> bool:
    try:
        return os.readlink(f"{DESCRIPTORS}/{descriptor}") == path
    except OSError:
        return False
