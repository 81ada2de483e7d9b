"""The migrations: they make the very schema that the code declares, and bring an older database to it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import text

import embedmill.shared.db
from embedmill.shared import sqlite_files
from embedmill.shared.db import connecting, newest
from embedmill.shared.db.engine import Database
from embedmill.shared.db.opening import HEAD, open_database
from embedmill.shared.db.schema import metadata, usage
from embedmill.shared.db.snapshot import dump, dump_migrated
from embedmill.shared.errors import EmbedmillError, HomeInUse
from tests.services import postgres
from tests.services.needed import require
from tests.shared.db.tracker import Tracker


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database on each engine, with no schema at all."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'tracking.db'}"
        return
    require(postgres.why_not())
    with postgres.running_database() as server:
        yield server.url


def test_the_migrations_make_the_declared_schema(url: str) -> None:
    database = open_database(url)
    assert differences(database) == []
    database.close()


def test_a_new_database_is_the_one_that_the_migrations_make(tmp_path: Path) -> None:
    path = tmp_path / "tracking.db"
    open_database(f"sqlite:///{path}").close()
    assert dump(path) == dump_migrated(), "make format writes the newest schema"


def test_a_new_database_goes_on_from_an_older_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    older = tmp_path / "older.sql"
    database = Database(f"sqlite:///{tmp_path / 'older.db'}")
    move(database, "0001")
    database.close()
    older.write_text(dump(tmp_path / "older.db"))
    monkeypatch.setattr(newest, "NEWEST", older)
    opened = open_database(f"sqlite:///{tmp_path / 'tracking.db'}")
    assert differences(opened) == []
    opened.close()


def test_a_database_of_the_first_release_is_upgraded_with_what_is_in_it(url: str) -> None:
    database = Database(url)
    move(database, "0001")
    with database.write() as connection:
        for statement in FILLED:
            connection.execute(text(statement))
    database.close()
    opened = open_database(url)
    assert differences(opened) == []
    with opened.read() as connection:
        counted = connection.execute(text("SELECT state, result, documents, expected FROM tally ORDER BY state"))
        assert [tuple(row) for row in counted] == [("completed", "indexed", 2, 6), ("pending", "", 1, 0)]
    opened.close()


def test_a_database_of_an_older_release_that_cannot_be_written_is_read_in_a_copy_that_takes_no_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "tracking.db"
    older = Database(f"sqlite:///{path}")
    move(older, "0001")
    older.close()
    before = path.read_bytes()
    for module in (connecting, sqlite_files):
        monkeypatch.setattr(module, "is_writable", lambda folder: folder != tmp_path)
    opened = open_database(f"sqlite:///{path}")
    assert differences(opened) == []
    with pytest.raises(HomeInUse), opened.write() as connection:
        connection.execute(text("UPDATE pool SET desired = 1"))
    opened.close()
    assert path.read_bytes() == before


def test_work_of_an_older_release_goes_on_and_no_constraint_says_which_stages_there_are(url: str) -> None:
    old = Database(url)
    for revision, statements in (("0001", FILLED), ("0023", OF_STAGES)):
        move(old, revision)
        with old.write() as connection:
            for statement in statements:
                connection.execute(text(statement))
    old.close()
    database = open_database(url)
    with database.write() as connection:
        kept = connection.execute(text("SELECT stage, state FROM work ORDER BY id")).all()
        tried = connection.execute(text("SELECT stage, outcome FROM attempt")).all()
        queues = connection.execute(text("SELECT queue, desired FROM pool")).all()
        connection.execute(text("UPDATE work SET stage = 'a-stage-of-some-later-release'"))
        counted = connection.execute(text("SELECT DISTINCT stage FROM tally WHERE documents > 0")).scalars().all()
    assert [tuple(row) for row in kept] == [("index", "completed"), ("index", "completed"), ("chunk", "pending")]
    assert [tuple(row) for row in (*tried, *queues)] == [("embed", "error"), ("validate", 4)]
    assert "a-stage-of-some-later-release" in counted
    assert differences(database) == []
    database.close()


def test_a_downgrade_leaves_a_database_that_can_be_upgraded_again(url: str) -> None:
    database = open_database(url)
    tracker = Tracker(database)
    tracker.submit(["file:///a", "file:///b"])
    move(database, "0001", down=True)
    move(database, HEAD)
    assert differences(database) == []
    assert tracker.progress().documents["total"] == 2
    database.close()


def test_the_ledger_of_an_older_release_is_kept_as_settled_and_free(url: str) -> None:
    old = Database(url)
    move(old, "0001")
    with old.write() as connection:
        connection.execute(text("INSERT INTO collection VALUES (4, 'old', '{}', 1, 1.0)"))
        connection.execute(
            text(
                "INSERT INTO job (id, collection_id, identity, sources, options, state, created_at) "
                "VALUES (9, 4, 'i', '[]', '{}', 'running', 1.0)"
            )
        )
        connection.execute(text("INSERT INTO usage VALUES (1, 9, 'local', 'm', 'embed', 3, 1, 40, 0, 0, 5.0)"))
    old.close()
    database = open_database(url)
    with database.read() as connection:
        row = connection.execute(usage.select()).mappings().one()
    database.close()
    assert (row["state"], row["lane"], row["price"], row["tokens_in"], row["inputs"]) == (
        "settled",
        "live",
        "free",
        40,
        3,
    )
    assert (row["job_id"], row["collection_id"], row["settled_at"], row["cost_microusd"]) == (9, 4, 5.0, 0)
    assert row["milliunits"] == 0


FILLED = (
    "INSERT INTO collection (id, name, settings, active_index_version, created_at) VALUES (1, 'default', '{}', 1, 1.0)",
    "INSERT INTO source (id, collection_id, identity, spec) VALUES (1, 1, 'folder', '{}')",
    """INSERT INTO job (id, collection_id, identity, sources, options, state, created_at)
    VALUES (1, 1, 'job', '[]', '{}', 'running', 1.0)""",
    *(
        "INSERT INTO document (id, collection_id, source_id, uri, generation, seen_job, updated_at) "
        f"VALUES ('d{n}', 1, 1, 'file:///{n}', 1, 1, 1.0)"
        for n in range(3)
    ),
    *(
        "INSERT INTO work (job_id, document_id, generation, stage, state, max_attempts, size, content_hash, "
        "settings_hash, version, origin, chunks_expected, result, finished_at, created_at) "
        f"VALUES (1, 'd{n}', 1, 'index', 'completed', 3, 1, '', '', '', '{{}}', 3, 'indexed', 1.0, 1.0)"
        for n in range(2)
    ),
    """INSERT INTO work (job_id, document_id, generation, stage, state, max_attempts, size, content_hash,
    settings_hash, version, origin, created_at) VALUES (1, 'd2', 1, 'chunk', 'pending', 3, 1, '', '', '', '{}', 1.0)""",
)


OF_STAGES = (
    """INSERT INTO attempt (work_id, stage, epoch, attempt, worker, started_at, ended_at, outcome)
    VALUES (1, 'embed', 1, 1, 'w', 1.0, 2.0, 'error')""",
    "INSERT INTO pool (queue, desired, updated_at) VALUES ('validate', 4, 1.0)",
)


def move(database: Database, revision: str, *, down: bool = False) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(embedmill.shared.db.__file__).parent / "migrations"))
    # A session of its own, which writes no receipts: their table comes and goes here.
    moving = Database(database.url)
    with moving.write() as connection:
        config.attributes["connection"] = connection
        (command.downgrade if down else command.upgrade)(config, revision)
    moving.close()


def differences(database: Database) -> list[Any]:
    """What the database has otherwise than the schema says, indexes of the other engine left aside."""

    def belongs(item: Any, _name: Any, kind: str, *_: Any) -> bool:
        condition = getattr(item, "_ddl_if", None) if kind == "index" else None
        return condition is None or condition.dialect == connection.dialect.name

    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": belongs})
        assert context.get_current_revision() == HEAD
        return list(compare_metadata(context, metadata))


def test_a_ledger_with_what_a_provider_gave_back_counts_it_as_nothing(url: str) -> None:
    old = Database(url)
    move(old, "0014")
    with old.write() as connection:
        for statement in REFUNDED:
            connection.execute(text(statement))
    old.close()
    database = open_database(url)
    with database.read() as connection:
        rows = connection.execute(text("SELECT tokens_in, cost_microusd, state FROM usage ORDER BY id")).all()
        used = connection.execute(text("SELECT scope, used_microusd, used_tokens FROM budget ORDER BY id")).all()
    assert [tuple(row) for row in rows] == [(0, 0, "unsettled"), (700, 14, "settled"), (90, 2, "settled")]
    assert [tuple(row) for row in used] == [("total", 16, 790), ("provider", 2, 90), ("day", 14, 700)]
    with pytest.raises(EmbedmillError), database.write() as connection:
        connection.execute(text("UPDATE usage SET tokens_in = -1"))
    assert differences(database) == []
    database.close()


_USAGE = "INSERT INTO usage (id, provider, model, operation, state, inputs, cached, tokens_in, tokens_out, price, "
REFUNDED = (
    (
        f"{_USAGE}cost_microusd, created_at, settled_at) VALUES"
        " (1, 'openai', 'm', 'embed', 'settled', 3, 0, -1000000000, 0, 'p', -20000000, 1.0, 1.0),"
        " (2, 'openai', 'm', 'embed', 'settled', 3, 0, 700, 0, 'p', 14, 1764374400.0, 1.0),"
        " (3, 'cohere', 'm', 'embed', 'settled', 3, 0, 90, 0, 'p', 2, 1.0, 1.0)"
    ),
    (
        "INSERT INTO budget (id, scope, name, limit_microusd, used_microusd, used_tokens, day, created_at) VALUES"
        " (1, 'total', '', 1000, -19999984, -999999210, '', 1.0), (2, 'provider', 'cohere', 1000, 2, 90, '', 1.0),"
        " (3, 'day', '', 1000, -5, -5, '2025-11-29', 1.0)"
    ),
)
