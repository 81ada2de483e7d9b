"""Owns the embedded vector store: one SQLite file per shard, rows and full-text index in the same transaction.

SQLite is the truth and keeps several processes apart; a reading process also holds the shard's vectors in memory
(`Matrix`) and multiplies. A process that only writes holds no vectors.
"""

import json
import os
import secrets
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import numpy as np
import orjson
from numpy.typing import NDArray

from embedmill.shared.editions import Edition
from embedmill.shared.errors import StorageFailed
from embedmill.shared.providers.vectorstores.base import Match, ShardDescription, StoreOptions, VectorRow, VectorStore
from embedmill.shared.providers.vectorstores.embedded.filters import where_clause
from embedmill.shared.providers.vectorstores.embedded.lexical import match_expression
from embedmill.shared.providers.vectorstores.embedded.matrix import Matrix
from embedmill.shared.providers.vectorstores.embedded.shard_file import ShardFile
from embedmill.shared.providers.vectorstores.places import Owner, Place
from embedmill.shared.providers.vectorstores.rows import NO_VECTOR, check_query, check_row, check_shard, named

TOMBSTONES_KEPT = 10_000
DOCUMENTS_PAGE = 2_000
OWNER = "owner"
"""The file with the name of who writes to a place."""

BM25 = "bm25(lexicon, 2.0, 1.5, 1.0)"  # title, section, text: a word in a heading says more about the chunk

ROW_COLUMNS = (
    'id, document, version, generation, ordinal, chunk, uri, title, section, text, start, "end", page, index_version, '
    "metadata"
)
INSERT = f"INSERT INTO vectors ({ROW_COLUMNS}, vector, seq, key) VALUES ({', '.join('?' * 18)})"
INDEX_WRITTEN = """
INSERT INTO lexicon (rowid, title, section, text) SELECT key, title, section, text FROM vectors WHERE seq = ?
"""
UNINDEX = """
INSERT INTO lexicon (lexicon, rowid, title, section, text)
SELECT 'delete', key, title, section, text FROM vectors WHERE key IN (SELECT value FROM json_each(?))
"""
STALE_KEYS = """
SELECT vectors.key FROM json_each(?) AS document
JOIN vectors ON vectors.document = document.key AND vectors.generation < document.value
"""
LEXICAL_BEST = f"""
SELECT vectors.id, vectors.document, vectors.version, -best.score
FROM (
    SELECT rowid, {BM25} AS score FROM lexicon WHERE lexicon MATCH ? ORDER BY score, rowid LIMIT ?
) AS best JOIN vectors ON vectors.key = best.rowid ORDER BY best.score, best.rowid
"""
# The unary plus keeps the full-text index from being asked anew for every row.
LEXICAL_BEST_FILTERED = f"""
SELECT vectors.id, vectors.document, vectors.version, -best.score
FROM (
    SELECT rowid, {BM25} AS score FROM lexicon
    WHERE lexicon MATCH ? AND +rowid IN (SELECT key FROM vectors WHERE %s)
    ORDER BY score, rowid LIMIT ?
) AS best JOIN vectors ON vectors.key = best.rowid ORDER BY best.score, best.rowid
"""
LEXICAL_SCORES = f"""
SELECT rowid, -{BM25} FROM lexicon WHERE lexicon MATCH ? AND +rowid IN (SELECT value FROM json_each(?))
"""
# The generation as a row's id tells it: NULL for rows of 0.1.0, whose ids tell none.
EDITION = """
document, version,
CASE WHEN id = document || '-' || version || '-' || generation || '.' || ordinal THEN generation END AS told
"""
EDITIONS_PAGE = f"""
SELECT {EDITION}, count(*) FROM vectors WHERE document IN (
    SELECT DISTINCT document FROM vectors WHERE document > ? ORDER BY document LIMIT {DOCUMENTS_PAGE}
) GROUP BY document, version, told ORDER BY document
"""
EDITIONS_OF = f"""
SELECT {EDITION}, count(*) FROM vectors WHERE document IN (SELECT value FROM json_each(?))
GROUP BY document, version, told ORDER BY document
"""
EDITION_COUNTS = """
SELECT document.key, count(vectors.key) FROM json_each(?) AS document
LEFT JOIN vectors ON vectors.document = document.key AND vectors.version = document.value ->> 0
AND vectors.generation = document.value ->> 1 GROUP BY document.key
"""
SOME_DOCUMENTS = "SELECT DISTINCT document FROM vectors ORDER BY document LIMIT ?"
VERSION_COUNTS = """
SELECT document.key, count(vectors.key) FROM json_each(?) AS document
LEFT JOIN vectors ON vectors.document = document.key AND vectors.version = document.value GROUP BY document.key
"""


class EmbeddedVectorStore(VectorStore):
    """Shards as files `<root>/<shard>.db`; any number of processes may read and write, threads take turns."""

    supports_lexical = True

    def __init__(self, root: Path, *, dimensions: int, owner: Owner | None = None) -> None:
        self._folder = root.parent
        self._place = Place(root.name, owner)
        self._dimensions = dimensions
        self._shards: dict[Path, tuple[ShardFile, Matrix]] = {}

    @classmethod
    def open(cls, url: str, options: StoreOptions) -> Self:
        del url
        folder = options.home / "vectors" / options.collection_key
        return cls(folder, dimensions=options.dimensions, owner=options.owner)

    def upsert(self, shard: str, rows: Sequence[VectorRow]) -> None:
        wanted = named(rows)
        for row in wanted.values():
            check_row(row, dimensions=self._dimensions)
        if not wanted:
            return
        with self._file(shard, to_write=True).write() as connection:
            seq = _next_seq(connection)
            keys = _make_room(connection, wanted)
            connection.executemany(INSERT, (_record(wanted[id], seq, key) for id, key in keys.items()))
            connection.execute(INDEX_WRITTEN, (seq,))

    def delete_stale(self, shard: str, generations: Mapping[str, int]) -> int:
        return self._delete(shard, STALE_KEYS, json.dumps(dict(generations)))

    def delete_ids(self, shard: str, ids: Sequence[str]) -> int:
        return self._delete(shard, "SELECT key FROM vectors WHERE id IN (SELECT value FROM json_each(?))", _json(ids))

    def _delete(self, shard: str, select_keys: str, parameter: str) -> int:
        if not self._holds(shard, select_keys, parameter):
            return 0
        with self._file(shard, to_write=True).write() as connection:
            keys = [key for (key,) in connection.execute(select_keys, (parameter,))]
            if keys:
                _bury(connection, keys, _next_seq(connection))
            return len(keys)

    def _holds(self, shard: str, select_keys: str, parameter: str) -> bool:
        """Whether anything matches: most deletes find nothing and need no turn at writing."""
        with self._file(shard).read() as connection:
            return connection is not None and connection.execute(select_keys, (parameter,)).fetchone() is not None

    def count_versions(self, shard: str, documents: Mapping[str, str]) -> dict[str, int]:
        return self._counts(shard, VERSION_COUNTS, documents)

    def count_editions(self, shard: str, documents: Mapping[str, tuple[str, int]]) -> dict[str, int]:
        return self._counts(shard, EDITION_COUNTS, documents)

    def _counts(self, shard: str, select: str, documents: Mapping[str, Any]) -> dict[str, int]:
        with self._file(shard).read() as connection:
            if connection is None:
                return dict.fromkeys(documents, 0)
            return dict(connection.execute(select, (json.dumps(dict(documents)),)).fetchall())

    def query(
        self, shard: str, vector: NDArray[np.float32], *, top_k: int, filter: Mapping[str, Any] | None = None
    ) -> list[Match]:
        file, matrix = self._open(shard)
        with file.read() as connection:
            if connection is None or top_k < 1:
                return []
            matrix.refresh(connection)
            nearest = matrix.nearest(
                check_query(vector, dimensions=self._dimensions), top_k=top_k, allowed=_allowed(connection, filter)
            )
            return _matches(connection, nearest)

    def score(self, shard: str, ids: Sequence[str], vector: NDArray[np.float32]) -> dict[str, float]:
        file, matrix = self._open(shard)
        with file.read() as connection:
            if connection is None:
                return {}
            matrix.refresh(connection)
            keys = _keys_by_id(connection, ids)
            scores = dict(matrix.cosines(check_query(vector, dimensions=self._dimensions), list(keys.values())))
            return {id: scores[key] for id, key in keys.items()}

    def query_lexical(
        self, shard: str, text: str, *, top_k: int, filter: Mapping[str, Any] | None = None
    ) -> list[Match]:
        expression = match_expression(text)
        with self._file(shard).read() as connection:
            if connection is None or not expression or top_k < 1:
                return []
            if not filter:
                return [Match(*row) for row in connection.execute(LEXICAL_BEST, (expression, top_k))]
            where, parameters = where_clause(filter)
            found = connection.execute(LEXICAL_BEST_FILTERED % where, (expression, *parameters, top_k))
            return [Match(*row) for row in found]

    def score_lexical(self, shard: str, ids: Sequence[str], text: str) -> dict[str, float]:
        expression = match_expression(text)
        with self._file(shard).read() as connection:
            if connection is None or not expression or not ids:
                return {}
            keys = _keys_by_id(connection, ids)
            scores = dict(connection.execute(LEXICAL_SCORES, (expression, _json(list(keys.values())))).fetchall())
            return {id: scores[key] for id, key in keys.items() if key in scores}

    def fetch(self, shard: str, ids: Sequence[str], *, with_vectors: bool = False) -> dict[str, VectorRow]:
        return self._fetch(shard, "id", ids, with_vectors=with_vectors)

    def fetch_documents(
        self, shard: str, documents: Sequence[str], *, with_vectors: bool = False
    ) -> dict[str, VectorRow]:
        return self._fetch(shard, "document", documents, with_vectors=with_vectors)

    def _fetch(self, shard: str, column: str, values: Sequence[str], *, with_vectors: bool) -> dict[str, VectorRow]:
        select = _select(with_vectors=with_vectors) + f" WHERE {column} IN (SELECT value FROM json_each(?))"
        with self._file(shard).read() as connection:
            if connection is None:
                return {}
            return {record[0]: _row(record) for record in connection.execute(select, (_json(values),))}

    def list_rows(self, shard: str, *, with_vectors: bool = False, page: int = 500) -> Iterator[VectorRow]:
        select = _select(with_vectors=with_vectors) + " WHERE id > ? ORDER BY id LIMIT ?"
        after = ""
        while records := self._page(shard, select, (after, page)):
            yield from map(_row, records)
            after = records[-1][0]

    def list_editions(self, shard: str) -> Iterator[tuple[str, Edition, int]]:
        after = ""
        while records := self._page(shard, EDITIONS_PAGE, (after,)):
            yield from map(_held, records)
            after = records[-1][0]

    def find_editions(self, shard: str, documents: Sequence[str]) -> list[tuple[str, Edition, int]]:
        return list(map(_held, self._page(shard, EDITIONS_OF, (_json(documents),))))

    def _page(self, shard: str, select: str, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with self._file(shard).read() as connection:
            return [] if connection is None else connection.execute(select, parameters).fetchall()

    def count(self, shard: str) -> int:
        with self._file(shard).read() as connection:
            return 0 if connection is None else int(connection.execute("SELECT count(*) FROM vectors").fetchone()[0])

    def describe(self, shard: str) -> ShardDescription:
        file = self._file(shard)
        with file.read() as connection:
            if connection is None:
                return ShardDescription(shard, vectors=0, documents=0, dimensions=0, size_bytes=0)
            counts = "SELECT count(*), count(DISTINCT document) FROM vectors"
            vectors, documents = connection.execute(counts).fetchone()
            return ShardDescription(shard, vectors, documents, self._dimensions, file.size_bytes())

    def drop(self, shard: str) -> None:
        self._file(shard).drop()

    def close(self) -> None:
        for file, _ in self._shards.values():
            file.close()

    def _file(self, shard: str, *, to_write: bool = False) -> ShardFile:
        return self._open(shard, to_write=to_write)[0]

    def _open(self, shard: str, *, to_write: bool = False) -> tuple[ShardFile, Matrix]:
        path = self._path(self._place.find(self, check_shard(shard), to_write=to_write), shard)
        opened = self._shards.get(path)
        if opened is None:
            file = ShardFile(path, dimensions=self._dimensions)
            opened = self._shards.setdefault(path, (file, Matrix(self._dimensions)))
        return opened

    def _path(self, place: str, shard: str) -> Path:
        return self._folder / place / f"{shard}.db"

    # Marks: a file beside the shards

    def read_marks(self, place: str) -> set[str]:
        try:
            return {(self._folder / place / OWNER).read_text().strip()}
        except FileNotFoundError:
            return set()
        except OSError as error:
            raise StorageFailed(f"cannot read {self._folder / place / OWNER}: {error.strerror}") from None

    def leave_mark(self, place: str, name: str) -> None:
        folder = self._folder / place
        try:
            folder.mkdir(parents=True, exist_ok=True)
            draft = folder / f"{OWNER}.{secrets.token_hex(8)}"
            draft.write_text(f"{name}\n")
            with suppress(FileExistsError):
                os.link(draft, folder / OWNER)
            draft.unlink()
        except OSError as error:
            raise StorageFailed(f"cannot write {folder / OWNER}: {error.strerror}") from None

    def remove_mark(self, place: str, name: str) -> None:
        """Whoever was first has it: there is nothing of ours to take back."""

    def sample_documents(self, place: str, shard: str, limit: int) -> list[str]:
        with ShardFile(self._path(place, shard), dimensions=self._dimensions).read() as connection:
            return [] if connection is None else [id for (id,) in connection.execute(SOME_DOCUMENTS, (limit,))]


def _next_seq(connection: sqlite3.Connection) -> int:
    return int(connection.execute("UPDATE shard SET seq = seq + 1 RETURNING seq").fetchone()[0])


def _make_room(connection: sqlite3.Connection, rows: Mapping[str, VectorRow]) -> dict[str, int]:
    """The key of every row to write: its old one after removing what it replaces, or a new one."""
    replaced = _keys_by_id(connection, list(rows))
    _erase(connection, list(replaced.values()))
    free = int(connection.execute("SELECT coalesce(max(key), 0) + 1 FROM vectors").fetchone()[0])
    fresh = (id for id in rows if id not in replaced)
    return replaced | {id: key for key, id in enumerate(fresh, max(free, *replaced.values(), 0) + 1)}


def _erase(connection: sqlite3.Connection, keys: Sequence[int]) -> None:
    if keys:
        listed = _json(keys)
        connection.execute(UNINDEX, (listed,))
        connection.execute("DELETE FROM vectors WHERE key IN (SELECT value FROM json_each(?))", (listed,))


def _bury(connection: sqlite3.Connection, keys: Sequence[int], seq: int) -> None:
    """Delete rows and leave tombstones; when those pile up they go, and readers behind `floor` load anew."""
    _erase(connection, keys)
    connection.executemany("INSERT OR REPLACE INTO tombstones VALUES (?, ?)", ((key, seq) for key in keys))
    if connection.execute("SELECT count(*) FROM tombstones").fetchone()[0] > TOMBSTONES_KEPT:
        connection.execute("DELETE FROM tombstones")
        connection.execute("UPDATE shard SET floor = seq")


def _allowed(connection: sqlite3.Connection, filter: Mapping[str, Any] | None) -> list[int] | None:
    if not filter:
        return None
    where, parameters = where_clause(filter)
    return [key for (key,) in connection.execute(f"SELECT key FROM vectors WHERE {where}", parameters)]


def _matches(connection: sqlite3.Connection, nearest: Sequence[tuple[int, float]]) -> list[Match]:
    select = "SELECT key, id, document, version FROM vectors WHERE key IN (SELECT value FROM json_each(?))"
    listed = _json([key for key, _ in nearest])
    rows = {key: (id, document, version) for key, id, document, version in connection.execute(select, (listed,))}
    return [Match(*rows[key], score) for key, score in nearest]


def _keys_by_id(connection: sqlite3.Connection, ids: Sequence[str]) -> dict[str, int]:
    select = "SELECT id, key FROM vectors WHERE id IN (SELECT value FROM json_each(?))"
    return dict(connection.execute(select, (_json(ids),)).fetchall())


def _select(*, with_vectors: bool) -> str:
    return f"SELECT {ROW_COLUMNS}, {'vector' if with_vectors else 'NULL'} FROM vectors"


def _record(row: VectorRow, seq: int, key: int) -> tuple[Any, ...]:
    return (
        row.id,
        row.document,
        row.version,
        row.generation,
        row.ordinal,
        row.chunk,
        row.uri,
        row.title,
        row.section,
        row.text,
        row.start,
        row.end,
        row.page,
        row.index_version,
        orjson.dumps(dict(row.metadata)).decode(),
        np.ascontiguousarray(row.vector, np.float32).tobytes(),
        seq,
        key,
    )


def _row(record: tuple[Any, ...]) -> VectorRow:
    *columns, metadata, vector = record
    stored = NO_VECTOR if vector is None else np.frombuffer(vector, np.float32)
    return VectorRow(*(*columns, stored, orjson.loads(metadata)))


def _held(record: tuple[Any, ...]) -> tuple[str, Edition, int]:
    document, version, generation, rows = record
    return document, Edition(version, generation), rows


def _json(values: Sequence[Any]) -> str:
    return json.dumps(list(values))
