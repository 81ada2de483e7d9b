"""One table is one source, however its server, its database and itself are spelled."""

from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest

from embedmill.console.listening import Listener, Notice
from embedmill.console.services.submitting import tell_spellings
from embedmill.producers.sources.base import Spec
from embedmill.producers.sources.sql.source import SqlSource
from embedmill.producers.submission import called
from tests.contracts.sources import Desk, desk
from tests.producers.sources.sql.databases import Database
from tests.workers.conftest import runtime, tracker

__all__ = ["desk", "runtime", "tracker"]


def qualified(database: Database) -> str:
    """The name of the table with what it lies in."""
    return {"postgresql": "public", "sqlite": "MAIN"}.get(database.kind, urlsplit(database.url).path[1:]) + ".articles"


def elsewhere(database: Database) -> Database:
    """The same server by another way."""
    if database.kind == "postgresql":
        parts = urlsplit(database.url)
        host = parts.query.removeprefix("host=")
        return replace(database, url=f"postgresql:///{parts.path[1:]}?user={parts.username}&host={host}/./")
    return replace(database, url=database.url.replace("127.0.0.1", "localhost"))


def recorded(*sources: SqlSource) -> dict[str, Spec]:
    return {source.identity: source.spec for source in sources}


def test_a_table_under_another_name_is_the_source_on_record(database: Database) -> None:
    database.fill(3)
    known = database.open().beside({})
    others = recorded(known)
    spellings: list[SqlSource] = [
        database.open(table=qualified(database)),
        database.open(id=("ID",)),
        elsewhere(database).open(),
        elsewhere(database).open(table=qualified(database), text=("title",)),
    ]
    for found in (*(spelled.beside(others) for spelled in spellings), spellings[0].beside({}, others)):
        assert (found.identity, found.uri) == (known.identity, known.uri)
        assert [item.uri for item in found] == [item.uri for item in known]
        assert SqlSource.from_spec(found.spec).identity == known.identity


def test_another_table_query_or_id_is_another_source(database: Database) -> None:
    database.fill(3)
    database.execute("CREATE TABLE pages AS SELECT * FROM articles")
    others = recorded(database.open().beside({}))
    queried = database.open(query="SELECT * FROM articles")
    for one in (database.open(table="pages", id=("id",)), database.open(id=("title",)), queried):
        found = one.beside(others)
        assert (found.identity, found.name, found.namesakes) == (one.identity, "", [])


def test_a_source_that_an_earlier_release_recorded_is_asked_what_it_is(database: Database) -> None:
    database.fill(3)
    known = database.open()
    assert "mark" not in known.spec
    found = database.open(table=qualified(database)).beside(recorded(known))
    assert found.uri == known.uri


def test_a_home_that_has_a_table_twice_is_told(database: Database, desk: Desk) -> None:
    database.fill(3)
    known, second = database.open(), database.open(table=qualified(database))
    assert second.beside(recorded(known, second)).namesakes == [known.uri]
    told: list[Notice] = []
    source = replace(second, namesakes=[known.uri])
    tell_spellings(desk.runtime, desk.tracker.collection, [source], Listener(told.append))
    assert [f"embedmill sources remove {known.uri}" in notice.text for notice in told] == [True]


def test_two_spellings_in_one_command_are_one_source(database: Database, desk: Desk) -> None:
    database.fill(3)
    given = [database.open(), database.open(table=qualified(database))]
    assert len(called(desk.runtime.database, desk.tracker.collection.id, given)) == 1
    assert desk.ingest(*given).documents.total == 3


def test_a_database_that_is_away_is_called_as_it_is_spelled(monkeypatch: pytest.MonkeyPatch) -> None:
    gone: Any = Database("postgresql", "postgresql://127.0.0.1:9/shop", print).open()
    assert gone.beside({}) == gone
    kept = replace(gone, mark="known before")
    assert gone.beside(recorded(kept)).spec["mark"] == "known before"
