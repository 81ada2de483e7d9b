"""Owns the vector store on Postgres with pgvector: a table per shard, rows, vectors and words in one transaction.

A table of its own makes a shard's index its own too: dropping one, or building one, touches no other. Small shards are
searched exactly; once a shard is large an HNSW index is built beside the readers.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Self, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import numpy as np
import orjson
import psycopg
from numpy.typing import NDArray
from psycopg import sql
from psycopg.types.json import Jsonb

from embedmill.shared.editions import Edition
from embedmill.shared.errors import SettingsError
from embedmill.shared.providers.vectorstores.base import Match, ShardDescription, StoreOptions, VectorRow, VectorStore
from embedmill.shared.providers.vectorstores.pgvector import sql as statements
from embedmill.shared.providers.vectorstores.pgvector.connections import ABSENT, Connections
from embedmill.shared.providers.vectorstores.pgvector.text import map_strings, with_nul, without_nul
from embedmill.shared.providers.vectorstores.places import Owner, Place
from embedmill.shared.providers.vectorstores.rows import NO_VECTOR, check_query, check_row, check_shard, named
from embedmill.shared.providers.vectorstores.words import query_words, words_of

T = TypeVar("T")

DEFAULT_SCHEMA = "embedmill"
LONGEST_NAME = 63
"""Bytes of an identifier in Postgres."""
INDEX_FROM_ROWS = 20_000
"""Under this an exact search takes some milliseconds, and an index costs more than it saves."""
COUNT_EVERY_ROWS = 5_000
DOCUMENTS_PAGE = 2_000
UPSERT_ROWS = 1_000
OWNERS = "owners"
"""The table with the names of who writes to which place."""
FILTERED_COLUMNS = frozenset({"document", "uri"})

# Filters are applied while the index is read, not after, or a selective one would leave nothing over.
PREPARE = "SET hnsw.iterative_scan = 'strict_order'; SET hnsw.ef_search = 200"


class PgVectorStore(VectorStore):
    """Shards as tables `<schema>."<collection>-<dimensions>-<shard>"`; `?schema=` in the URL names the schema."""

    supports_lexical = True

    def __init__(
        self,
        url: str,
        *,
        collection_key: str,
        dimensions: int,
        index_from_rows: int = INDEX_FROM_ROWS,
        owner: Owner | None = None,
    ) -> None:
        conninfo, self._schema = _split(url)
        self._place = Place(collection_key, owner)
        self._dimensions = dimensions
        self._connections = Connections(conninfo, prepare=PREPARE)
        self._made: set[str] = set()
        self._uncounted: dict[str, int] = {}
        self._index_from_rows = index_from_rows

    @classmethod
    def open(cls, url: str, options: StoreOptions) -> Self:
        return cls(url, collection_key=options.collection_key, dimensions=options.dimensions, owner=options.owner)

    def upsert(self, shard: str, rows: Sequence[VectorRow]) -> None:
        table = self._table(shard, to_write=True)
        wanted = list(named(rows).values())
        for row in wanted:
            check_row(row, dimensions=self._dimensions)
        if not wanted:
            return
        self._connections.persistence.ask(lambda: self._make(table))
        self._connections.persistence.ask(lambda: self._write(table, wanted))
        self._index_when_large(table, len(wanted))

    def _write(self, table: str, wanted: Sequence[VectorRow]) -> None:
        with self._connections.use() as connection:
            for start in range(0, len(wanted), UPSERT_ROWS):
                page = sorted(wanted[start : start + UPSERT_ROWS], key=lambda row: row.id)
                connection.execute(self._statement(statements.UPSERT, table), _columns(page))

    def delete_stale(self, shard: str, generations: Mapping[str, int]) -> int:
        given = (list(map(without_nul, generations)), list(generations.values()))
        return self._delete(shard, statements.DELETE_STALE, given)

    def delete_ids(self, shard: str, ids: Sequence[str]) -> int:
        return self._delete(shard, statements.DELETE_IDS, (list(map(without_nul, ids)),))

    def _delete(self, shard: str, statement: str, parameters: Sequence[Any]) -> int:
        table = self._table(shard, to_write=True)
        return self._ask(table, statement, parameters, lambda cursor: cursor.rowcount, otherwise=0)

    def count_versions(self, shard: str, documents: Mapping[str, str]) -> dict[str, int]:
        given = (list(map(without_nul, documents)), list(map(without_nul, documents.values())))
        counted = self._rows(shard, statements.COUNT_VERSIONS, given)
        return dict.fromkeys(documents, 0) | {with_nul(document): rows for document, rows in counted}

    def count_editions(self, shard: str, documents: Mapping[str, tuple[str, int]]) -> dict[str, int]:
        versions, generations = [version for version, _ in documents.values()], [g for _, g in documents.values()]
        given = (list(map(without_nul, documents)), list(map(without_nul, versions)), generations)
        counted = self._rows(shard, statements.COUNT_EDITIONS, given)
        return dict.fromkeys(documents, 0) | {with_nul(document): rows for document, rows in counted}

    def query(
        self, shard: str, vector: NDArray[np.float32], *, top_k: int, filter: Mapping[str, Any] | None = None
    ) -> list[Match]:
        where, parameters = _condition(filter or {})
        parameters |= {"vector": check_query(vector, dimensions=self._dimensions), "top_k": max(top_k, 0)}
        statement = statements.NEAREST.replace("{where}", where)
        statement = statement.replace("{distance}", statements.distance(self._dimensions))
        return _matches(self._rows(shard, statement, parameters))

    def score(self, shard: str, ids: Sequence[str], vector: NDArray[np.float32]) -> dict[str, float]:
        parameters = {"vector": check_query(vector, dimensions=self._dimensions), "ids": list(map(without_nul, ids))}
        return {with_nul(id): _finite(score) for id, score in self._rows(shard, statements.COSINES, parameters)}

    def query_lexical(
        self, shard: str, text: str, *, top_k: int, filter: Mapping[str, Any] | None = None
    ) -> list[Match]:
        words = query_words(text)
        if not words:
            return []
        where, parameters = _condition(filter or {})
        parameters |= {"words": words, "top_k": max(top_k, 0)}
        return _matches(self._rows(shard, statements.WORDED.replace("{where}", where), parameters))

    def score_lexical(self, shard: str, ids: Sequence[str], text: str) -> dict[str, float]:
        words = query_words(text)
        if not words or not ids:
            return {}
        parameters = {"words": words, "ids": list(map(without_nul, ids))}
        return {with_nul(id): score for id, score in self._rows(shard, statements.WORD_SCORES, parameters)}

    def fetch(self, shard: str, ids: Sequence[str], *, with_vectors: bool = False) -> dict[str, VectorRow]:
        return self._fetch(shard, statements.BY_ID, ids, with_vectors=with_vectors)

    def fetch_documents(
        self, shard: str, documents: Sequence[str], *, with_vectors: bool = False
    ) -> dict[str, VectorRow]:
        return self._fetch(shard, statements.BY_DOCUMENT, documents, with_vectors=with_vectors)

    def _fetch(self, shard: str, statement: str, values: Sequence[str], *, with_vectors: bool) -> dict[str, VectorRow]:
        selected = statement.replace("{columns}", _selected(with_vectors=with_vectors))
        rows = map(_row, self._rows(shard, selected, (list(map(without_nul, values)),)))
        return {row.id: row for row in rows}

    def list_rows(self, shard: str, *, with_vectors: bool = False, page: int = 500) -> Iterator[VectorRow]:
        statement = statements.PAGE.replace("{columns}", _selected(with_vectors=with_vectors))
        after = ""
        while records := self._rows(shard, statement, (after, page)):
            yield from map(_row, records)
            after = records[-1][0]

    def list_editions(self, shard: str) -> Iterator[tuple[str, Edition, int]]:
        after = ""
        while records := self._rows(shard, statements.EDITIONS_PAGE, (after, DOCUMENTS_PAGE)):
            yield from map(_held, records)
            after = records[-1][0]

    def find_editions(self, shard: str, documents: Sequence[str]) -> list[tuple[str, Edition, int]]:
        return list(map(_held, self._rows(shard, statements.EDITIONS_OF, (list(map(without_nul, documents)),))))

    def count(self, shard: str) -> int:
        rows = self._rows(shard, statements.COUNT, ())
        return int(rows[0][0]) if rows else 0

    def describe(self, shard: str) -> ShardDescription:
        rows = self._rows(shard, statements.DESCRIBE, ())
        if not rows:
            return ShardDescription(shard, vectors=0, documents=0, dimensions=0, size_bytes=0)
        vectors, documents, size = rows[0]
        return ShardDescription(shard, vectors, documents, self._dimensions, size)

    def drop(self, shard: str) -> None:
        table = self._table(shard)
        self._made.discard(table)
        self._ask(table, statements.DROP, (), lambda _: None, otherwise=None)

    def check(self) -> str:
        query = (
            "SELECT current_setting('server_version'), (SELECT extversion FROM pg_extension WHERE extname = 'vector')"
        )
        with self._connections.use() as connection:
            found = connection.execute(query).fetchone()
        assert found is not None
        return f"PostgreSQL {found[0].split()[0]} with pgvector {found[1]}"

    def close(self) -> None:
        self._connections.close()

    def has_index(self, shard: str) -> bool:
        """Whether searches of this shard go through a finished HNSW index."""
        return self._index_state(_index_name(self._table(shard), "hnsw")) is True

    def _rows(self, shard: str, statement: str, parameters: Any) -> list[Any]:
        return self._ask(self._table(shard), statement, parameters, lambda cursor: cursor.fetchall(), otherwise=[])

    def _ask(
        self,
        table: str,
        statement: str,
        parameters: Any,
        take: Callable[[psycopg.Cursor[Any]], T],
        *,
        otherwise: T,
    ) -> T:
        """What `take` makes of the answer; `otherwise` when nothing was ever written to the shard."""

        def ask() -> T:
            with self._connections.use() as connection:
                return take(connection.execute(self._statement(statement, table), parameters or None, binary=True))

        try:
            return self._connections.persistence.ask(ask)
        except ABSENT:
            self._made.discard(table)
            return otherwise

    def _table(self, shard: str, *, to_write: bool = False) -> str:
        return self._table_at(self._place.find(self, check_shard(shard), to_write=to_write), shard)

    def _table_at(self, place: str, shard: str) -> str:
        name = f"{place}-d{self._dimensions}-{shard}"
        # Room for the names of its indexes.
        return (
            name if len(name) < LONGEST_NAME - 10 else f"{name[:20]}-{hashlib.sha256(name.encode()).hexdigest()[:24]}"
        )

    # Marks: a row for each place

    def read_marks(self, place: str) -> set[str]:
        rows: list[Any] = self._ask(
            OWNERS, statements.READ_MARK, (place,), lambda cursor: cursor.fetchall(), otherwise=[]
        )
        return {name for (name,) in rows}

    def leave_mark(self, place: str, name: str) -> None:
        with self._connections.use() as connection:
            connection.execute(statements.LOCK, (self._schema,))
            connection.execute(self._statement(statements.SCHEMA, OWNERS))
            connection.execute(self._statement(statements.OWNERS, OWNERS))
            connection.execute(self._statement(statements.LEAVE_MARK, OWNERS), (place, name))

    def remove_mark(self, place: str, name: str) -> None:
        """Whoever was first has it: there is nothing of ours to take back."""

    def sample_documents(self, place: str, shard: str, limit: int) -> list[str]:
        table = self._table_at(place, shard)
        rows: list[Any] = self._ask(
            table, statements.SOME_DOCUMENTS, (limit,), lambda cursor: cursor.fetchall(), otherwise=[]
        )
        return [with_nul(document) for (document,) in rows]

    def _statement(self, statement: str, table: str) -> sql.SQL:
        filled = statement.replace("{table}", f"{_quoted(self._schema)}.{_quoted(table)}")
        return sql.SQL(filled.replace("{schema}", _quoted(self._schema)))

    def _make(self, table: str) -> None:
        if table in self._made:
            return
        create = statements.TABLE.replace("{dimensions}", str(self._dimensions))
        create = create.replace("{document_index}", _quoted(_index_name(table, "doc")))
        create = create.replace("{lexemes_index}", _quoted(_index_name(table, "words")))
        with self._connections.use() as connection:
            connection.execute(statements.LOCK, (self._schema,))
            connection.execute(self._statement(statements.SCHEMA, table))
            if connection.execute(statements.HAS_STEMMER, (self._schema,)).fetchone() is None:
                connection.execute(self._statement(statements.STEMMER, table))
            connection.execute(self._statement(create, table))
        self._made.add(table)

    def _index_when_large(self, table: str, written: int) -> None:
        """Build the HNSW index once, by whichever process first finds the shard large; readers go on meanwhile."""
        on = statements.hnsw_index(self._dimensions)
        often = min(COUNT_EVERY_ROWS, self._index_from_rows // 4)
        self._uncounted[table] = self._uncounted.get(table, often) + written
        if on is None or self._uncounted[table] < often:
            return
        self._uncounted[table] = 0
        rows = self._ask(table, statements.COUNT, (), lambda cursor: cursor.fetchall(), otherwise=[(0,)])[0][0]
        name = _index_name(table, "hnsw")
        if rows >= self._index_from_rows and self._index_state(name) is not True:
            self._build_index(table, name, on)

    def _index_state(self, name: str) -> bool | None:
        with self._connections.use() as connection:
            found = connection.execute(statements.INDEX_STATE, (self._schema, name)).fetchone()
        return None if found is None else bool(found[0])

    def _build_index(self, table: str, name: str, on: str) -> None:
        with self._connections.alone() as connection:
            lock = (f"{self._schema}.{name}",)
            taken = connection.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 7166232))", lock).fetchone()
            if taken is None or not taken[0]:
                return
            try:
                # One that a killed process left half-built is in the way.
                connection.execute(
                    self._statement(f"DROP INDEX CONCURRENTLY IF EXISTS {{schema}}.{_quoted(name)}", table)
                )
                build = f"CREATE INDEX CONCURRENTLY {_quoted(name)} ON {{table}} USING hnsw ({on})"
                connection.execute(self._statement(build, table))
            finally:
                connection.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 7166232))", lock)


def _split(url: str) -> tuple[str, str]:
    """What libpq takes, and the schema."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    schema = options.pop("schema", DEFAULT_SCHEMA)
    if not schema.isidentifier():
        raise SettingsError(f"EMBEDMILL_VECTOR_URL: {schema!r} is no name of a schema")
    return urlunsplit(("postgresql", parts.netloc, parts.path, urlencode(options), "")), schema


def _quoted(name: str) -> str:
    return f'"{name}"'


def _index_name(table: str, kind: str) -> str:
    return f"{table}-{kind}"


def _selected(*, with_vectors: bool) -> str:
    return f"{statements.FIELDS}, {'vector' if with_vectors else 'NULL'}"


def _condition(filter: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Conditions joined by AND, and their parameters; a metadata list matches when it holds one of the values."""
    conditions: list[str] = []
    parameters: dict[str, Any] = {}
    for number, (name, wanted) in enumerate(filter.items()):
        values = list(wanted) if isinstance(wanted, list | tuple | set | frozenset) else [wanted]
        values = map_strings(values, without_nul)
        if name in FILTERED_COLUMNS:
            conditions.append(f"{name} = ANY(%(f{number})s::text[])")
            parameters[f"f{number}"] = [str(value) for value in values]
            continue
        held = f"(metadata -> %(n{number})s::text)"
        conditions.append(
            f"EXISTS (SELECT 1 FROM jsonb_array_elements(%(f{number})s::jsonb) AS wanted WHERE {held} = wanted "
            f"OR (jsonb_typeof({held}) = 'array' AND {held} @> jsonb_build_array(wanted)))"
        )
        parameters |= {f"n{number}": without_nul(name), f"f{number}": Jsonb(values)}
    return " AND ".join(conditions) or "true", parameters


def _columns(rows: Sequence[VectorRow]) -> list[list[Any]]:
    """The rows as one array for each column, in the order of the statement."""
    texts = ("chunk", "uri", "title", "section", "text")
    ids = [[without_nul(getattr(row, name)) for row in rows] for name in ("id", "document", "version")]
    return [
        *ids,
        [row.generation for row in rows],
        [row.ordinal for row in rows],
        *([without_nul(getattr(row, name)) for row in rows] for name in texts),
        [row.start for row in rows],
        [row.end for row in rows],
        [row.page for row in rows],
        [row.index_version for row in rows],
        [orjson.dumps(map_strings(dict(row.metadata), without_nul)).decode() for row in rows],
        [np.ascontiguousarray(row.vector, np.float32) for row in rows],
        *([words_of(getattr(row, name)) for row in rows] for name in ("title", "section", "text")),
    ]


def _row(record: Sequence[Any]) -> VectorRow:
    *columns, metadata, vector = record
    texts = [with_nul(value) if isinstance(value, str) else value for value in columns]
    stored = NO_VECTOR if vector is None else np.asarray(_array(vector), np.float32)
    return VectorRow(*(*texts, stored, map_strings(metadata, with_nul)))


def _held(record: Sequence[Any]) -> tuple[str, Edition, int]:
    document, version, generation, rows = record
    return with_nul(document), Edition(with_nul(version), generation), rows


def _array(vector: Any) -> Any:
    return vector.to_numpy() if hasattr(vector, "to_numpy") else vector


def _matches(records: Sequence[Any]) -> list[Match]:
    return [
        Match(with_nul(id), with_nul(doc), with_nul(version), _finite(score)) for id, doc, version, score in records
    ]


def _finite(score: float) -> float:
    """A zero vector has no direction: it is near to nothing."""
    return float(score) if np.isfinite(score) else 0.0
