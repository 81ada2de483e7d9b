"""Opens the tracking database, migrated to the schema that this release knows."""

import weakref
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import text

from embedmill.shared.db.connecting import find_frozen_file
from embedmill.shared.db.engine import Connection, Database
from embedmill.shared.db.newest import create_newest
from embedmill.shared.db.postgres import Sizing
from embedmill.shared.errors import EmbedmillError, HomeInUse
from embedmill.shared.sqlite_files import copy_file, file_uri

_MIGRATIONS = Path(__file__).parent / "migrations"
HEAD = max(path.name[:4] for path in _MIGRATIONS.glob("versions/[0-9]*.py"))


def open_database(url: str, *, sizing: Sizing | None = None) -> Database:
    """Open and, where its schema is older, migrate; raises HomeInUse for a newer schema.

    A file that cannot be written is read as it stands; with an older schema, a copy of it is migrated and read.
    """
    database = Database(url, sizing=sizing, keeps_receipts=True)
    try:
        revision = database.find_revision()
        if revision is None and database.is_sqlite:
            database.alter(create_newest)
            revision = database.find_revision()
        if revision is None or revision < HEAD:
            if revision and (frozen := find_frozen_file(url)):
                database.close()
                return _open_copy(frozen, sizing)
            migrate(database)
        elif revision > HEAD:
            raise HomeInUse(f"the database was made by a newer Embedmill (schema {revision}, this one knows {HEAD})")
    except EmbedmillError:
        database.close()
        raise
    return database


def _open_copy(file: Path, sizing: Sizing | None) -> Database:
    """A migrated copy, which takes no writes and is gone with whoever reads it."""
    folder = TemporaryDirectory(prefix="embedmill-")
    copy = Path(folder.name) / file.name
    copy_file(file_uri(file, mode="ro"), copy)
    database = Database(f"sqlite:///{copy}", sizing=sizing, keeps_receipts=True)
    weakref.finalize(database, folder.cleanup)
    migrate(database)
    database.freeze()
    return database


def migrate(database: Database, *, revision: str = "head") -> None:
    """Bring the schema to HEAD, or to an older one; processes that start together wait for one of them to do it.

    All steps are one transaction, begun before alembic plans them: on SQLite it would commit each by itself, and
    whoever waited in between would go on with a plan of before. It is run again when its session is lost: what took
    effect is not done twice.
    """
    database.alter(lambda connection: _upgrade(connection, revision))


def _upgrade(connection: Connection, revision: str) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    if connection.dialect.name != "sqlite":
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(7166230)"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
