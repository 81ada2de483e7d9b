"""Looks for what a document left, byte by byte, in every file of a home, compressed objects included."""

import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from embedmill.shared.providers.blobs.compression import MARK


def find_bytes(home: Path, needles: dict[str, bytes]) -> list[tuple[str, str]]:
    """(file, what) of every needle that is in a file."""
    return [
        (str(path.relative_to(home)), name)
        for path in sorted(home.rglob("*"))
        if path.is_file()
        for name, needle in needles.items()
        if any(needle in data for data in _readings(path))
    ]


def _readings(path: Path) -> Iterator[bytes]:
    data = path.read_bytes()
    yield data
    if data.startswith(MARK):
        yield zlib.decompress(data[len(MARK) :])


def stored_rows(home: Path, document: str) -> dict[str, bytes]:
    """The columns of a document's rows in embedded shards as they lie on the disk, which compress and round."""
    found: dict[str, bytes] = {}
    for path in (home / "vectors").rglob("*.db"):
        with closing(sqlite3.connect(path)) as connection:
            rows = connection.execute("SELECT text, vector FROM vectors WHERE document = ?", (document,))
            for number, columns in enumerate(rows):
                for name, value in zip(("text", "vector"), columns, strict=True):
                    found[f"{name} of row {number}"] = value.encode() if isinstance(value, str) else value
    return found


def vectors(home: Path) -> dict[str, bytes]:
    """Every row's vector by its id, as it lies on the disk."""
    found: dict[str, bytes] = {}
    for path in (home / "vectors").rglob("*.db"):
        with closing(sqlite3.connect(path)) as connection:
            found |= dict(connection.execute("SELECT id, vector FROM vectors").fetchall())
    return found
