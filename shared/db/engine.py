"""The tracking database: transactions that outlive its outages, and errors translated at the edge.

A server that is away is waited for where a transaction begins. A transaction that lost its session half-way is run
again by `transact`; whether one that lost it in its COMMIT took effect is read from its receipt, a row that every
transaction on Postgres writes about itself.
"""

import os
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeAlias, TypeVar
from uuid import uuid4
from weakref import WeakKeyDictionary

import sqlalchemy
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from embedmill.shared.db import postgres
from embedmill.shared.db.connecting import find_full_disk, is_server, make_engine
from embedmill.shared.db.postgres import Sizing
from embedmill.shared.db.sealed import ATTRIBUTE
from embedmill.shared.errors import DatabaseAway, EmbedmillError, HomeInUse, StorageFailed, TransactionLost, UsageError
from embedmill.shared.logs import get_logger

log = get_logger()

T = TypeVar("T")
P = ParamSpec("P")

# A transaction, by the name under which all other packages know it: they hand it on to the queries of this one.
Connection: TypeAlias = sqlalchemy.Connection


# Longest pause between two attempts to reach a server.
PAUSE_SECONDS = 1.0
LOCKED_HINT = "Run the command again. If this stays so, look for a stopped process: embedmill workers list"
TOO_LARGE = "a number is larger than any that there can be: more than 64 bits"
NUMERIC_OUT_OF_RANGE = "22003"
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


def glance(connection: Connection, statement: str, *given: object) -> list[tuple[Any, ...]]:
    """What a statement reads of a SQLite file, by the driver alone: for what every search asks again.

    It is of the transaction's view where one has begun, and of its own otherwise. Raises as other statements do.
    """
    try:
        session: Any = connection.connection.dbapi_connection
        found: list[tuple[Any, ...]] = session.execute(statement, given).fetchall()
    except sqlite3.Error:
        return [tuple(row) for row in connection.exec_driver_sql(statement, given)]
    return found


class _Patience(threading.local):
    """Whether this thread waits for a database that is away."""

    waits = True


class _Kept(threading.local):
    """The session that this thread glances with, and what whoever closes it waits for: SQLite dies of it otherwise."""

    session: Connection | None = None

    def __init__(self) -> None:
        self.in_use = threading.RLock()


class Database:
    """Connections to the tracking database; safe to open in several processes, not to carry over a fork."""

    def __init__(self, url: str, *, sizing: Sizing | None = None, keeps_receipts: bool = False) -> None:
        self.url = url
        self._pid = os.getpid()
        self._sizing = sizing or Sizing()
        self._writer = make_engine(url, begin="BEGIN IMMEDIATE", sizing=self._sizing)
        # SQLite begins otherwise to read; a server's sessions are few and serve for both.
        self._reader = make_engine(url, begin="BEGIN", sizing=self._sizing) if self.is_sqlite else self._writer
        self._keeps_receipts = keeps_receipts
        self._patience = _Patience()
        # A session goes with the thread that kept it.
        self._kept, self._kept_of_all = _Kept(), WeakKeyDictionary[Connection, threading.RLock]()
        self._away_since: float | None = None
        self._back_at = -float("inf")
        self.statements = 0
        for engine in {self._writer, self._reader}:
            event.listen(engine, "before_cursor_execute", self._count)

    def _count(self, _session: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        self.statements += not statement.startswith("BEGIN") and "receipt" not in statement

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

    @contextmanager
    def glancing(self) -> Iterator[Connection]:
        """For `glance` alone: a SQLite file is read by a session that the thread keeps. Raises as `read` does.

        Each statement has a view of its own: what has to be of one view is read by one, or by `read`.
        """
        if not self.is_sqlite:
            with self.read() as connection:
                yield connection
            return
        with self._kept.in_use, self._translated():
            session = self._kept.session
            if session is None or session.closed:
                session = self._kept.session = self._reader.connect()
                session.detach()
                self._kept_of_all[session] = self._kept.in_use
            try:
                yield session
            finally:
                if session.in_transaction():
                    session.rollback()

    def transact(self, body: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `body` returns of a transaction that took effect once; it is run again while the database gives way."""
        return self._repeated(self.write, lambda connection: body(connection, *args, **kwargs))

    def query(self, body: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `body` reads; it is run again when the session is lost."""
        return self._repeated(self.read, lambda connection: body(connection, *args, **kwargs))

    def alter(self, body: Callable[[Connection], None]) -> None:
        """Change the schema in one transaction, which leaves no receipt: there may be no table for it yet."""

        @contextmanager
        def begin() -> Iterator[Connection]:
            with self._translated(), self._connected(self._writer) as connection, connection.begin():
                yield connection

        self._repeated(begin, body)

    @contextmanager
    def outside_transactions(self) -> Iterator[Connection]:
        """A session of a server for statements that no transaction may hold; it is closed afterwards."""
        with self._translated(), self._connected(self._writer) as connection:
            try:
                yield connection.execution_options(isolation_level="AUTOCOMMIT")
            finally:
                connection.invalidate()

    def find_revision(self) -> str | None:
        """The schema's number; None for a database without tables."""

        def look(connection: Connection) -> str | None:
            try:
                return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
            except DBAPIError as error:
                if _has_no_tables(error, is_sqlite=self.is_sqlite):
                    return None
                raise

        return self.query(look)

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

    def open_sealed_with(self, open_: Callable[[str, str], str]) -> None:
        """Have texts that are sealed opened, each as its kind (`shared.db.sealed`)."""
        for engine in {self._writer, self._reader}:
            setattr(engine.dialect, ATTRIBUTE, open_)

    def freeze(self) -> None:
        """Have a file refuse every write from here on, as one does that cannot be written."""
        self.close()
        for engine in {self._writer, self._reader}:
            event.listen(engine, "connect", lambda session, _record: session.execute("PRAGMA query_only=ON"))

    def close(self) -> None:
        """Release every connection."""
        with suppress(KeyError):
            while True:
                session, in_use = self._kept_of_all.popitem()
                with in_use:
                    session.close()
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
        if not self._keeps_receipts or self.is_sqlite:
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
            raise _translate(error, self.url) from error
        except OverflowError:
            raise UsageError(TOO_LARGE) from None
        except PoolTimeout as error:
            raise StorageFailed("this process has no database session left to use") from error


def _first_line(error: DBAPIError) -> str:
    return next(iter(str(error.orig).strip().splitlines()), type(error.orig).__name__)


def _has_no_tables(error: DBAPIError, *, is_sqlite: bool) -> bool:
    return "no such table" in str(error) if is_sqlite else isinstance(error, ProgrammingError)


def _translate(error: DBAPIError, url: str) -> EmbedmillError:
    # The lines below the first may quote data.
    cause = _first_line(error)
    if getattr(error.orig, "sqlstate", None) == NUMERIC_OUT_OF_RANGE:
        return UsageError(TOO_LARGE)
    if "readonly" in cause or "unable to open" in cause:
        if full := find_full_disk(url):
            hint = "Free some disk space: calls that cost money are written down before they are made."
            return HomeInUse(f"the disk of {full} is full; what is there can be read", hint=hint)
        return HomeInUse(
            f"the tracking database cannot be opened for writing ({cause})",
            hint="Point EMBEDMILL_HOME at a folder that this user may write.",
        )
    if "not a database" in cause or "malformed" in cause:
        return HomeInUse(
            f"the tracking database is damaged ({cause})",
            hint="Restore it from a copy, or move it away and ingest the sources again.",
        )
    if "locked" in cause:
        return StorageFailed("another process writes to the tracking database and does not end", hint=LOCKED_HINT)
    if is_server(url) and postgres.is_refused(error):
        return StorageFailed(f"the tracking database refused: {cause}", hint=postgres.LOOK_AT_URL)
    return StorageFailed(f"the tracking database refused: {cause}")
