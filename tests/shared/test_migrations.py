"""The migrations: they make the very schema that the code declares."""

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from shared.db.engine import HEAD, open_database
from shared.db.schema import metadata


def test_the_migrations_make_the_declared_schema(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'tracking.db'}")
    with database.read() as connection:
        context = MigrationContext.configure(connection)
        assert context.get_current_revision() == HEAD
        assert compare_metadata(context, metadata) == []
    database.close()
