"""Opens the tracking database: one engine for writing, one for reading, and errors translated at the edge."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Double, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from shared.errors import EmbedmillError, HomeInUse, MissingExtra, SettingsError, StorageFailed

HEAD = "0006"
BUSY_TIMEOUT_MS = 30_000
PRAGMAS = (
    f"busy_timeout={BUSY_TIMEOUT_MS}",
    "journal_mode=WAL",
    "synchronous=NORMAL",
    "foreign_keys=ON",
    "cache_size=-4000",
)


class clock(FunctionElement[float]):
    """The database's own clock, as seconds since 1970; workers' clocks are never compared."""

    type = Double()
    inherit_cache = True


@compiles(clock, "sqlite")
def _sqlite_clock(element: Any, compiler: Any, **kw: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(clock, "postgresql")
def _postgresql_clock(element: Any, compiler: Any, **kw: Any) -> str:
    return "extract(epoch FROM clock_timestamp())::float8"


class Database:
    """Connections to the tracking database; safe to open in several processes, not to carry over a fork."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._pid = os.getpid()
        self._writer = _engine(url, begin="BEGIN IMMEDIATE")
        self._reader = _engine(url, begin="BEGIN")
        self.statements = 0
        for engine in (self._writer, self._reader):
            event.listen(engine, "before_cursor_execute", self._count)

    def _count(self, *_: Any) -> None:
        self.statements += 1

    @property
    def is_sqlite(self) -> bool:
        """Whether this is the one-host database."""
        return self._writer.dialect.name == "sqlite"

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction that may write; commits at the end, rolls back on any error. Raises StorageFailed."""
        with _translated(), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent view for reading. Raises StorageFailed."""
        with _translated(), self._reader.connect() as connection:
            yield connection

    def close(self) -> None:
        """Release every connection."""
        self._writer.dispose()
        self._reader.dispose()


def open_database(url: str) -> Database:
    """Open and, where its schema is older, migrate; raises HomeInUse for a newer schema or a read-only home."""
    database = Database(url)
    try:
        revision = _revision(database)
        if revision is None or revision < HEAD:
            migrate(database)
        elif revision > HEAD:
            raise HomeInUse(f"the database was made by a newer Embedmill (schema {revision}, this one knows {HEAD})")
    except EmbedmillError:
        database.close()
        raise
    return database


def migrate(database: Database) -> None:
    """Bring the schema to HEAD; processes that start together wait for one of them to do it."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with _translated(), database._writer.connect() as connection:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(7166230)"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()


def _revision(database: Database) -> str | None:
    try:
        with database._reader.connect() as connection:
            return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except OperationalError as error:
        if "no such table" in str(error):
            return None
        raise _translate(error) from None
    except DBAPIError as error:
        if "alembic_version" in str(error):
            return None
        raise _translate(error) from None


def _engine(url: str, *, begin: str) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            engine = create_engine(parsed, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000}, pool_pre_ping=False)
            _prepare_sqlite(engine, begin)
            return engine
        return create_engine(parsed, pool_pre_ping=True, pool_size=4, max_overflow=8)
    except (ArgumentError, NoSuchModuleError) as error:
        raise SettingsError(f"EMBEDMILL_DATABASE_URL: {error}") from None
    except ModuleNotFoundError as error:
        hint = "pip install 'embedmill[postgres]'"
        raise MissingExtra(f"the database URL needs the package {error.name}: {hint}") from None


def _prepare_sqlite(engine: Engine, begin: str) -> None:
    """Transactions begin as told: sqlite3's own default loses updates (facts/queues.md 3.4)."""

    def connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    def begun(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begun)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise _translate(error) from error


def _translate(error: DBAPIError) -> EmbedmillError:
    cause = str(error.orig)
    if "readonly" in cause or "unable to open" in cause:
        return HomeInUse(
            f"the tracking database cannot be opened for writing ({cause})",
            hint="Point EMBEDMILL_HOME at a folder that this user may write.",
        )
    if "not a database" in cause or "malformed" in cause:
        return HomeInUse(
            f"the tracking database is damaged ({cause})",
            hint="Restore it from a copy, or move it away and ingest the sources again.",
        )
    return StorageFailed(f"the tracking database refused: {cause}")
