"""Outages of Postgres: a transaction takes effect once or not at all, and whoever runs it need not know."""

import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import Connection, text

from embedmill.shared.db import leases, settlement
from embedmill.shared.db.engine import Database
from embedmill.shared.db.opening import open_database
from embedmill.shared.db.postgres import Sizing
from embedmill.shared.errors import DatabaseAway, StorageFailed, TransactionLost
from embedmill.shared.outcomes import Advance
from embedmill.shared.states import State
from tests.services import postgres
from tests.services.needed import require
from tests.services.postgres import OwnServer, Server
from tests.services.proxy import running_proxy
from tests.shared.db.conftest import empty
from tests.shared.db.tracker import RETRY, Tracker
from tests.waiting import wait_until

URIS = [f"file:///{n}" for n in range(20)]
QUICK = Sizing(outage_seconds=30.0)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server that only this module disturbs."""
    require(postgres.why_not())
    with postgres.running_server() as server:
        yield server


@pytest.fixture
def database(server: Server) -> Iterator[Database]:
    empty(server.url)
    opened = open_database(server.url, sizing=QUICK)
    yield opened
    opened.close()


@pytest.fixture
def own(server: Server) -> OwnServer:
    if not isinstance(server, OwnServer):
        pytest.skip("the server of TEST_POSTGRES_URL cannot be restarted")
    return server


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose path is short enough for a socket."""
    with TemporaryDirectory(prefix="em-") as name:
        yield Path(name)


def add(connection: Connection, name: str = "a") -> int:
    """An effect that shows when it happens twice."""
    connection.execute(text(f"INSERT INTO chore VALUES ('{name}', 'b', 0) ON CONFLICT (name) DO NOTHING"))
    query = text(f"UPDATE chore SET lease_until = lease_until + 1 WHERE name = '{name}' RETURNING lease_until")
    return int(connection.execute(query).scalar_one())


def read(database: Database, name: str = "a") -> int:
    query = text(f"SELECT coalesce(max(lease_until), 0) FROM chore WHERE name = '{name}'")
    return database.query(lambda connection: int(connection.execute(query).scalar_one()))


def test_sessions_that_are_terminated_all_the_time_lose_and_double_nothing(server: Server, database: Database) -> None:
    ended = threading.Event()

    def terminate() -> None:
        while not ended.wait(0.05):
            server.terminate_sessions()

    thread = threading.Thread(target=terminate)
    thread.start()
    try:
        counts = [database.transact(add) for _ in range(100)]
    finally:
        ended.set()
        thread.join()
    assert counts == list(range(1, 101))
    assert read(database) == 100


def test_a_database_is_opened_though_the_session_that_looks_at_its_schema_is_lost(
    own: OwnServer, database: Database, folder: Path
) -> None:
    with running_proxy(folder, own.folder, passes_it_on=False) as proxy:
        proxy.word, proxy.cut_commits = b"alembic_version", 1
        opened = open_database(own.url.replace(str(own.folder), str(folder)), sizing=QUICK)
        assert proxy.cut == 1
        assert opened.find_revision() == database.find_revision()
        opened.close()


@pytest.mark.parametrize("commit", ["passed on", "cut"])
def test_a_commit_whose_answer_is_lost_takes_effect_once(
    own: OwnServer, database: Database, folder: Path, commit: str
) -> None:
    with running_proxy(folder, own.folder, passes_it_on=commit == "passed on") as proxy:
        behind = open_database(own.url.replace(str(own.folder), str(folder)), sizing=QUICK)
        for expected in range(1, 11):
            proxy.cut_commits = 1
            assert behind.transact(add) == expected
        assert proxy.cut == 10
        behind.close()
    assert read(database) == 10


@pytest.mark.parametrize("commit", ["passed on", "cut"])
def test_a_schema_is_made_though_the_session_that_makes_it_is_cut(own: OwnServer, folder: Path, commit: str) -> None:
    name = f"made_{commit.replace(' ', '_')}"
    own.execute(f"CREATE DATABASE {name}")
    with running_proxy(folder, own.folder, passes_it_on=commit == "passed on") as proxy:
        proxy.cut_commits = 1
        url = own.url.replace(str(own.folder), str(folder)).replace("/postgres?", f"/{name}?")
        opened = open_database(url, sizing=QUICK)
        assert proxy.cut == 1
        assert opened.transact(add) == 1
        opened.close()


@pytest.mark.parametrize("commit", ["passed on", "cut"])
def test_work_is_claimed_and_settled_once_though_commits_lose_their_answers(
    own: OwnServer, database: Database, folder: Path, commit: str
) -> None:
    tracker = Tracker(database)
    tracker.submit(URIS)
    ids = tracker.queue()
    with running_proxy(folder, own.folder, passes_it_on=commit == "passed on") as proxy:
        behind = open_database(own.url.replace(str(own.folder), str(folder)), sizing=QUICK)
        proxy.cut_commits = 1
        claim = behind.transact(
            lambda connection: leases.claim(connection, "chunk", ids, worker="worker", lease_seconds=60.0)
        )
        assert [item.id for item in claim.items] == ids
        proxy.cut_commits = 1
        outcomes = {item.id: Advance("embed") for item in claim.items}
        sent = behind.transact(lambda connection: settlement.settle(connection, claim, outcomes, retry=RETRY))
        assert sent == {"embed": ids}
        assert proxy.cut == 2
        behind.close()
    assert {(row["state"], row["epoch"], row["attempt"]) for row in tracker.rows()} == {(State.QUEUED, 1, 0)}
    assert tracker.attempts(ids[0]) == [(1, "ok")]


def test_a_restart_is_waited_out_by_a_transaction_that_begins_in_it(own: OwnServer, database: Database) -> None:
    assert database.transact(add) == 1
    own.stop()
    done: list[int] = []
    thread = threading.Thread(target=lambda: done.append(database.transact(add)))
    thread.start()
    try:
        wait_until(lambda: database.was_away_within(0), "the outage is noticed")
        assert not done
    finally:
        own.start()
    thread.join(30)
    assert done == [2]
    assert read(database) == 2


def test_an_outage_that_lasts_too_long_ends_the_wait(own: OwnServer) -> None:
    database = open_database(own.url, sizing=Sizing(outage_seconds=0.3))
    own.stop()
    try:
        with pytest.raises(DatabaseAway):
            database.transact(add)
        with database.impatient(), pytest.raises(DatabaseAway):
            database.transact(add)
    finally:
        own.start()
        database.close()


def test_a_chore_does_not_wait(own: OwnServer) -> None:
    """It would outlast the test."""
    database = open_database(own.url, sizing=Sizing(outage_seconds=3600))
    own.stop()
    try:
        with database.impatient(), pytest.raises(StorageFailed):
            database.transact(add)
    finally:
        own.start()
        database.close()


def test_a_wrong_password_or_name_is_not_waited_for(server: Server) -> None:
    with pytest.raises(StorageFailed, match="does not exist") as refused:
        open_database(server.url.replace("/postgres?", "/no_such_database?"), sizing=QUICK)
    assert "EMBEDMILL_DATABASE_URL" in refused.value.hint


def test_a_block_that_lost_its_session_is_known_not_to_have_taken_effect(server: Server, database: Database) -> None:
    def lose_it() -> None:
        with database.write() as connection:
            add(connection)
            server.terminate_sessions()
            add(connection)

    with pytest.raises(TransactionLost):
        lose_it()
    assert read(database) == 0


def test_transactions_that_deadlock_both_take_effect(database: Database) -> None:
    met = threading.Barrier(2, timeout=60)

    def cross(first: str, second: str) -> None:
        waited = False

        def body(connection: Connection) -> None:
            nonlocal waited
            add(connection, first)
            if not waited:
                waited = True
                met.wait()
            add(connection, second)

        database.transact(body)

    for name in ("a", "b"):
        database.transact(lambda connection, name=name: add(connection, name))  # type: ignore[misc]
    threads = [threading.Thread(target=cross, args=names) for names in (("a", "b"), ("b", "a"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (read(database, "a"), read(database, "b")) == (3, 3)


def test_a_session_has_bounds_that_its_url_may_change(server: Server, database: Database) -> None:
    def settings(opened: Database) -> list[str]:
        names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "application_name")
        with opened.read() as connection:
            return [str(connection.execute(text(f"SHOW {name}")).scalar()) for name in names]

    assert settings(database) == ["5min", "30s", "1min", "embedmill"]
    joint = "&" if "?" in server.url else "?"
    own = Database(f"{server.url}{joint}application_name=mine&options=-c%20statement_timeout%3D7s")
    assert settings(own) == ["7s", "30s", "1min", "mine"]
    own.close()
