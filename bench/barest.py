"""The barest script: files cut by size, words hashed to vectors, rows into one table; nothing of the pipeline.

`python -m bench.barest FOLDER FILE` prints the number of rows. No token is counted, no language known, nothing tracked.
"""

import os
import re
import sqlite3
import sys
import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

DIMENSIONS = 256
SIZE, OVERLAP = 600, 100
"""Characters of a piece, which gives about as many as 128 tokens do."""
ROWS = 2048
WORD = re.compile(r"\w+")


def main(folder: str, file: str) -> None:
    """Read, cut, embed and write."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE rows (path TEXT, start INTEGER, text TEXT, vector BLOB)")
    pending: list[tuple[str, int, str]] = []
    embed = BareEmbedder()
    for path, text in _read(folder):
        pending += [(path, start, text[start : start + SIZE]) for start in range(0, len(text), SIZE - OVERLAP)]
        if len(pending) >= ROWS:
            _write(connection, pending, embed)
            pending = []
    _write(connection, pending, embed)
    print(connection.execute("SELECT count(*) FROM rows").fetchone()[0])


def _read(folder: str) -> Iterator[tuple[str, str]]:
    for root, _, files in os.walk(folder):
        for name in files:
            path = os.path.join(root, name)
            with open(path, encoding="utf-8") as file:
                yield path, file.read()


class BareEmbedder:
    """Counts of words by the hash of each, at length 1."""

    def __init__(self) -> None:
        self._columns: dict[str, int] = {}

    def __call__(self, texts: list[str]) -> NDArray[np.float32]:
        """float32 of shape (len(texts), DIMENSIONS)."""
        counts = np.zeros((len(texts), DIMENSIONS), np.float32)
        for row, text in enumerate(texts):
            columns = [self._column(word) for word in WORD.findall(text.lower())]
            counts[row] = np.bincount(columns, minlength=DIMENSIONS)
        return np.asarray(counts / np.maximum(np.linalg.norm(counts, axis=1, keepdims=True), 1), np.float32)

    def _column(self, word: str) -> int:
        found = self._columns.get(word)
        if found is None:
            found = self._columns[word] = zlib.crc32(word.encode()) % DIMENSIONS
        return found


def _write(connection: sqlite3.Connection, pending: list[tuple[str, int, str]], embed: BareEmbedder) -> None:
    vectors = embed([text for _, _, text in pending])
    connection.execute("BEGIN")
    rows = ((*piece, vector.tobytes()) for piece, vector in zip(pending, vectors, strict=True))
    connection.executemany("INSERT INTO rows VALUES (?, ?, ?, ?)", rows)
    connection.execute("COMMIT")


if __name__ == "__main__":
    main(*sys.argv[1:])
