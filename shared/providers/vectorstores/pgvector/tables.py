"""Owns the tables of a schema: what they are called, making them, and bringing those of older versions up to date."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from embedmill.shared.planner_statistics import MAY_REWRITE, REWRITE, UNTIL_REWRITTEN
from embedmill.shared.providers.vectorstores.pgvector import sql as statements
from embedmill.shared.providers.vectorstores.pgvector import words
from embedmill.shared.providers.vectorstores.pgvector.connections import Connections

LONGEST_NAME = 63
"""Bytes of an identifier in Postgres."""
INDEX_FROM_ROWS = 20_000
"""Under this an exact search takes some milliseconds, and an index costs more than it saves."""
COUNT_EVERY_ROWS = 5_000
REWRITTEN_UP_TO_BYTES = 2 * 2**30
"""Of a table with its indexes: one of vectors takes a minute then, during which searches wait."""
UNTIL_WRITTEN_ANEW = "free space within pages of the vector table, until it is written over or VACUUM FULL is run"
COUNTED = "word_deltas"
"""Stands in statements that are about the counts of words and no shard's own table."""


@dataclass(frozen=True, slots=True)
class ShardTable:
    """A shard's table as it is found; `is_current` unless a version made it that kept other words."""

    name: str
    is_current: bool
    has_index: bool


class Tables:
    """The tables of one collection in one schema; safe between threads."""

    def __init__(self, connections: Connections, schema: str, *, dimensions: int, index_from_rows: int) -> None:
        self._connections = connections
        self.schema = schema
        self._dimensions = dimensions
        self._made: set[str] = set()
        self._uncounted: dict[str, int] = {}
        self._index_from_rows = index_from_rows

    def name_of(self, place: str, shard: str) -> str:
        """What a shard's table is called, with room left for the names of its indexes."""
        name = f"{place}-d{self._dimensions}-{shard}"
        return (
            name if len(name) < LONGEST_NAME - 10 else f"{name[:20]}-{hashlib.sha256(name.encode()).hexdigest()[:24]}"
        )

    def statement(self, statement: str, table: str) -> sql.SQL:
        """A statement about a table."""
        filled = statement.replace("{table}", f"{_quoted(self.schema)}.{_quoted(table)}")
        return sql.SQL(filled.replace("{schema}", _quoted(self.schema)))

    def find(self, names: Sequence[str]) -> dict[str, ShardTable]:
        """Those of these tables that are there."""
        with self._connections.use() as connection:
            found = connection.execute(statements.STATES, (self.schema, list(names))).fetchall()
        return {name: ShardTable(name, is_current, has_index) for name, is_current, has_index in found}

    def make(self, name: str) -> None:
        """Make a table, or bring it up to date; nothing when this process has done so before."""
        if name in self._made:
            return
        with self._connections.use() as connection:
            connection.execute(statements.LOCK, (self.schema,))
            self._make(connection, name)
        self._made.add(name)

    def _make(self, connection: psycopg.Connection[tuple[object, ...]], name: str) -> None:
        found = connection.execute(statements.STATES, (self.schema, [name])).fetchone()
        if found is not None and found[1]:
            return
        connection.execute(self.statement(statements.SCHEMA, name))
        connection.execute(self.statement(words.COUNTS, name))
        connection.execute(self.statement(self._filled(statements.TABLE, name), name))
        connection.execute(self.statement(self._filled(statements.WORDS, name), name))
        connection.execute(self.statement(words.FORGET, name), {"place": name})
        connection.execute(self.statement(words.COUNT_AS_UNCUT, name), {"place": name})

    def _filled(self, statement: str, name: str) -> str:
        blanks = {"{dimensions}": str(self._dimensions)}
        blanks |= {f"{{{kind}_index}}": _quoted(_index_name(name, kind)) for kind in ("document", "terms", "fields")}
        for blank, value in blanks.items():
            statement = statement.replace(blank, value)
        return statement

    def vacuum(self, name: str) -> str:
        """Write a table and its indexes anew; of a large one only what is dead is marked free, and what that leaves."""
        with self._connections.alone() as connection:
            size = connection.execute(self.statement(statements.SIZE, name)).fetchone() or (0,)
            whole = size[0] <= REWRITTEN_UP_TO_BYTES
            connection.execute("SET statement_timeout = 0")
            vacuum = "VACUUM (FULL, ANALYZE) {table}" if whole else "VACUUM (INDEX_CLEANUP ON, ANALYZE) {table}"
            try:
                connection.execute(self.statement(vacuum, name))
                may_rewrite = (connection.execute(MAY_REWRITE).fetchone() or (False,))[0]
                if may_rewrite:
                    connection.execute(REWRITE)
            finally:
                connection.execute("RESET statement_timeout")
        left = ["" if whole else UNTIL_WRITTEN_ANEW, "" if may_rewrite else UNTIL_REWRITTEN]
        return "; ".join(filter(None, left))

    def forget(self, name: str) -> None:
        """What was made is not there any more."""
        self._made.discard(name)

    def index_when_large(self, name: str, written: int) -> None:
        """Build the HNSW index once, by whichever process first finds the shard large; readers go on meanwhile."""
        on = statements.hnsw_index(self._dimensions)
        often = min(COUNT_EVERY_ROWS, self._index_from_rows // 4)
        self._uncounted[name] = self._uncounted.get(name, often) + written
        if on is None or self._uncounted[name] < often:
            return
        self._uncounted[name] = 0
        table = self.find([name]).get(name)
        if table is not None and not table.has_index and self._count(name) >= self._index_from_rows:
            self._build_index(name, _index_name(name, "hnsw"), on)

    def _count(self, name: str) -> int:
        with self._connections.use() as connection:
            (rows,) = connection.execute(self.statement(statements.COUNT, name)).fetchone() or (0,)
        return int(rows)

    def _build_index(self, table: str, name: str, on: str) -> None:
        with self._connections.alone() as connection:
            lock = (f"{self.schema}.{name}",)
            taken = connection.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 7166232))", lock).fetchone()
            if taken is None or not taken[0]:
                return
            try:
                # One that a killed process left half-built is in the way.
                connection.execute(
                    self.statement(f"DROP INDEX CONCURRENTLY IF EXISTS {{schema}}.{_quoted(name)}", table)
                )
                build = f"CREATE INDEX CONCURRENTLY {_quoted(name)} ON {{table}} USING hnsw ({on})"
                connection.execute(self.statement(build, table))
            finally:
                connection.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 7166232))", lock)


def _quoted(name: str) -> str:
    return f'"{name}"'


def _index_name(table: str, kind: str) -> str:
    # "doc" and "words" were the names in 0.1.0.
    return f"{table}-{'doc' if kind == 'document' else kind}"
