"""The migrations: they make the very schema that the code declares."""

from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import text

from shared.db.engine import HEAD, Database, open_database
from shared.db.schema import metadata, usage
from tests.shared.db.conftest import postgres_url  # noqa: F401 - a fixture

MIGRATIONS = Path(__file__).parents[2] / "shared" / "db" / "migrations"


def test_the_migrations_make_the_declared_schema(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'tracking.db'}")
    with database.read() as connection:
        context = MigrationContext.configure(connection)
        assert context.get_current_revision() == HEAD
        assert compare_metadata(context, metadata) == []
    database.close()


def migrate_to(database: Database, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database._writer.connect() as connection:
        config.attributes["connection"] = connection
        if revision == "base":
            command.downgrade(config, revision)
        else:
            command.upgrade(config, revision)
        connection.commit()


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_the_ledger_of_an_older_release_is_kept_as_settled_and_free(
    engine: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path / 'old.db'}" if engine == "sqlite" else request.getfixturevalue("postgres_url")
    old = Database(url)
    if engine == "postgres":
        open_database(url).close()
        migrate_to(old, "base")
    migrate_to(old, "0001")
    with old.write() as connection:
        connection.execute(
            text("INSERT INTO collection VALUES (4, 'old', '{}', 1, 1.0)"),
        )
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
