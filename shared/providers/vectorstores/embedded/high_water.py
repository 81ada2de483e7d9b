"""Owns how far a shard was ever written: a line in a file beside it, so that another file in its place is noticed.

The line names the shard by its identity, which every file that is made has for itself. Whoever makes a file forgets the
line of the one before; whoever writes to one raises its own line, and has an older or another file be nobody's.
"""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from embedmill.shared.providers.vectorstores.embedded import schema
from embedmill.shared.providers.vectorstores.embedded.listing import measure

NAME = "written"
NOBODY = "-"
"""The identity of no file."""
WIDTH = 80
"""Characters of the line."""


def folder_of(path: Path) -> Path:
    """Where the index of a shard's file is, and its line."""
    return path.with_suffix(".index")


def note(path: Path, connection: sqlite3.Connection) -> None:
    """Note how far the shard of this connection was written; a disk that refuses is none of the writer's affair."""
    _write(path, f"{_identity(connection)} {measure(connection)}")


def disown(path: Path) -> None:
    """Have the file in this place be no shard, however far it is written from here on."""
    _write(path, f"{NOBODY} 0")


def _write(path: Path, line: str) -> None:
    """One write of one width: of two writers at once, what stays is one's line, and no mixture of both."""
    with suppress(OSError):
        folder_of(path).mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder_of(path) / NAME, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            os.pwrite(descriptor, f"{line:<{WIDTH}}\n".encode(), 0)
        finally:
            os.close(descriptor)


def forget(path: Path) -> None:
    """Have the next file in this place be the shard, whatever there was before."""
    (folder_of(path) / NAME).unlink(missing_ok=True)


def is_behind(path: Path, connection: sqlite3.Connection) -> bool:
    """Whether another file was the shard, or this one was once written further than it goes."""
    try:
        identity, noted = (folder_of(path) / NAME).read_text().split()
        number = int(noted)
    except (OSError, ValueError):
        return False
    if identity != _identity(connection):
        return True
    return schema.version_of(connection) >= schema.WITH_WORDS and number > measure(connection)


def _identity(connection: sqlite3.Connection) -> str:
    return str(connection.execute("SELECT identity FROM shard").fetchone()[0])
