"""Owns the vector store on Postgres with pgvector: a table per shard, rows, vectors and words in one transaction.

A table of its own makes a shard's index its own too: dropping one, or building one, touches no other. Small shards are
searched exactly; once a shard is large an HNSW index is built beside the readers. Words are kept, counted and scored as
in every store (`words`, `searching`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Self, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import numpy as np
import psycopg
from numpy.typing import NDArray

from embedmill.shared.editions import Edition
from embedmill.shared.errors import SettingsError
from embedmill.shared.filtering.conditions import Condition
from embedmill.shared.providers.vectorstores.base import ShardDescription, StoreOptions, VectorStore
from embedmill.shared.providers.vectorstores.exact import cosine
from embedmill.shared.providers.vectorstores.pgvector import sql as statements
from embedmill.shared.providers.vectorstores.pgvector import words
from embedmill.shared.providers.vectorstores.pgvector.connections import ABSENT, Connections
from embedmill.shared.providers.vectorstores.pgvector.cutting import Cutter
from embedmill.shared.providers.vectorstores.pgvector.filters import Translation
from embedmill.shared.providers.vectorstores.pgvector.passes import Passes
from embedmill.shared.providers.vectorstores.pgvector.rows import held_of, row_of, selected, written
from embedmill.shared.providers.vectorstores.pgvector.searching import TableSearching, score_rows, where_of
from embedmill.shared.providers.vectorstores.pgvector.tables import COUNTED, INDEX_FROM_ROWS, ShardTable, Tables
from embedmill.shared.providers.vectorstores.pgvector.text import with_nul, without_nul
from embedmill.shared.providers.vectorstores.places import Owner, Place
from embedmill.shared.providers.vectorstores.rows import (
    EVERYTHING,
    Counted,
    Found,
    Selection,
    VectorRow,
    check_query,
    check_rows,
    check_shard,
    named,
)
from embedmill.shared.words.cutting import VERSION
from embedmill.shared.words.weighing import WordCounts, Wording

T = TypeVar("T")

DEFAULT_SCHEMA = "embedmill"
DOCUMENTS_PAGE = 2_000
UPSERT_ROWS = 1_000
OWNERS = "owners"
"""The table with the names of who writes to which place."""

# Filters are applied while the index is read, not after, or a selective one would leave nothing over. Compiling a
# statement takes longer than a search.
PREPARE = "SET hnsw.iterative_scan = 'strict_order'; SET hnsw.ef_search = 200; SET jit = off"


class PgVectorStore(VectorStore):
    """Shards as tables `<schema>."<collection>-<dimensions>-<shard>"`; `?schema=` in the URL names the schema."""

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
        self._tables = Tables(self._connections, self._schema, dimensions=dimensions, index_from_rows=index_from_rows)
        self._cutter = Cutter(self._connections, self._tables)
        self._passes = Passes(self._connections, self._tables)
        self._searching = TableSearching(self._passes, self._tables, dimensions=dimensions)

    @classmethod
    def open(cls, url: str, options: StoreOptions) -> Self:
        return cls(url, collection_key=options.collection_key, dimensions=options.dimensions, owner=options.owner)

    def upsert(self, shard: str, rows: Sequence[VectorRow]) -> None:
        table = self._table(shard, to_write=True)
        wanted = list(named(rows).values())
        check_rows(wanted, dimensions=self._dimensions)
        if not wanted:
            return
        self._connections.persistence.ask(lambda: self._tables.make(table))
        self._connections.persistence.ask(lambda: self._write(table, wanted))
        self._fold(table)
        self._tables.index_when_large(table, len(wanted))

    def _write(self, table: str, wanted: Sequence[VectorRow]) -> None:
        with self._connections.use() as connection:
            for start in range(0, len(wanted), UPSERT_ROWS):
                page = sorted(wanted[start : start + UPSERT_ROWS], key=lambda row: row.id)
                connection.execute(self._tables.statement(statements.UPSERT, table), written(page))

    def _fold(self, table: str) -> None:
        """Fold the counts of words that writers have left, when there are many and nobody else is at it."""
        place = {"place": table}
        with self._connections.use() as connection:
            many = connection.execute(self._tables.statement(words.MANY_DELTAS, table), place).fetchone()
            if many is None or many[0] < words.FOLD_FROM_DELTAS:
                return
            taken = connection.execute(words.FOLD_LOCK, place).fetchone()
            if taken is not None and taken[0]:
                connection.execute(self._tables.statement(words.FOLD, table), place)

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

    # One pass over all shards

    def search_vectors(
        self,
        shards: Sequence[str],
        vector: NDArray[np.float32],
        *,
        top_k: int,
        selection: Selection = EVERYTHING,
        deadline: float | None = None,
    ) -> Found:
        check_query(vector, dimensions=self._dimensions)
        derived = selection.required or selection.excluded or selection.where is not None
        names, failed = self._with_words(shards, deadline) if derived else (self._names(shards), {})
        found = self._searching.nearest(names, vector, where_of(selection), top_k=top_k, deadline=deadline)
        return Found(found.matches, {**failed, **found.failed})

    def search_words(
        self,
        shards: Sequence[str],
        wording: Wording,
        *,
        top_k: int,
        selection: Selection = EVERYTHING,
        deadline: float | None = None,
    ) -> Found:
        if not wording.weights:
            return Found([])
        names, failed = self._with_words(shards, deadline)
        found = self._searching.worded(names, wording, where_of(selection), top_k=top_k, deadline=deadline)
        return Found(found.matches, {**failed, **found.failed})

    def count_words(
        self,
        shards: Sequence[str],
        terms: Sequence[int],
        *,
        deadline: float | None = None,
        within: Condition | None = None,
    ) -> Counted:
        names, failed = self._with_words(shards, deadline)

        def ask(connection: psycopg.Connection[Any], found: Mapping[str, ShardTable]) -> list[Any]:
            if within is not None:
                return [row for table in found.values() for row in self._count_within(connection, table, terms, within)]
            places = [table.name for table in found.values()]
            asked = {"places": places, "cutter": VERSION, "terms": words.signed(terms)}
            return connection.execute(self._tables.statement(words.COUNTED, COUNTED), asked).fetchall()

        answer = self._passes.over(names, ask, deadline=deadline)
        return Counted(_counts(answer.rows, terms), {**failed, **answer.failed})

    def _count_within(
        self, connection: psycopg.Connection[Any], table: ShardTable, terms: Sequence[int], within: Condition
    ) -> list[Any]:
        """The words of the rows that meet a condition, each row read: nobody has counted them before."""
        met = Translation(within)
        statement = words.COUNTED_WITHIN.replace("{met}", met.sql)
        asked = met.parameters | {"cutter": VERSION, "terms": words.signed(terms)}
        return connection.execute(self._tables.statement(statement, table.name), asked).fetchall()

    def score_words(self, shard: str, ids: Sequence[str], wording: Wording) -> dict[str, float]:
        if not wording.weights or not ids or shard not in self._with_words([shard], None)[0]:
            return {}
        terms = list(wording.weights)
        statement = statements.WORDS_OF.replace("{often}", words.often_of(terms))
        rows = self._rows(shard, statement, (list(map(without_nul, ids)),))
        scores = score_rows([often for *_, often in rows], [length for _, length, _ in rows], wording)
        return {with_nul(id): score for (id, *_), score in zip(rows, scores, strict=True) if score}

    def score(self, shard: str, ids: Sequence[str], vector: NDArray[np.float32]) -> dict[str, float]:
        check_query(vector, dimensions=self._dimensions)
        return {id: cosine(row, vector) for id, row in self.fetch(shard, ids, with_vectors=True).items()}

    def _names(self, shards: Sequence[str]) -> dict[str, str]:
        return {shard: self._table(shard) for shard in shards}

    def _with_words(self, shards: Sequence[str], deadline: float | None) -> tuple[dict[str, str], dict[str, str]]:
        """The tables whose rows have the words of today's cutter; and the shards that were not done in time."""
        names = self._names(shards)
        failed = self._cutter.bring_up_to_date(names, deadline=deadline)
        return {shard: name for shard, name in names.items() if shard not in failed}, failed

    def fetch(self, shard: str, ids: Sequence[str], *, with_vectors: bool = False) -> dict[str, VectorRow]:
        return self._fetch(shard, statements.BY_ID, ids, with_vectors=with_vectors)

    def fetch_documents(
        self, shard: str, documents: Sequence[str], *, with_vectors: bool = False
    ) -> dict[str, VectorRow]:
        return self._fetch(shard, statements.BY_DOCUMENT, documents, with_vectors=with_vectors)

    def _fetch(self, shard: str, statement: str, values: Sequence[str], *, with_vectors: bool) -> dict[str, VectorRow]:
        select = statement.replace("{columns}", selected(with_vectors=with_vectors))
        rows = map(row_of, self._rows(shard, select, (list(map(without_nul, values)),)))
        return {row.id: row for row in rows}

    def list_rows(
        self, shard: str, *, with_vectors: bool = False, page: int = 500, selection: Selection = EVERYTHING
    ) -> Iterator[VectorRow]:
        wanted = where_of(selection)
        statement = statements.PAGE.replace("{columns}", selected(with_vectors=with_vectors))
        statement = statement.replace("{where}", wanted.sql)
        after = ""
        while records := self._rows(shard, statement, {**(wanted.parameters or {}), "after": after, "page": page}):
            yield from map(row_of, records)
            after = records[-1][0]

    def list_editions(self, shard: str) -> Iterator[tuple[str, Edition, int]]:
        after = ""
        while records := self._rows(shard, statements.EDITIONS_PAGE, (after, DOCUMENTS_PAGE)):
            yield from map(held_of, records)
            after = records[-1][0]

    def find_editions(self, shard: str, documents: Sequence[str]) -> list[tuple[str, Edition, int]]:
        return list(map(held_of, self._rows(shard, statements.EDITIONS_OF, (list(map(without_nul, documents)),))))

    def count(self, shard: str) -> int:
        rows = self._rows(shard, statements.COUNT, ())
        return int(rows[0][0]) if rows else 0

    def describe(self, shard: str) -> ShardDescription:
        rows = self._rows(shard, statements.DESCRIBE, ())
        if not rows:
            return ShardDescription(shard, vectors=0, documents=0, dimensions=0, size_bytes=0)
        vectors, documents, size = rows[0]
        return ShardDescription(shard, vectors, documents, self._dimensions, size)

    def cut_anew(self, shard: str, *, deadline: float | None = None) -> int:
        return self._cutter.cut(self._table(shard), deadline=deadline)

    def expunge(self, shard: str) -> str:
        table = self._table(shard)
        return self._tables.vacuum(table) if self._tables.find([table]) else ""

    def drop(self, shard: str) -> None:
        table = self._table(shard)
        self._tables.forget(table)
        found = self._tables.find([table]).get(table)
        if found is None:
            return
        with self._connections.use() as connection:
            connection.execute(self._tables.statement(statements.DROP, table))
            if found.is_current:
                connection.execute(self._tables.statement(words.FORGET, table), {"place": table})

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
        name = self._table(shard)
        found = self._tables.find([name]).get(name)
        return found is not None and found.has_index

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
                return take(
                    connection.execute(self._tables.statement(statement, table), parameters or None, binary=True)
                )

        try:
            return self._connections.persistence.ask(ask)
        except ABSENT:
            self._tables.forget(table)
            return otherwise

    def _table(self, shard: str, *, to_write: bool = False) -> str:
        return self._table_at(self._place.find(self, check_shard(shard), to_write=to_write), shard)

    def _table_at(self, place: str, shard: str) -> str:
        return self._tables.name_of(place, shard)

    # Marks: a row for each place

    def read_marks(self, place: str) -> set[str]:
        rows: list[Any] = self._ask(
            OWNERS, statements.READ_MARK, (place,), lambda cursor: cursor.fetchall(), otherwise=[]
        )
        return {name for (name,) in rows}

    def leave_mark(self, place: str, name: str) -> None:
        with self._connections.use() as connection:
            connection.execute(statements.LOCK, (self._schema,))
            connection.execute(self._tables.statement(statements.SCHEMA, OWNERS))
            connection.execute(self._tables.statement(statements.OWNERS, OWNERS))
            connection.execute(self._tables.statement(statements.LEAVE_MARK, OWNERS), (place, name))

    def remove_mark(self, place: str, name: str) -> None:
        """Whoever was first has it: there is nothing of ours to take back."""

    def sample_documents(self, place: str, shard: str, limit: int) -> list[str]:
        table = self._table_at(place, shard)
        rows: list[Any] = self._ask(
            table, statements.SOME_DOCUMENTS, (limit,), lambda cursor: cursor.fetchall(), otherwise=[]
        )
        return [with_nul(document) for (document,) in rows]


def _split(url: str) -> tuple[str, str]:
    """What libpq takes, and the schema."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    schema = options.pop("schema", DEFAULT_SCHEMA)
    if not schema.isidentifier():
        raise SettingsError(f"EMBEDMILL_VECTOR_URL: {schema!r} is no name of a schema")
    return urlunsplit(("postgresql", parts.netloc, parts.path, urlencode(options), "")), schema


def _counts(rows: Sequence[Any], terms: Sequence[int]) -> WordCounts:
    """The counts that an answer to `words.COUNTED` tells, of today's cutter."""
    totals = [row for row in rows if row[0] is None and row[2] == VERSION]
    holding = dict.fromkeys(terms, 0)
    for term, _, _, many, _ in rows:
        if term is not None:
            holding[words.unsigned([term])[0]] += many
    return WordCounts(sum(row[3] for row in totals), sum(row[4] for row in totals), holding)
