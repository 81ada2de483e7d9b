"""One database of each kind for tests, and sources that read it."""

import io
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from embedmill.producers.sources.base import Item, ReadContext, RowItem
from embedmill.producers.sources.memory import Memory
from embedmill.producers.sources.open import open_sources
from embedmill.producers.sources.options import gather_options
from embedmill.producers.sources.sql.source import SqlSource
from tests.services import mariadb
from tests.services.needed import require

KINDS = ("sqlite", "postgresql", "mysql")


class KeptMemory(Memory):
    """A memory that later readings have, as that of the tracking database."""

    is_kept = True


@dataclass
class Database:
    """A database by the URL that a user gives, and a way to change what is in it."""

    kind: str
    url: str
    execute: Callable[[str], object]
    memory: Memory = field(default_factory=KeptMemory)
    context: ReadContext = field(default_factory=ReadContext)

    def fill(self, rows: int) -> None:
        """Articles 1 to `rows`, whose text names their number."""
        self.execute(
            "CREATE TABLE articles (id INTEGER PRIMARY KEY, title VARCHAR(80), body TEXT, updated TIMESTAMP NULL)"
        )
        values = ",".join(f"({n}, 'T{n}', 'article {n}', '2026-01-01 10:00:00')" for n in range(1, rows + 1))
        self.execute(f"INSERT INTO articles VALUES {values}")

    def open(self, **options: Any) -> SqlSource:
        """The source that a user's command opens; `table` is articles and `text` is body if nothing else is said."""
        usual: dict[str, Any] = {} if "query" in options else {"table": "articles"}
        if not {"text", "template"} & options.keys():
            usual["text"] = ("body",)
        (source,) = open_sources([self.url], options=gather_options(usual | options), stdin=io.BytesIO())
        assert isinstance(source, SqlSource)
        return source

    def read(self, *, settled: bool = False, limit: int | None = None, **options: Any) -> list[Item]:
        """What a scan reads, with the memory of those before; `settled` says that all is in the index as wanted."""
        self.context = ReadContext(self.memory, limit, frozenset if settled else lambda _: frozenset())
        return list(self.open(**options).read(self.context))


def texts(items: list[Item]) -> dict[str, str]:
    """The texts of documents by the last parts of their URIs; anything else is a fault of the test."""
    assert all(isinstance(item, RowItem) for item in items), items
    return {item.uri.rpartition("/")[2]: item.text for item in items if isinstance(item, RowItem)}


@contextmanager
def running_database(kind: str, folder: Path, request: pytest.FixtureRequest) -> Iterator[Database]:
    """An empty one."""
    if kind == "sqlite":
        path = folder / "some.db"
        with sqlite3.connect(path) as connection:
            connection.isolation_level = None
            yield Database(kind, f"sqlite:///{path}", connection.execute)
        connection.close()
    elif kind == "postgresql":
        # One for all of these tests: making one takes half a second.
        server = request.getfixturevalue("postgres_shared")
        server.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        yield Database(kind, server.url, server.execute)
    else:
        require(mariadb.why_not())
        with mariadb.running_database() as maria:
            yield Database(kind, maria.url, maria.execute)
