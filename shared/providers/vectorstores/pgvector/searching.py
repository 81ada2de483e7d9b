"""Owns how rows are searched over all shards' tables: Postgres finds candidates, and the exact functions score them.

Postgres' own numbers differ from `exact`'s in the last digits, so that it is asked for some more rows than are wanted.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray

from embedmill.shared.providers.vectorstores.exact import best, cosines
from embedmill.shared.providers.vectorstores.pgvector import sql as statements
from embedmill.shared.providers.vectorstores.pgvector import words
from embedmill.shared.providers.vectorstores.pgvector.filters import Translation
from embedmill.shared.providers.vectorstores.pgvector.passes import PassAnswer, Passes, union
from embedmill.shared.providers.vectorstores.pgvector.rows import as_array
from embedmill.shared.providers.vectorstores.pgvector.tables import ShardTable, Tables
from embedmill.shared.providers.vectorstores.pgvector.text import with_nul
from embedmill.shared.providers.vectorstores.rows import Found, Match, Selection
from embedmill.shared.words.weighing import Wording, impacts

SPARE = 16
"""Rows beyond the wanted ones: ties and near ties whose order the last digits decide."""
FEW = 20_000
"""When a selection leaves fewer rows of a table, they are all compared, and the index is left alone."""
BY_TERMS = "SET LOCAL enable_seqscan = off"
"""The planner takes the comparison of two arrays for cheap, and would read whole tables and compare them all."""
MATCHED = "id, document, version"


@dataclass(frozen=True, slots=True)
class Where:
    """A condition in SQL with its parameters."""

    sql: str = "true"
    parameters: Mapping[str, Any] | None = None

    @property
    def is_everything(self) -> bool:
        """Whether it leaves all rows."""
        return self.sql == "true"


def where_of(selection: Selection) -> Where:
    """What a selection asks of a row's terms and fields."""
    terms = _where_of_terms(selection)
    if selection.where is None:
        return terms
    wanted = Translation(selection.where)
    return Where(f"{terms.sql} AND {wanted.sql}", {**(terms.parameters or {}), **wanted.parameters})


def _where_of_terms(selection: Selection) -> Where:
    required = {f"r{n}": words.signed(terms) for n, terms in enumerate(selection.required)}
    conditions = [f"terms && %({name})s::int[]" for name in required]
    if not selection.excluded:
        return Where(" AND ".join(conditions) or "true", required)
    return Where(
        " AND ".join([*conditions, "NOT terms && %(excluded)s::int[]"]),
        required | {"excluded": words.signed(selection.excluded)},
    )


class TableSearching:
    """The two searches, over the tables of one schema."""

    def __init__(self, passes: Passes, tables: Tables, *, dimensions: int) -> None:
        self._passes = passes
        self._tables = tables
        self._dimensions = dimensions

    def nearest(
        self,
        names: Mapping[str, str],
        vector: NDArray[np.float32],
        where: Where,
        *,
        top_k: int,
        deadline: float | None,
    ) -> Found:
        """The nearest rows by cosine; exactly, where a table has no index or the condition leaves few of its rows."""
        parameters = {"vector": vector, "most": top_k + SPARE, **(where.parameters or {})}

        def ask(connection: psycopg.Connection[Any], found: Mapping[str, ShardTable]) -> list[Any]:
            exactly = self._few(connection, found, where)

            def select(number: int, table: ShardTable) -> str:
                ways = self._exactly if table.name in exactly else self._by_index
                return self._about(ways(number, where), table)

            statement = f"SELECT shard, {MATCHED}, vector FROM ({union(found, select)}) AS near ORDER BY far, id"
            return self._run(connection, f"{statement} LIMIT %(most)s", parameters, found)

        answer = self._passes.over(names, ask, deadline=deadline)
        return _found(answer, _near(answer.rows, vector), top_k)

    def _exactly(self, number: int, where: Where) -> str:
        far = statements.EXACT_DISTANCE
        selected = f"SELECT {number} AS shard, {MATCHED}, vector, {far} AS far FROM {{table}}"
        return f"{selected} WHERE {where.sql} ORDER BY far, id LIMIT %(most)s"

    def _by_index(self, number: int, where: Where) -> str:
        far = statements.indexed_distance(self._dimensions)
        selected = f"SELECT {number} AS shard, {MATCHED}, vector, {far} AS far FROM {{table}}"
        return f"{selected} WHERE {where.sql} ORDER BY {far} LIMIT %(most)s"

    def _few(self, connection: psycopg.Connection[Any], found: Mapping[str, ShardTable], where: Where) -> set[str]:
        """The tables that are searched exactly."""
        indexed = {shard: table for shard, table in found.items() if table.has_index}
        few = {table.name for table in found.values() if not table.has_index}
        if not indexed or where.is_everything:
            return few

        def count(number: int, table: ShardTable) -> str:
            some = self._about(f"SELECT FROM {{table}} WHERE {where.sql} LIMIT {FEW}", table)
            return f"SELECT {number}, count(*) FROM ({some}) AS met"

        counted = self._run(connection, union(indexed, count), where.parameters, indexed)
        return few | {indexed[shard].name for shard, rows in counted if rows < FEW}

    def worded(
        self, names: Mapping[str, str], wording: Wording, where: Where, *, top_k: int, deadline: float | None
    ) -> Found:
        """The best rows by BM25.

        Rows with the telling words are scored first. When enough of them beat what the others could add up to, rows
        that have none of them need not be looked at.
        """
        parameters = {"most": top_k + SPARE, **(where.parameters or {})}

        def ask(connection: psycopg.Connection[Any], found: Mapping[str, ShardTable]) -> list[Any]:
            rows: list[Any] = []
            connection.execute(BY_TERMS)
            for telling, rest in words.steps_of(wording):
                asked = parameters | {"telling": words.signed(telling)}
                rows = self._run(connection, self._best(found, wording, where), asked, found)
                if len(rows) > top_k and min(_scores(rows, wording)) > rest:
                    break
            return rows

        answer = self._passes.over(names, ask, deadline=deadline)
        return _found(answer, _worded(answer.rows, wording), top_k)

    def _best(self, found: Mapping[str, ShardTable], wording: Wording, where: Where) -> str:
        often, spread = words.often_of(list(wording.weights)), words.spread_of(wording)

        def select(number: int, table: ShardTable) -> str:
            columns = f"{number} AS shard, {MATCHED}, length, {often} AS often, {spread} AS spread"
            rows = f"SELECT {columns} FROM {{table}} WHERE terms && %(telling)s::int[] AND {where.sql} OFFSET 0"
            return self._about(rows, table)

        return (
            f"SELECT shard, {MATCHED}, length, often FROM ({union(found, select)}) AS held "
            f"ORDER BY ({words.score_of(wording)})::float4 DESC, id LIMIT %(most)s"
        )

    def _about(self, statement: str, table: ShardTable) -> str:
        return self._tables.statement(statement, table.name).as_string(None)

    def _run(
        self, connection: psycopg.Connection[Any], statement: str, parameters: Any, found: Mapping[str, ShardTable]
    ) -> list[Any]:
        shards = list(found)
        rows = connection.execute(psycopg.sql.SQL(statement), parameters or None, binary=True).fetchall()
        return [(shards[number], *rest) for number, *rest in rows]


def score_rows(often: Sequence[Sequence[int]], lengths: Sequence[int], wording: Wording) -> list[float]:
    """The scores of rows with a wording's terms so often, as `weighing.score` has them: other terms add nothing."""
    if not often:
        return []
    counts, long = np.array(often, np.uint8), np.array(lengths, np.uint32)[:, np.newaxis]
    weights = np.array(list(wording.weights.values()), np.float64)
    return [math.fsum(parts) for parts in (weights * impacts(counts, long, wording.mean_length)).tolist()]


def _near(rows: Sequence[Any], vector: NDArray[np.float32]) -> list[Match]:
    if not rows:
        return []
    scores = cosines(np.stack([as_array(held) for *_, held in rows]), vector)
    return [_match(row, float(score)) for row, score in zip(rows, scores, strict=True)]


def _worded(rows: Sequence[Any], wording: Wording) -> list[Match]:
    return [_match(row, score) for row, score in zip(rows, _scores(rows, wording), strict=True) if score]


def _scores(rows: Sequence[Any], wording: Wording) -> list[float]:
    return score_rows([row[-1] for row in rows], [row[-2] for row in rows], wording)


def _match(row: Sequence[Any], score: float) -> Match:
    shard, id, document, version, *_ = row
    return Match(with_nul(id), with_nul(document), with_nul(version), score, shard)


def _found(answer: PassAnswer, matches: list[Match], top_k: int) -> Found:
    return Found(best(matches, top_k), answer.failed)
