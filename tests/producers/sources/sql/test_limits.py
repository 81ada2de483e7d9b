"""A session cannot write, holds nothing for long, and a database that breaks off costs no row and deletes none."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from embedmill.producers.sources.base import Problem
from embedmill.producers.sources.sql import reading, sessions
from embedmill.producers.sources.sql.mysql import is_older
from embedmill.producers.sources.sql.places import read_place
from embedmill.producers.sources.sql.sessions import Interrupted, Session, StatementRefused
from tests.producers.sources.sql.databases import Database, texts
from tests.services.needed import free_port


def session_of(database: Database, seconds: float = 20.0) -> Session:
    place, login = read_place(database.url)
    return place.connect(login, seconds)


WRITES = (
    "INSERT INTO articles (id) VALUES (99)",
    "UPDATE articles SET body = 'x'",
    "DELETE FROM articles",
    "CREATE TABLE other (id int)",
    "DROP TABLE articles",
)


@pytest.mark.parametrize("statement", WRITES)
def test_a_session_writes_nothing(database: Database, statement: str) -> None:
    database.fill(3)
    session = session_of(database)
    with pytest.raises(StatementRefused):
        session.value(statement)
    session.close()
    assert len(texts(database.read())) == 3


def test_no_query_ends_the_transaction_and_writes_in_the_next(database: Database) -> None:
    database.fill(1)
    for tail in ("commit; create table sneaky (id int)", "SELECT 1; DROP TABLE articles"):
        for query in (f"SELECT * FROM articles) q; {tail}; --", f"SELECT * FROM articles; {tail}", tail):
            (problem,) = database.read(query=query)
            assert isinstance(problem, Problem)
    assert len(texts(database.read())) == 1


def test_a_query_cannot_make_the_next_page_of_postgres_writable(postgresql: Database) -> None:
    postgresql.fill(9)
    postgresql.execute(
        "CREATE FUNCTION sneak() RETURNS text LANGUAGE plpgsql AS $$ BEGIN "
        "PERFORM set_config('default_transaction_read_only', 'off', false); "
        "BEGIN INSERT INTO articles VALUES (99, 'T', 'sneaked'); EXCEPTION WHEN OTHERS THEN END; RETURN 'x'; END $$"
    )
    postgresql.read(query="SELECT id, body || sneak() AS body FROM articles")
    assert len(texts(postgresql.read())) == 9


def test_sqlite_attaches_nothing_and_makes_no_file(sqlite: Database, tmp_path: Path) -> None:
    session = session_of(sqlite)
    for statement in (f"ATTACH '{tmp_path}/made.db' AS made", "PRAGMA journal_mode=DELETE", "VACUUM INTO 'x.db'"):
        with pytest.raises(StatementRefused):
            session.value(statement)
    assert not (tmp_path / "made.db").exists()


def test_what_is_committed_beside_a_file_of_sqlite_is_read(sqlite: Database) -> None:
    sqlite.execute("PRAGMA journal_mode=WAL")
    sqlite.fill(3)
    assert len(texts(sqlite.read())) == 3


ENDLESS = {
    "sqlite": "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id+1 FROM n) SELECT max(id) AS id, '' AS body FROM n",
    "postgresql": "SELECT 1 AS id, pg_sleep(60)::text AS body",
    "mysql": "SELECT 1 AS id, SLEEP(60) AS body",
}


def test_a_statement_has_a_limit_of_time(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_FAILURES", 1)
    found = database.read(query=ENDLESS[database.kind], statement_seconds=0.2)
    assert isinstance(found[0], Problem)


def test_a_server_that_says_nothing_is_left(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    if database.kind == "sqlite":
        pytest.skip("nobody is asked there")
    session = session_of(database, 60.0)
    session.seconds = 0.0
    monkeypatch.setattr(sessions, "GRACE_SECONDS", 0.1)
    with pytest.raises(Interrupted):
        session.value(ENDLESS[database.kind])
    session.close()


class Breaking:
    """Lets a session break off after so many rows of a page, as a standby that has to catch up does."""

    def __init__(self, real: Any, after: int, times: int) -> None:
        self.real, self.after, self.left = real, after, times
        self.statements: list[str] = []

    @property
    def chunks(self) -> Any:
        """What stands in the place of the method."""

        def chunks(session: Session, statement: str, parameters: Sequence[Any], **how: Any) -> Iterator[Any]:
            return self.broken(statement, self.real(session, statement, parameters, **how))

        return chunks

    def broken(self, statement: str, chunks: Iterator[Any]) -> Iterator[Any]:
        self.statements.append(statement)
        rows = [row for some in chunks for row in some]
        if self.left and "LIMIT " in statement and len(rows) > self.after:
            self.left -= 1
            yield rows[: self.after]
            raise Interrupted("conflict with recovery")
        yield rows


def test_reading_goes_on_after_the_last_row_with_shorter_pages(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.fill(20)
    monkeypatch.setattr(reading, "TABLE_PAGE", 16)
    breaking = Breaking(Session.chunks, after=2, times=3)
    monkeypatch.setattr(Session, "chunks", breaking.chunks)
    assert len(texts(database.read())) == 20
    pages = [int(statement.rpartition("LIMIT ")[2]) for statement in breaking.statements if "LIMIT " in statement]
    assert pages[:7] == [17, 4, 2, 4, 2, 4, 8]


def test_what_breaks_off_again_and_again_is_given_up_and_hides_all(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.fill(20)
    breaking = Breaking(Session.chunks, after=1, times=1000)
    monkeypatch.setattr(Session, "chunks", breaking.chunks)
    monkeypatch.setattr(reading, "TABLE_PAGE", 1)
    found = database.read()
    assert isinstance(found[-1], Problem)
    assert found[-1].uri == database.open().uri


def test_a_server_that_is_away_is_one_problem_of_the_source(database: Database) -> None:
    if database.kind == "sqlite":
        pytest.skip("a file is there or not")
    database.fill(1)
    from urllib.parse import urlsplit

    port = free_port()
    database.url = f"{urlsplit(database.url).scheme}://someone:secret@127.0.0.1:{port}/shop"
    (problem,) = database.read()
    assert isinstance(problem, Problem)
    assert problem.uri == f"{database.kind}://127.0.0.1:{port}/shop/articles"
    assert "secret" not in problem.reason


def test_nobody_waits_for_a_transaction_of_ours(postgresql: Database) -> None:
    postgresql.fill(20)
    rows = iter(postgresql.open())
    next(rows)
    done = threading.Event()

    def alter() -> None:
        postgresql.execute("ALTER TABLE articles ADD COLUMN more int")
        done.set()

    other = threading.Thread(target=alter)
    other.start()
    # It waits for one page at most.
    assert len([next(rows) for _ in range(8)]) == 8
    other.join(timeout=60)
    assert done.is_set()
    assert len(list(rows)) == 11


def test_an_older_view_of_the_data_is_no_proof_and_no_news(postgresql: Database) -> None:
    postgresql.fill(3)
    postgresql.read()
    state = dict(postgresql.memory.get_many(["state"])["state"])
    assert state["position"]
    postgresql.memory.put_many({"state": state | {"position": "FFFF/0"}})
    (problem,) = postgresql.read()
    assert isinstance(problem, Problem)
    assert "behind" in problem.reason


def test_another_server_at_the_address_proves_no_departure(postgresql: Database) -> None:
    postgresql.fill(3)
    postgresql.read()
    state = dict(postgresql.memory.get_many(["state"])["state"])
    postgresql.memory.put_many({"state": state | {"server": "another"}})
    postgresql.read()
    assert postgresql.context.is_increment
    postgresql.read()
    assert not postgresql.context.is_increment


def test_a_refused_account_is_named_and_its_password_is_not(mysql: Database) -> None:
    mysql.fill(1)
    mysql.url = mysql.url.replace("root@", "nobody:planted@")
    (problem,) = mysql.read()
    assert isinstance(problem, Problem)
    assert "nobody" in problem.reason
    assert "planted" not in problem.reason


def test_positions_of_mariadb_are_compared_by_domain() -> None:
    assert is_older("0-1-57,1-1-3", "0-2-57,1-1-4")
    assert is_older("1-1-4", "0-1-1,1-1-4")
    assert not is_older("0-1-58,1-9-4,2-1-1", "0-2-57,1-1-4")
    assert not is_older("0-1-1", "")
