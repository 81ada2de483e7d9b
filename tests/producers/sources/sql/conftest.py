"""The databases of these tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from embedmill.producers.sources.sql import reading, sessions
from tests.producers.sources.sql.databases import KINDS, Database, running_database
from tests.services import postgres
from tests.services.needed import require


@pytest.fixture(scope="session")
def postgres_shared() -> Iterator[postgres.Server]:
    """A database that each test empties."""
    require(postgres.why_not())
    with postgres.running_database() as server:
        yield server


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Each kind in turn."""
    with running_database(request.param, tmp_path, request) as database:
        yield database


@pytest.fixture
def sqlite(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with running_database("sqlite", tmp_path, request) as database:
        yield database


@pytest.fixture
def postgresql(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with running_database("postgresql", tmp_path, request) as database:
        yield database


@pytest.fixture
def mysql(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with running_database("mysql", tmp_path, request) as database:
        yield database


@pytest.fixture(autouse=True)
def short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few rows are several pages, the first of which is fetched in parts; nobody waits before trying again."""
    monkeypatch.setattr(sessions, "FIRST_CHUNK", 3)
    monkeypatch.setattr(reading, "TABLE_PAGE", 4)
    monkeypatch.setattr(reading, "QUERY_PAGE", 4)
    monkeypatch.setattr(reading, "PAUSE_SECONDS", 0.0)
