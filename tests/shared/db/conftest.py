"""The tracking database on both of its engines, and the tracker that tests drive it with."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from embedmill.shared.db.engine import Database
from embedmill.shared.db.opening import open_database
from tests.migrated import place_migrated
from tests.services import postgres
from tests.services.needed import require
from tests.services.postgres import Server
from tests.shared.db.tracker import Tracker

# Tables hold some rows as a rule, and deleting those is ten times cheaper than truncating every table is. A table that
# was large, or that the planner has figures of, is made anew.
EMPTY = """
DO $$ DECLARE name regclass; pages bigint; known real; BEGIN
    SET LOCAL session_replication_role = replica;
    FOR name, pages, known IN
        SELECT oid, pg_relation_size(oid) / 8192, reltuples FROM pg_class
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'alembic_version'
    LOOP
        IF pages > 16 OR known > 0 THEN
            EXECUTE format('TRUNCATE %s CASCADE', name);
        ELSIF pages > 0 THEN
            EXECUTE format('DELETE FROM %s', name);
        END IF;
    END LOOP;
    PERFORM setval(seqrelid, seqstart, false) FROM pg_sequence
        WHERE seqrelid::regclass::text = ANY (SELECT sequencename FROM pg_sequences WHERE last_value IS NOT NULL);
END $$
"""


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """One server for the session."""
    require(postgres.why_not())
    with postgres.running_database() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: Server) -> str:
    """The URL of an empty database on the session's server."""
    empty(postgres_server.url)
    return postgres_server.url


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, on each engine in turn."""
    return url_of(request, tmp_path)


def url_of(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database on the engine that a fixture was asked for."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'tracking.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def database(database_url: str, tmp_path: Path) -> Iterator[Database]:
    """An empty, migrated database."""
    if database_url.startswith("sqlite"):
        place_migrated(tmp_path / "tracking.db")
    opened = open_database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def tracker(database: Database) -> Tracker:
    """The database with a collection and a job in it."""
    return Tracker(database)


def empty(url: str) -> None:
    """Remove every row, so that a shared server looks new."""
    opened = open_database(url)
    with opened.write() as connection:
        connection.execute(text(EMPTY))
    opened.close()
