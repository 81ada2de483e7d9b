"""How files of SQLite are opened where they cannot be written: as they stand, and nothing is made beside them."""

import os
from pathlib import Path
from urllib.parse import quote


def is_writable(folder: Path) -> bool:
    """Whether this user may make files in a folder; a read-only mount says no to root too."""
    return os.access(folder, os.W_OK)


def file_uri(path: Path, *, mode: str) -> str:
    """The URI by which SQLite opens a file: in `mode`, or to read only where its folder cannot be written.

    SQLite reads a database in WAL mode only with a shared-memory file beside it, unless it is told that nobody writes.
    A write-ahead log that was left is not passed over: then SQLite needs the files that are there, or says so.
    """
    if is_writable(path.parent):
        return f"file:{quote(str(path))}?mode={mode}"
    log = Path(f"{path}-wal")
    alone = not (log.exists() and log.stat().st_size)
    return f"file:{quote(str(path))}?mode=ro" + ("&immutable=1" if alone else "")
