"""The databases of these tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from embedmill.producers.sources.sql import reading
from tests.producers.sources.sql.databases import KINDS, Database, running_database


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Each kind in turn."""
    with running_database(request.param, tmp_path) as database:
        yield database


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    with running_database("sqlite", tmp_path) as database:
        yield database


@pytest.fixture
def postgresql(tmp_path: Path) -> Iterator[Database]:
    with running_database("postgresql", tmp_path) as database:
        yield database


@pytest.fixture
def mysql(tmp_path: Path) -> Iterator[Database]:
    with running_database("mysql", tmp_path) as database:
        yield database


@pytest.fixture(autouse=True)
def short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few rows are several pages, and nobody waits before trying again."""
    monkeypatch.setattr(reading, "TABLE_PAGE", 4)
    monkeypatch.setattr(reading, "QUERY_PAGE", 4)
    monkeypatch.setattr(reading, "PAUSE_SECONDS", 0.0)
