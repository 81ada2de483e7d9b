"""Reads Postgres: a named cursor in a read-only transaction a page, values as the server prints them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.string import ByteaLoader, TextLoader

from embedmill.producers.sources.sql.logins import Login
from embedmill.producers.sources.sql.places import SYSTEM, DatabasePlace
from embedmill.producers.sources.sql.sessions import (
    Interrupted,
    Row,
    Session,
    Stand,
    StatementRefused,
    TooSlow,
    Unreachable,
    Untrusted,
    Wire,
)
from embedmill.producers.sources.sql.values import SMALL, Column, ColumnKind
from embedmill.shared.db.postgres import AWAY, CONNECT_SECONDS, CONTENDED, KEEPALIVE, REFUSED, UNACKNOWLEDGED_MS

# Query canceled, also by a standby; crash of the server or of its connection.
CANCELED = "57014"
INTERRUPTED = AWAY | CONTENDED
# What is said of certificates and keys while a session is being opened.
_SECURITY = ("certificate", "SSL", "private key", "TLS")
# Classes whose messages name tables, columns, accounts and databases, and never what is in a row.
SPEAKING = ("42", "28", "3D", "3F", "0A", "26")
LOCK_SECONDS = 10
IDLE_SECONDS = 120
CURSOR = "embedmill"
# No value that takes so few has more than a hundred thousand when it is printed: compression saves 254 of 255 bytes at
# most, and a byte is printed as six at most.
COMPRESSED_BYTES = 80

_KINDS = {
    "int2": ColumnKind.INTEGER,
    "int4": ColumnKind.INTEGER,
    "int8": ColumnKind.INTEGER,
    "oid": ColumnKind.INTEGER,
    "numeric": ColumnKind.DECIMAL,
    "float4": ColumnKind.FLOAT,
    "float8": ColumnKind.FLOAT,
    "bool": ColumnKind.BOOLEAN,
    "text": ColumnKind.TEXT,
    "varchar": ColumnKind.TEXT,
    "bpchar": ColumnKind.TEXT,
    "name": ColumnKind.TEXT,
    "bytea": ColumnKind.BINARY,
    "json": ColumnKind.JSON,
    "jsonb": ColumnKind.JSON,
    "date": ColumnKind.MOMENT,
    "timestamp": ColumnKind.MOMENT,
    "timestamptz": ColumnKind.MOMENT,
}
_TYPES = {info.oid: info for info in psycopg.postgres.types if info.oid}
_LISTS = {info.array_oid for info in _TYPES.values() if info.array_oid}
_PRIMARY = """
SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
WHERE i.indrelid = (%s::text)::regclass AND i.indisprimary ORDER BY array_position(i.indkey::int2[], a.attnum)
"""
_POSITION = "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END"
_RISKS = """
SELECT 'SUPERUSER' FROM pg_roles WHERE rolname = current_user AND rolsuper
UNION ALL SELECT rolname FROM pg_roles WHERE NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
AND rolname IN ('pg_write_server_files', 'pg_read_server_files', 'pg_execute_server_program', 'pg_write_all_data')
AND pg_has_role(current_user, oid, 'MEMBER')
"""
_TABLE = """
SELECT concat_ws('/', (SELECT system_identifier FROM pg_control_system()),
(SELECT timeline_id FROM pg_control_checkpoint()), (SELECT oid FROM pg_database WHERE datname = current_database()),
(%s::text)::regclass::oid)
"""
_LOOSE = """
SELECT a.attname FROM pg_attribute a JOIN pg_collation c ON c.oid = a.attcollation
WHERE a.attrelid = (%s::text)::regclass AND NOT c.collisdeterministic
"""


class LenientLoader(TextLoader):
    """Text of a database that never checked its encoding."""

    def load(self, data: Any) -> str:
        return bytes(data).decode("utf-8", "replace")


class PostgresSession(Session):
    """A connection whose every transaction is read-only, whatever a query calls."""

    def __init__(self, place: DatabasePlace, login: Login, *, seconds: float) -> None:
        super().__init__(seconds)
        self._login = login
        with self._translating():
            self._connection: psycopg.Connection[Any] = psycopg.connect(
                **_arguments(place, login, seconds), autocommit=False
            )
            self._cursor: Any = self._connection.cursor()
            self._wire = Wire(self._connection.fileno())
            self._connection.read_only = True
            self._take_texts()

    def _take_texts(self) -> None:
        """Python's own types have no infinity, no year before 1 and fewer digits."""
        unchecked = self._connection.info.parameter_status("server_encoding") == "SQL_ASCII"
        loader = LenientLoader if unchecked else TextLoader
        for oid in _TYPES:
            self._connection.adapters.register_loader(oid, loader)
        self._connection.adapters.register_loader("bytea", ByteaLoader)

    def execute(self, statement: str, parameters: Sequence[Any], *, streamed: bool) -> Any:
        with self._translating():
            self._cursor = self._connection.cursor(CURSOR) if streamed else self._connection.cursor()
            # With parameters, also with none, the server is sent one statement and refuses two.
            return self._cursor.execute(statement.encode(), tuple(parameters))

    def fetch(self, cursor: Any, most: int) -> Sequence[Row]:
        with self._translating():
            return list(cursor.fetchmany(most))

    def finish(self, cursor: Any) -> None:
        with self._translating():
            cursor.close()
            self._connection.commit()

    def close(self) -> None:
        self._connection.close()
        self._cursor.close()
        self._wire.close()

    def cut(self) -> None:
        self._wire.cut()

    def quote(self, name: str) -> str:
        return sql.Identifier(name).as_string(self._connection).replace("%", "%%")

    def describe(self, relation: str) -> list[Column]:
        cursor = self.execute(f"SELECT * FROM {relation} LIMIT 0", (), streamed=False)
        found = [_column(each.name, each.type_code) for each in cursor.description]
        self.finish(cursor)
        return found

    def find_key(self, table: Sequence[str]) -> list[str]:
        return self._names(_PRIMARY, table)

    def order_by(self, table: Sequence[str], columns: Sequence[Column]) -> list[str]:
        loose = self._names(_LOOSE, table) if table else [column.name for column in columns]
        return [
            f'{self.quote(each.name)} COLLATE "C"'
            if each.kind is ColumnKind.TEXT and each.name in loose
            else self.quote(each.name)
            for each in columns
        ]

    def newer(self, column: Column) -> str:
        name = self.quote(column.name)
        if column.kind is ColumnKind.INTEGER:
            return f"({name} >= (%s::text)::numeric - (%s::text)::numeric OR {name} IS NULL)"
        since = f"(%s::text)::{column.type} - make_interval(secs => (%s::text)::float8)"
        return f"({name} >= {since} OR {name} IS NULL)"

    def newest(self, column: Column, relation: str) -> str:
        name = self.quote(column.name)
        past = f" WHERE {name} <= now()" if column.kind is ColumnKind.MOMENT else ""
        return f"SELECT max({name})::text FROM {relation}{past}"

    def find_risks(self) -> list[str]:
        return [row[0] for rows in self.chunks(_RISKS, (), streamed=False) for row in rows]

    def digest(self, columns: Sequence[Column]) -> str:
        return f"md5(ROW({', '.join(self.quote(column.name) for column in columns)})::text)"

    def size(self, column: Column) -> str:
        name = self.quote(column.name)
        if column.kind in SMALL:
            return ""
        if column.type in ("text", "varchar", "bytea"):
            return f"octet_length({name})"
        # As it is kept it may be compressed; to be measured as a text it has to be made one.
        return f"CASE WHEN pg_column_size({name}) > {COMPRESSED_BYTES} THEN octet_length({name}::text) END"

    def find_table(self, table: Sequence[str]) -> str:
        with suppress(StatementRefused):
            return str(self.value(_TABLE, (self._named(table) or None,)))
        return ""

    def stand(self) -> Stand:
        server = ""
        with suppress(StatementRefused):
            server = str(self.value("SELECT system_identifier::text FROM pg_control_system()"))
        # Positions of servers that have no name of their own cannot be compared.
        if not server:
            return Stand()
        with suppress(StatementRefused):
            return Stand(server, self.value(_POSITION) or "")
        return Stand(server)

    def is_behind(self, position: str) -> bool:
        return self.value(f"SELECT ({_POSITION}) < (%s::text)::pg_lsn", (position,)) in ("t", True)

    def _names(self, statement: str, table: Sequence[str]) -> list[str]:
        return [row[0] for rows in self.chunks(statement, (self._named(table),), streamed=False) for row in rows]

    def _named(self, table: Sequence[str]) -> str:
        return ".".join(sql.Identifier(name).as_string(self._connection) for name in table)

    @contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            translated = self._translated(error)
            if isinstance(translated, StatementRefused):
                self._go_back()
            raise translated from None

    def _go_back(self) -> None:
        """End a transaction in which something was refused."""
        connection = getattr(self, "_connection", None)
        if connection is not None and not connection.closed:
            with suppress(psycopg.Error):
                connection.rollback()
                self._cursor.close()

    def _translated(self, error: psycopg.Error) -> StatementRefused | Interrupted:
        code = error.sqlstate or ""
        said = self._login.mask(" ".join((error.diag.message_primary or str(error)).split()))
        if not code and isinstance(error, psycopg.OperationalError):
            return self._without_code(error)(f"Postgres: {said}")
        if code == CANCELED:
            return TooSlow(f"Postgres broke off ({code}: {type(error).__name__})")
        if code in INTERRUPTED or code.startswith("08"):
            return Interrupted(f"Postgres broke off ({code}: {type(error).__name__})")
        # What a message says of values quotes rows.
        shown = said if code.startswith(SPEAKING) else type(error).__name__
        return StatementRefused(f"Postgres refused: {shown} ({code})" if code else f"Postgres refused: {shown}")

    def _without_code(self, error: psycopg.Error) -> type[StatementRefused] | type[Interrupted]:
        """What is not said by a server that reads statements: mostly that there is none, or that it lets nobody in."""
        said = str(error)
        is_open = hasattr(self, "_connection")
        if is_open:
            return Interrupted
        if any(word in said for word in _SECURITY):
            return Untrusted
        return StatementRefused if any(word in said for word in REFUSED) else Unreachable


def _arguments(place: DatabasePlace, login: Login, seconds: float) -> dict[str, Any]:
    settings = {
        "default_transaction_read_only": "on",
        "statement_timeout": int(seconds * 1000),
        "lock_timeout": LOCK_SECONDS * 1000,
        "idle_in_transaction_session_timeout": IDLE_SECONDS * 1000,
        "TimeZone": "UTC",
        "DateStyle": "ISO",
        "IntervalStyle": "postgres",
        "bytea_output": "hex",
        "extra_float_digits": 1,
    }
    given = {"host": place.host, "dbname": place.database, "user": login.user, "password": login.password}
    asked = dict(place.parameters)
    return {
        "connect_timeout": CONNECT_SECONDS,
        # Whoever names an authority has certificates checked; libpq would not, without a mode.
        **({"sslmode": "verify-ca"} if asked.get("sslrootcert", SYSTEM) != SYSTEM else {}),
        "tcp_user_timeout": UNACKNOWLEDGED_MS,
        **KEEPALIVE,
        **({} if "service" in asked and not place.host else {"port": place.port}),
        **{name: value for name, value in given.items() if value},
        **asked,
        "application_name": "embedmill",
        "client_encoding": "utf8",
        "options": " ".join(f"-c {name}={value}" for name, value in settings.items()),
    }


def _column(name: str, oid: int) -> Column:
    if oid in _LISTS:
        return Column(name, ColumnKind.LIST)
    known = _TYPES.get(oid)
    return (
        Column(name, _KINDS.get(known.name, ColumnKind.OTHER), known.name) if known else Column(name, ColumnKind.OTHER)
    )
