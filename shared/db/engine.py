"""Opens the tracking database: transactions that outlive its outages, and errors translated at the edge.

A server that is away is waited for where a transaction begins. A transaction that lost its session half-way is run
again by `transact`; whether one that lost it in its COMMIT took effect is read from its receipt, a row that every
transaction on Postgres writes about itself.
"""

import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection as SqliteConnection
from typing import Any, Concatenate, ParamSpec, TypeAlias, TypeVar
from uuid import uuid4

import sqlalchemy
import structlog
from sqlalchemy import Double, Engine, create_engine, event, select, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from embedmill.shared.db import postgres
from embedmill.shared.db.postgres import Sizing
from embedmill.shared.errors import (
    DatabaseAway,
    EmbedmillError,
    HomeInUse,
    MissingExtra,
    SettingsError,
    StorageFailed,
    TransactionLost,
)
from embedmill.shared.sqlite_files import file_uri, is_writable

log = structlog.get_logger()

T = TypeVar("T")
P = ParamSpec("P")

# A transaction, by the name under which all other packages know it: they hand it on to the queries of this one.
Connection: TypeAlias = sqlalchemy.Connection

HEAD = "0024"
BUSY_TIMEOUT_MS = 30_000
_FILE = "sqlite:///"
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
    # Not clock_timestamp(), which is volatile: a condition on it cannot use an index. Both move within a transaction.
    return "extract(epoch FROM statement_timestamp())::float8"


def read_clock(connection: Connection) -> float:
    """Seconds since 1970 by the database's clock, at the beginning of this statement."""
    return float(connection.execute(select(clock())).scalar_one())


# Longest pause between two attempts to reach a server.
PAUSE_SECONDS = 1.0
# The row is the transaction's own: the same session writes it again with its next number. Only writers need one.
_WRITE_RECEIPT = text(
    "INSERT INTO receipt (id, number, written_at) "
    "SELECT :id, :number, extract(epoch FROM statement_timestamp())::float8 "
    "WHERE pg_current_xact_id_if_assigned() IS NOT NULL "
    "ON CONFLICT (id) DO UPDATE SET number = excluded.number, written_at = excluded.written_at RETURNING number"
)
# Waits for a transaction that is still committing, because that one holds the row.
_READ_RECEIPT = text(
    "INSERT INTO receipt (id, number, written_at) "
    "VALUES (:id, 0, extract(epoch FROM statement_timestamp())::float8) "
    "ON CONFLICT (id) DO UPDATE SET number = receipt.number RETURNING number"
)


@dataclass(frozen=True, slots=True)
class Receipt:
    """How a transaction that lost its session is recognised: the session's id and the transaction's number in it."""

    id: str
    number: int


class _Patience(threading.local):
    """Whether this thread waits for a database that is away."""

    waits = True


class Database:
    """Connections to the tracking database; safe to open in several processes, not to carry over a fork."""

    def __init__(self, url: str, *, sizing: Sizing | None = None, keeps_receipts: bool = False) -> None:
        self.url = url
        self._pid = os.getpid()
        self._sizing = sizing or Sizing()
        self._writer = _engine(url, begin="BEGIN IMMEDIATE", sizing=self._sizing)
        # SQLite begins otherwise to read; a server's sessions are few and serve for both.
        self._reader = _engine(url, begin="BEGIN", sizing=self._sizing) if self.is_sqlite else self._writer
        self._keeps_receipts = keeps_receipts
        self._patience = _Patience()
        self._away_since: float | None = None
        self._back_at = -float("inf")
        self.statements = 0
        for engine in {self._writer, self._reader}:
            event.listen(engine, "before_cursor_execute", self._count)

    def _count(self, _session: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        self.statements += "receipt" not in statement

    @property
    def is_sqlite(self) -> bool:
        """Whether this is the one-host database."""
        return self._writer.dialect.name == "sqlite"

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction that may write; commits at the end, rolls back on any error.

        Waits for a server that is away when it begins. Raises DatabaseAway after that; TransactionLost when the block
        has to be run again, as `transact` does, and nothing of it was kept; StorageFailed.
        """
        receipt: Receipt | None = None
        try:
            with self._translated(), self._connected(self._writer) as connection:
                with connection.begin() as transaction:
                    yield connection
                    receipt = self._write_receipt(connection)
                    transaction.commit()
                receipt = None
        except TransactionLost:
            if receipt is None or not self._took_effect(receipt):
                raise

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent view for reading. Raises as `write` does."""
        with self._translated(), self._connected(self._reader) as connection:
            if not self.is_sqlite:
                connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            yield connection

    def transact(self, body: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `body` returns of a transaction that took effect once; it is run again while the database gives way."""
        return self._repeated(self.write, lambda connection: body(connection, *args, **kwargs))

    def query(self, body: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `body` reads; it is run again when the session is lost."""
        return self._repeated(self.read, lambda connection: body(connection, *args, **kwargs))

    @contextmanager
    def impatient(self) -> Iterator[None]:
        """Within, this thread waits for nothing: for chores, which come back anyway."""
        self._patience.waits = False
        try:
            yield
        finally:
            self._patience.waits = True

    def was_away_within(self, seconds: float) -> bool:
        """Whether this process had lost the server, or found it again, in the last `seconds`."""
        return self._away_since is not None or time.monotonic() - self._back_at < seconds

    @property
    def outage_seconds(self) -> float:
        """How long an outage is waited out."""
        return self._sizing.outage_seconds

    def close(self) -> None:
        """Release every connection."""
        self._writer.dispose()
        self._reader.dispose()

    def _repeated(self, open_: Callable[[], AbstractContextManager[Connection]], body: Callable[[Connection], T]) -> T:
        deadline = time.monotonic() + self._sizing.outage_seconds
        pause = 0.01
        while True:
            try:
                with open_() as connection:
                    return body(connection)
            except TransactionLost:
                if not self._patience.waits or time.monotonic() > deadline:
                    raise
            # Two that gave way to each other must not come back at the same moment.
            time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311
            pause = min(2 * pause, PAUSE_SECONDS)

    @contextmanager
    def _connected(self, engine: Engine) -> Iterator[Connection]:
        connection = self._connect(engine)
        try:
            yield connection
        finally:
            connection.close()

    def _connect(self, engine: Engine) -> Connection:
        deadline, pause = time.monotonic() + self._sizing.outage_seconds, 0.05
        while True:
            try:
                connection = engine.connect()
            except DBAPIError as error:
                if self.is_sqlite or not postgres.is_away(error):
                    raise
                self._note_away(error)
                if not self._patience.waits or time.monotonic() > deadline:
                    raise DatabaseAway(f"the database server cannot be reached: {_first_line(error)}") from None
            else:
                self._note_back()
                return connection
            time.sleep(pause)
            pause = min(2 * pause, PAUSE_SECONDS)

    def _note_away(self, error: DBAPIError) -> None:
        if self._away_since is None:
            self._away_since = time.monotonic()
            log.warning("database.away", waits_seconds=self._sizing.outage_seconds, error=_first_line(error))

    def _note_back(self) -> None:
        if self._away_since is not None:
            log.warning("database.back", seconds=round(time.monotonic() - self._away_since, 1))
            self._away_since, self._back_at = None, time.monotonic()

    def _write_receipt(self, connection: Connection) -> Receipt | None:
        if not self._keeps_receipts:
            return None
        id_ = connection.info.setdefault("receipt", uuid4().hex)
        number = connection.info["receipts"] = connection.info.get("receipts", 0) + 1
        written = connection.execute(_WRITE_RECEIPT, {"id": id_, "number": number}).first()
        return Receipt(id_, number) if written else None

    def _took_effect(self, receipt: Receipt) -> bool:
        def read(connection: Connection) -> int:
            return int(connection.execute(_READ_RECEIPT, {"id": receipt.id}).scalar_one())

        return self.transact(read) == receipt.number

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            if not self.is_sqlite:
                if postgres.is_away(error):
                    self._back_at = time.monotonic()
                    raise TransactionLost(f"the session with the database was lost: {_first_line(error)}") from None
                if postgres.is_contended(error):
                    raise TransactionLost(f"the database preferred another transaction: {_first_line(error)}") from None
            raise _translate(error) from error
        except PoolTimeout as error:
            raise StorageFailed("this process has no database session left to use") from error


def _first_line(error: DBAPIError) -> str:
    return next(iter(str(error.orig).strip().splitlines()), type(error.orig).__name__)


def _parse(url: str) -> URL:
    """A URL; the path of a file is taken as it stands, because a folder's name may hold `?`, `#` or `%`."""
    path = url.removeprefix(_FILE)
    return make_url(url) if path == url else URL.create("sqlite", database=path)


def is_server(url: str) -> bool:
    """Whether a URL names a database that several hosts can share; raises SettingsError for one that means nothing."""
    try:
        return _parse(url).get_backend_name() != "sqlite"
    except ArgumentError as error:
        raise SettingsError(f"EMBEDMILL_DATABASE_URL: {error}") from None


def open_database(url: str, *, sizing: Sizing | None = None) -> Database:
    """Open and, where its schema is older, migrate; raises HomeInUse for a newer schema or a read-only home."""
    database = Database(url, sizing=sizing)
    try:
        revision = _revision(database)
        if revision is None or revision < HEAD:
            migrate(database)
        elif revision > HEAD:
            raise HomeInUse(f"the database was made by a newer Embedmill (schema {revision}, this one knows {HEAD})")
    except EmbedmillError:
        database.close()
        raise
    database._keeps_receipts = not database.is_sqlite
    return database


def migrate(database: Database) -> None:
    """Bring the schema to HEAD; processes that start together wait for one of them to do it.

    All steps are one transaction, begun before alembic plans them: on SQLite it would commit each by itself, and
    whoever waited in between would go on with a plan of before. It is run again when its session is lost: what took
    effect is not done twice.
    """

    @contextmanager
    def begin() -> Iterator[Connection]:
        with database._translated(), database._connected(database._writer) as connection, connection.begin():
            yield connection

    database._repeated(begin, _upgrade)


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    if connection.dialect.name != "sqlite":
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(7166230)"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _revision(database: Database) -> str | None:
    try:
        with database._connected(database._reader) as connection:
            return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except OperationalError as error:
        if "no such table" in str(error):
            return None
        raise _translate(error) from None
    except DBAPIError as error:
        if "alembic_version" in str(error):
            return None
        raise _translate(error) from None


def _engine(url: str, *, begin: str, sizing: Sizing) -> Engine:
    try:
        parsed = postgres.normalise(_parse(url))
        if parsed.get_backend_name() == "sqlite":
            return _sqlite_engine(parsed, begin)
        # A slot needs one session; heartbeats and chores come beside it.
        return create_engine(
            parsed,
            pool_pre_ping=True,
            hide_parameters=True,
            pool_size=sizing.slots + 1,
            max_overflow=sizing.slots + 3,
            connect_args=postgres.connect_arguments(parsed, sizing),
        )
    except (ArgumentError, NoSuchModuleError) as error:
        raise SettingsError(f"EMBEDMILL_DATABASE_URL: {error}") from None
    except ModuleNotFoundError as error:
        hint = "pip install 'embedmill[postgres]'"
        raise MissingExtra(f"the database URL needs the package {error.name}: {hint}") from None


def _sqlite_engine(url: URL, begin: str) -> Engine:
    """An engine on a file; on one that can only be read, where its folder cannot be written."""
    path = Path(url.database or "")
    frozen = path.is_file() and not is_writable(path.parent)
    opened = url.set(database=file_uri(path, mode="ro"), query={"uri": "true"}) if frozen else url
    engine = create_engine(opened, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000}, hide_parameters=True)
    _prepare_sqlite(engine, begin, [pragma for pragma in PRAGMAS if not (frozen and "journal" in pragma)])
    return engine


def _prepare_sqlite(engine: Engine, begin: str, pragmas: Sequence[str]) -> None:
    """Transactions begin as told: sqlite3's own default loses updates (docs/facts.md)."""

    def connected(connection: SqliteConnection, _record: object) -> None:
        connection.isolation_level = None
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")

    def begun(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begun)


def _translate(error: DBAPIError) -> EmbedmillError:
    # The lines below the first may quote data.
    cause = _first_line(error)
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
