"""Tables of every database keep what every source promises."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

from embedmill.producers.sources.base import Item, Source
from embedmill.producers.sources.open import open_sources
from embedmill.producers.sources.options import gather_options
from embedmill.producers.sources.sql.documents import Maker
from embedmill.producers.sources.sql.values import ColumnKind, as_id
from tests.contracts.sources import Shelf, SourceContract, desk
from tests.producers.sources.sql.databases import KINDS, Database, running_database
from tests.producers.sources.test_contract import Lines
from tests.workers.conftest import runtime, tracker

__all__ = ["desk", "runtime", "tracker"]

PLANTED = "p@ss w+rd%'"


class Rows(Shelf):
    """Rows of a table whose ids are texts."""

    odd = (
        *Lines.odd,
        "A",
        "a",
        "á",
        "1",
        "01",
        "1.0",
        "x'31'",
        "'1'",
        "NULL",
        "a,b",
        "tab\t",
        "\x01",
        "%s",
        "%(a)s",
        "?",
    )
    secrets = (PLANTED,)

    def __init__(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        self.database = database
        self.read = 0
        database.execute("CREATE TABLE pages (name VARCHAR(2100), body TEXT)")
        monkeypatch.setattr(Maker, "make", self._counting(Maker.make))
        monkeypatch.setenv("PLANTED", PLANTED)

    def _counting(self, make: object) -> object:
        def counted(maker: Maker, row: object) -> Item:
            self.read += 1
            return make(maker, row)  # type: ignore[operator,no-any-return]

        return counted

    def put(self, name: str, text: str) -> None:
        self.remove(name)
        self.database.execute(f"INSERT INTO pages VALUES ({self._literal(name)}, {self._literal(text)})")

    def remove(self, name: str) -> None:
        self.database.execute(f"DELETE FROM pages WHERE {self._exactly('name')} = {self._exactly(self._literal(name))}")

    def _literal(self, text: str) -> str:
        escaped = text.replace("\\", "\\\\") if self.database.kind == "mysql" else text
        return "'" + escaped.replace("'", "''") + "'"

    def _exactly(self, expression: str) -> str:
        return f"CAST({expression} AS BINARY)" if self.database.kind == "mysql" else expression

    def open(self) -> Source:
        url = self.database.url.replace("postgres@", f"postgres:{quote(PLANTED, safe='')}@")
        options = {"table": "pages", "id": ("name",), "text": ("body",)}
        (source,) = open_sources([url], options=gather_options(options), stdin=io.BytesIO())
        return source

    def uri(self, name: str) -> str:
        return f"{self.open().spec['uri']}/{as_id(name, ColumnKind.TEXT)}"

    @contextmanager
    def away(self) -> Iterator[None]:
        self.database.execute("ALTER TABLE pages RENAME TO aside")
        yield
        self.database.execute("ALTER TABLE aside RENAME TO pages")

    def count_reads(self) -> int:
        if self.database.kind == "sqlite":
            pytest.skip("its file is here: rows are read, and told by their hashes")
        read, self.read = self.read, 0
        return read

    def many(self, count: int) -> Source:
        values = ",".join(f"('n{number}', 'row')" for number in range(count))
        self.database.execute(f"INSERT INTO pages VALUES {values}")
        return self.open()


OTHERS = [pytest.param(kind, marks=pytest.mark.chaos) for kind in KINDS if kind != "postgresql"]


class TestTables(SourceContract):
    """A table."""

    @pytest.fixture(params=["postgresql", *OTHERS])
    def database(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
        with running_database(request.param, tmp_path, request) as database:
            yield database

    @pytest.fixture
    def shelf(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> Shelf:
        monkeypatch.undo()  # Pages as they are for users.
        return Rows(database, monkeypatch)
