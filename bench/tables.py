"""Rows of databases: what listing a table costs beside a bare loop of the same driver, at first and unchanged again.

The bare loop is what somebody writes who reads a table without holding a snapshot: pages of a thousand rows by their
ids, of the same columns. `a document of each` also makes what every document has: a hash over canonical JSON.
"""

import argparse
import io
import resource
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embedmill.producers.sources.base import ReadContext, Source
from embedmill.producers.sources.memory import Memory
from embedmill.producers.sources.open import open_sources
from embedmill.producers.sources.options import gather_options
from embedmill.producers.sources.rows import hash_row
from embedmill.producers.sources.sql.source import SqlSource

TABLE = "embedmill_bench"
QUERY = f"SELECT id, title, body, price FROM {TABLE} WHERE id > {{}} ORDER BY id LIMIT 1000"
INSERTED = 1000
# A file that was written a moment ago is not believed to be as it was.
SETTLED_SECONDS = 2.5
BODY = "some words of a text that somebody wrote " * 15
OPTIONS = {"table": TABLE, "text": ("body",), "title": "title", "metadata": ("price",)}
MEGABYTE_KIB = 1024


class KeptMemory(Memory):
    """A memory that the second reading has."""

    is_kept = True


@dataclass(frozen=True)
class TakenSeconds:
    """Seconds of this process, and of the wall."""

    processor: float
    wall: float


def main(arguments: list[str]) -> None:
    """Print what each way of reading took; a table is made in the database, and dropped in the end."""
    parser = argparse.ArgumentParser(prog="python -m bench tables", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--url", default="", help="a database to make a table in; a file of SQLite if not given")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        url = asked.url or f"sqlite:///{folder}/bench.db"
        with _table(url, Path(folder), asked.rows):
            _measure(url, asked.rows)


def _measure(url: str, rows: int) -> None:
    (source,) = open_sources([url], options=gather_options(OPTIONS), stdin=io.BytesIO())
    context = ReadContext(KeptMemory(), settled=frozenset)
    time.sleep(SETTLED_SECONDS)
    # What is imported at the first use is no part of it.
    next(iter(source))
    bare = min((_timed(lambda: _read_bare(url), rows) for _ in range(3)), key=lambda one: one.processor)
    least = min((_timed(lambda: _hashed(url), rows) for _ in range(3)), key=lambda one: one.processor)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ways = {"bare loop": bare, "a document of each": least}
    ways |= {way: _timed(lambda: source.read(context), rows) for way in ("first", "unchanged", "unchanged again")}
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / MEGABYTE_KIB
    for way, took in ways.items():
        ratios = f"{took.processor / bare.processor:.1f} x processor, {took.wall / bare.wall:.1f} x wall"
        print(f"{way:<20} {took.processor:6.2f} s of processor, {took.wall:6.2f} s of wall: {ratios}")
    print(
        f"{rows:,} rows of {len(BODY)} characters; most memory of both readings over that of the loop: {memory:.0f} MB"
    )


def _timed(read: Callable[[], Iterable[Any]], rows: int) -> TakenSeconds:
    processor, wall = time.process_time(), time.perf_counter()
    assert sum(1 for _ in read()) == rows
    return TakenSeconds(time.process_time() - processor, time.perf_counter() - wall)


def _read_bare(url: str) -> Iterator[Any]:
    """Every row, a page at a time."""
    with closing(_connect(url)) as connection, closing(connection.cursor()) as cursor:
        last = -1
        while True:
            cursor.execute(QUERY.format(last))
            if not (found := cursor.fetchall()):
                return
            yield from found
            last = found[-1][0]
            connection.commit()


def _hashed(url: str) -> Iterator[str]:
    """The least that tells whether a document has changed: no less is done of a row that is read for the first time."""
    for _, title, body, price in _read_bare(url):
        yield hash_row(title, body, {"price": price})


def _connect(url: str) -> Any:
    if url.startswith("sqlite"):
        return sqlite3.connect(url.removeprefix("sqlite:///"))
    if url.startswith("postgres"):
        import psycopg

        return psycopg.connect(url)
    import pymysql

    source = _opened(url)
    place: Any = source.place
    password = source.login.password
    login = {"user": source.login.user or None, "password": password, "database": place.database}
    return pymysql.connect(host=place.host, port=place.port, charset="utf8mb4", **login)


def _opened(url: str) -> SqlSource:
    (source,) = open_sources([url], options=gather_options(OPTIONS), stdin=io.BytesIO())
    assert isinstance(source, SqlSource)
    return source


@contextmanager
def _table(url: str, folder: Path, rows: int) -> Iterator[Source | None]:
    """The table, while it is needed."""
    if url.startswith("sqlite"):
        (folder / "bench.db").touch()
    with closing(_connect(url)) as connection:
        cursor = connection.cursor()
        cursor.execute(f"CREATE TABLE {TABLE} (id INTEGER PRIMARY KEY, title VARCHAR(80), body TEXT, price FLOAT)")
        marks = ", ".join(["?" if url.startswith("sqlite") else "%s"] * 4)
        for start in range(0, rows, INSERTED):
            some = [(n, f"title {n}", f"{n} {BODY}", n * 1.25) for n in range(start, min(rows, start + INSERTED))]
            cursor.executemany(f"INSERT INTO {TABLE} VALUES ({marks})", some)
        connection.commit()
        try:
            yield None
        finally:
            cursor.execute(f"DROP TABLE {TABLE}")
            connection.commit()
