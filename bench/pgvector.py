"""Measures words on Postgres: `python -m bench pgvector postgresql://… [--rows N] [--shards N]`.

Writes rows of random words (60,000 of them, as often as words are) to a schema of its own, which is dropped at the end,
and prints what a pass over all shards takes: counting by the sums that triggers keep, and by the index as it would be
without them; the best rows by words and by meaning; and the pace of writing with triggers and without. Medians.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from statistics import median

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import sql

from embedmill.shared.editions import row_id
from embedmill.shared.providers.vectorstores.pgvector.store import PgVectorStore
from embedmill.shared.providers.vectorstores.pgvector.words import signed
from embedmill.shared.providers.vectorstores.rows import VectorRow
from embedmill.shared.words.queries import parse_query, weigh

SCHEMA = "embedmill_bench"
DIMENSIONS = 256
VOCABULARY, SKEW = 60_000, 1.05
WORDS_IN_A_ROW, WORDS_IN_A_QUERY = 120, 6
COMMON = 100
"""So many of the most frequent words are in no query, as function words."""
ROWS_AT_ONCE = 500
WRITES, QUERIES = 20, 15
TOP_K = 125


class RandomWords:
    """Random words, each as often as its rank allows."""

    def __init__(self) -> None:
        self._random = np.random.default_rng(0)
        shares = 1 / np.arange(1, VOCABULARY + 1) ** SKEW
        self._bounds = np.cumsum(shares / shares.sum())

    def text(self, words: int, *, beyond: int = 0) -> str:
        """So many words, of those that are rarer than the first."""
        least = self._bounds[beyond - 1] if beyond else 0.0
        places = np.searchsorted(self._bounds, least + (1 - least) * self._random.random(words))
        return " ".join(f"w{place}" for place in places)

    def vector(self) -> NDArray[np.float32]:
        """Any direction."""
        return self._random.standard_normal(DIMENSIONS).astype(np.float32)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one line for each measure."""
    options = _parser().parse_args(arguments)
    words, shards = RandomWords(), [f"s{n}" for n in range(options.shards)]
    joint = "&" if "?" in options.url else "?"
    with _schema(options.url):
        store = PgVectorStore(f"{options.url}{joint}schema={SCHEMA}", collection_key="bench", dimensions=DIMENSIONS)
        _say("write", _write(store, shards, words, range(options.rows // ROWS_AT_ONCE)), "rows a second")
        _measure(options.url, store, shards, words)
        last = options.rows // ROWS_AT_ONCE
        for state in ("DISABLE", "ENABLE"):
            _each(options.url, shards, f"ALTER TABLE {{}} {state} TRIGGER USER")
            pace = _write(store, shards, words, range(last, last + WRITES))
            _say(f"write, triggers {state.lower()}d", pace, "rows a second")
            last += WRITES
        store.close()
    return 0


def _measure(url: str, store: PgVectorStore, shards: Sequence[str], words: RandomWords) -> None:
    asked = [parse_query(words.text(WORDS_IN_A_QUERY, beyond=COMMON)) for _ in range(QUERIES)]
    queries = cycle(asked)
    wordings = cycle([weigh(query, store.count_words(shards, query.terms).counts) for query in asked])

    def count_by_index() -> None:
        terms = next(queries).terms
        _each(url, shards, "SELECT count(*), sum(length) FROM {}")
        for term in signed(terms):
            _each(url, shards, f"SELECT count(*) FROM {{}} WHERE terms @> ARRAY[{term}]")

    _say("count", _milliseconds(lambda: store.count_words(shards, next(queries).terms)), "ms")
    _say("count by the index", _milliseconds(count_by_index), "ms")
    _say("by words", _milliseconds(lambda: store.search_words(shards, next(wordings), top_k=TOP_K)), "ms")
    _say("by meaning", _milliseconds(lambda: store.search_vectors(shards, words.vector(), top_k=TOP_K)), "ms")


def _write(store: PgVectorStore, shards: Sequence[str], words: RandomWords, batches: range) -> float:
    """Rows a second."""
    spent = 0.0
    for batch in batches:
        rows = [_row(f"{batch}x{n}", words) for n in range(ROWS_AT_ONCE)]
        begin = time.perf_counter()
        store.upsert(shards[batch % len(shards)], rows)
        spent += time.perf_counter() - begin
    return len(batches) * ROWS_AT_ONCE / spent


def _row(document: str, words: RandomWords) -> VectorRow:
    return VectorRow(
        id=row_id(document, "v", 1, 0),
        document=document,
        version="v",
        generation=1,
        ordinal=0,
        chunk="c",
        uri=document,
        title="",
        section="",
        text=words.text(WORDS_IN_A_ROW),
        start=0,
        end=1,
        page=None,
        index_version="1",
        vector=words.vector(),
    )


@contextmanager
def _schema(url: str) -> Iterator[None]:
    drop = sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(SCHEMA))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(drop)
        try:
            yield
        finally:
            connection.execute(drop)


def _each(url: str, shards: Sequence[str], statement: str) -> None:
    """Run a statement about each shard's table."""
    with psycopg.connect(url, autocommit=True) as connection:
        for shard in shards:
            table = sql.Identifier(SCHEMA, f"bench-d{DIMENSIONS}-{shard}")
            connection.execute(sql.SQL(statement).format(table))


def _milliseconds(ask: Callable[[], object]) -> float:
    spent = []
    for _ in range(QUERIES):
        begin = time.perf_counter()
        ask()
        spent.append(1000 * (time.perf_counter() - begin))
    return median(spent)


def _say(name: str, value: float, unit: str) -> None:
    print(f"{name}: {value:,.1f} {unit}", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench pgvector", description=__doc__)
    parser.add_argument("url", help="a Postgres with pgvector")
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--shards", type=int, default=4)
    return parser
