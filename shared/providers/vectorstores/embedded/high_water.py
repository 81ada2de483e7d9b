"""Owns how far a shard was ever written: a line in a file beside it, so that an older file in its place is noticed."""

import sqlite3
from contextlib import suppress
from pathlib import Path

from embedmill.shared.providers.vectorstores.embedded import schema
from embedmill.shared.providers.vectorstores.embedded.listing import measure

NAME = "written"


def note(folder: Path, connection: sqlite3.Connection) -> None:
    """Note how far the shard of this connection was written; a disk that refuses is none of the writer's affair."""
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / NAME).write_text(f"{_identity(connection)} {measure(connection)}")


def is_behind(folder: Path, connection: sqlite3.Connection) -> bool:
    """Whether the shard was once written further than this file of it goes."""
    if schema.version_of(connection) < schema.WITH_WORDS:
        return False
    try:
        identity, noted = (folder / NAME).read_text().split()
        return identity == _identity(connection) and int(noted) > measure(connection)
    except (OSError, ValueError):
        return False


def _identity(connection: sqlite3.Connection) -> str:
    return str(connection.execute("SELECT identity FROM shard").fetchone()[0])
