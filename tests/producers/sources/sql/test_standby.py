"""A real standby of Postgres that breaks off what keeps it from following its primary."""

from collections.abc import Iterator

import psycopg
import pytest

from embedmill.producers.sources.base import RowItem
from embedmill.producers.sources.sql.reading import Failures
from embedmill.producers.sources.sql.sessions import Interrupted
from tests.producers.sources.sql.databases import Database
from tests.services import postgres
from tests.services.needed import require
from tests.services.postgres import OwnServer
from tests.waiting import wait_until

ROWS = 20_000


@pytest.fixture
def servers() -> Iterator[tuple[OwnServer, OwnServer]]:
    require(postgres.why_not())
    with postgres.running_standby() as servers:
        yield servers


@pytest.mark.chaos
def test_a_standby_that_breaks_off_costs_no_row_and_names_none_twice(
    servers: tuple[OwnServer, OwnServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    broken: list[Interrupted] = []
    add = Failures.add

    def note(self: Failures, error: Interrupted) -> None:
        broken.append(error)
        add(self, error)

    monkeypatch.setattr(Failures, "add", note)
    primary, standby = servers
    primary.execute("CREATE TABLE articles (id int PRIMARY KEY, body text)")
    primary.execute(f"INSERT INTO articles SELECT n, repeat('x', 500) || n FROM generate_series(1, {ROWS}) n")
    wait_until(lambda: _count(standby) == ROWS, "the standby has followed")
    database = Database("postgresql", standby.url, standby.execute)
    rows = iter(database.open(query="SELECT * FROM articles"))
    read = [next(rows) for _ in range(100)]
    primary.execute(f"DELETE FROM articles WHERE id % 2 = 0 AND id > {ROWS // 2}")
    primary.execute("VACUUM articles")
    wait_until(lambda: _count(standby) < ROWS, "the standby has followed")
    read += rows
    assert broken
    assert all(isinstance(item, RowItem) for item in read)
    found = [int(item.uri.rpartition("/")[2]) for item in read]
    assert len(found) == len(set(found))
    assert {n for n in range(1, ROWS + 1) if n % 2 or n <= ROWS // 2} <= set(found)


def _count(server: OwnServer) -> int:
    try:
        with psycopg.connect(server.url) as connection:
            row = connection.execute("SELECT count(*) FROM articles").fetchone()
    except psycopg.Error:
        return -1
    assert row is not None
    return int(row[0])
