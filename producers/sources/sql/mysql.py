"""Reads MySQL and MariaDB: a page is one unbuffered statement, values as the server prints them."""

import re
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from decimal import Decimal
from typing import Any

import pymysql
from pymysql.constants import FIELD_TYPE
from pymysql.converters import encoders
from pymysql.cursors import SSCursor

from embedmill.producers.sources.sql.logins import Login
from embedmill.producers.sources.sql.places import DatabasePlace
from embedmill.producers.sources.sql.sessions import (
    GRACE_SECONDS,
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

CONNECT_SECONDS = 5
LOCK_SECONDS = 10
# An unbuffered result is cut after 60 s of a reader that does something else.
WRITE_SECONDS = 600
# Too many connections, shutdown, lock wait, deadlock, killed, and what the driver says of a server that was lost.
INTERRUPTED = frozenset([1040, 1053, 1205, 1213, 1927, 2002, 2003, 2006, 2013, 2014, 2055, 4031, 0])
# Interrupted, and the time limits of MariaDB and MySQL.
BROKEN_OFF = frozenset([1317, 1969, 3024])
# Server gone, or lost.
CUT = frozenset([2006, 2013])
# CR_SSL_CONNECTION_ERROR.
NO_TLS = 2026
SECURED = ("ssl_ca", "ssl_cert", "ssl_key")
# Messages about accounts, databases, tables, columns and syntax; all others may quote rows.
SPEAKING = frozenset([1044, 1045, 1046, 1049, 1054, 1060, 1064, 1104, 1142, 1143, 1146, 1248, 1305, 1370, 1792, 2061])

_KINDS = {
    FIELD_TYPE.TINY: ColumnKind.INTEGER,
    FIELD_TYPE.SHORT: ColumnKind.INTEGER,
    FIELD_TYPE.INT24: ColumnKind.INTEGER,
    FIELD_TYPE.LONG: ColumnKind.INTEGER,
    FIELD_TYPE.LONGLONG: ColumnKind.INTEGER,
    FIELD_TYPE.YEAR: ColumnKind.INTEGER,
    FIELD_TYPE.DECIMAL: ColumnKind.DECIMAL,
    FIELD_TYPE.NEWDECIMAL: ColumnKind.DECIMAL,
    FIELD_TYPE.FLOAT: ColumnKind.FLOAT,
    FIELD_TYPE.DOUBLE: ColumnKind.FLOAT,
    FIELD_TYPE.BIT: ColumnKind.BITS,
    FIELD_TYPE.JSON: ColumnKind.JSON,
    FIELD_TYPE.DATE: ColumnKind.MOMENT,
    FIELD_TYPE.NEWDATE: ColumnKind.MOMENT,
    FIELD_TYPE.DATETIME: ColumnKind.MOMENT,
    FIELD_TYPE.TIMESTAMP: ColumnKind.MOMENT,
    FIELD_TYPE.TIME: ColumnKind.OTHER,
}
# Rights to write, and to read and write files of the server.
RISKS = tuple("ALL FILE SUPER INSERT UPDATE DELETE CREATE DROP ALTER".split())
_GRANT = re.compile(r"GRANT (.+) ON ")
# What an installation of MariaDB gives to everybody, whoever reads.
_OF_ALL = re.compile(r" ON `test(\\?_%)?`\.\* TO PUBLIC\b")
_NUMBERS = {ColumnKind.INTEGER: int, ColumnKind.DECIMAL: Decimal, ColumnKind.FLOAT: float}
_PRIMARY = """
SELECT column_name FROM information_schema.statistics
WHERE table_schema = coalesce(%s, database()) AND table_name = %s AND index_name = 'PRIMARY' ORDER BY seq_in_index
"""
# MariaDB has no name of its own: where it keeps a table and since when are one table's.
_TABLE = """
SELECT concat_ws('/', @@hostname, @@port, @@datadir, table_schema, table_name, create_time)
FROM information_schema.tables WHERE table_schema = coalesce(%s, database()) AND table_name = %s
"""
_TABLE_OF_MYSQL = """
SELECT concat_ws('/', @@server_uuid, table_schema, table_name)
FROM information_schema.tables WHERE table_schema = coalesce(%s, database()) AND table_name = %s
"""
_UNIQUE = """
SELECT index_name, column_name FROM information_schema.statistics
WHERE table_schema = coalesce(%s, database()) AND table_name = %s AND non_unique = 0
"""


class MySqlSession(Session):
    """A connection that the server keeps from writing, and that no statement may hold for longer than it was told."""

    compares_rows = False

    def __init__(self, place: DatabasePlace, login: Login, *, seconds: float) -> None:
        super().__init__(seconds)
        self._login = login
        self._shows_certificate = "ssl_cert" in dict(place.parameters)
        with self._translating():
            way = _connect(place)
            self._wire = Wire(way.fileno())
            try:
                connection = pymysql.connect(**_arguments(place, login, seconds), defer_connect=True)
                connection.connect(way)
                self._connection = connection
                self._restrict()
            except BaseException:
                self._wire.close()
                way.close()
                raise

    def _restrict(self) -> None:
        is_mariadb = "mariadb" in self._connection.get_server_info().lower()
        limit = f"max_statement_time={self.seconds}" if is_mariadb else f"max_execution_time={int(self.seconds * 1000)}"
        with self._connection.cursor() as cursor:
            # Of the session: a transaction that is read-only lets through what commits it.
            cursor.execute("SET SESSION TRANSACTION READ ONLY")
            cursor.execute(
                f"SET SESSION {limit}, time_zone='+00:00', net_write_timeout={WRITE_SECONDS}, "
                f"lock_wait_timeout={LOCK_SECONDS}"
            )

    def execute(self, statement: str, parameters: Sequence[Any], *, streamed: bool) -> Any:
        with self._translating():
            cursor = self._connection.cursor(SSCursor if streamed else None)
            cursor.execute(statement, tuple(parameters))
            return cursor

    def fetch(self, cursor: Any, most: int) -> Sequence[Row]:
        with self._translating():
            return list(cursor.fetchmany(most) or ())

    def finish(self, cursor: Any) -> None:
        with self._translating():
            cursor.close()

    def close(self) -> None:
        # A result that was not read to its end would be read by a polite goodbye.
        self._wire.cut()
        with suppress(pymysql.Error, OSError):
            self._connection.close()
        self._wire.close()

    def cut(self) -> None:
        self._wire.cut()

    def quote(self, name: str) -> str:
        return f"`{name.replace('`', '``')}`".replace("%", "%%")

    def describe(self, relation: str) -> list[Column]:
        cursor = self.execute(f"SELECT * FROM {relation} LIMIT 0", (), streamed=False)
        found = [Column(name, _KINDS.get(code, ColumnKind.TEXT)) for name, code, *_ in cursor.description]
        self.finish(cursor)
        return found

    def find_key(self, table: Sequence[str]) -> list[str]:
        return [row[0] for row in self._catalogue(_PRIMARY, table)]

    def order_by(self, table: Sequence[str], columns: Sequence[Column]) -> list[str]:
        """A collation that takes two ids for one loses rows, unless the table lets no two such ids in."""
        indexes: dict[str, set[str]] = {}
        for name, column in self._catalogue(_UNIQUE, table) if table else ():
            indexes.setdefault(name, set()).add(column)
        if {column.name for column in columns} in indexes.values():
            return [self.quote(column.name) for column in columns]
        return [self._by_bytes(column) for column in columns]

    def _by_bytes(self, column: Column) -> str:
        name = self.quote(column.name)
        return f"CAST(CONVERT({name} USING utf8mb4) AS BINARY)" if column.kind is ColumnKind.TEXT else name

    def newer(self, column: Column) -> str:
        name = self.quote(column.name)
        if column.kind is ColumnKind.INTEGER:
            return f"({name} >= CAST(%s AS DECIMAL(30)) - CAST(%s AS DECIMAL(30)) OR {name} IS NULL)"
        return f"({name} >= CAST(%s AS DATETIME(6)) - INTERVAL %s SECOND OR {name} IS NULL OR {name} < '0001-01-01')"

    def newest(self, column: Column, relation: str) -> str:
        name = self.quote(column.name)
        past = f" WHERE {name} <= UTC_TIMESTAMP(6)" if column.kind is ColumnKind.MOMENT else ""
        return f"SELECT MAX({name}) FROM {relation}{past}"

    def find_risks(self) -> list[str]:
        granted = (str(row[0]) for rows in self.chunks("SHOW GRANTS", (), streamed=False) for row in rows)
        found = (found for line in granted if (found := _GRANT.match(line)) and not _OF_ALL.search(line))
        names = {name.strip() for match in found for name in match[1].split(",")}
        return sorted(name for name in names if name.startswith(RISKS))

    def digest(self, columns: Sequence[Column]) -> str:
        return f"MD5(CONCAT_WS(',', {', '.join(f'QUOTE({self.quote(column.name)})' for column in columns)}))"

    def size(self, column: Column) -> str:
        return "" if column.kind in SMALL else f"LENGTH({self.quote(column.name)})"

    def find_table(self, table: Sequence[str]) -> str:
        if not table:
            return self._find_server()
        for statement in (_TABLE_OF_MYSQL, _TABLE):
            with suppress(StatementRefused):
                return "".join(str(row[0]) for row in self._catalogue(statement, table))
        return ""

    def _find_server(self) -> str:
        with suppress(StatementRefused):
            return str(self.value("SELECT concat_ws('/', @@server_uuid, database())"))
        return ""

    def stand(self) -> Stand:
        with suppress(StatementRefused):
            return Stand("", str(self.value("SELECT @@global.gtid_current_pos") or ""))
        with suppress(StatementRefused):
            return Stand(
                str(self.value("SELECT @@server_uuid")), str(self.value("SELECT @@global.gtid_executed") or "")
            )
        return Stand()

    def is_behind(self, position: str) -> bool:
        now = self.stand().position
        if not now:
            return False
        if "-" in position and ":" not in position:
            return is_older(now, position)
        return str(self.value("SELECT GTID_SUBSET(%s, %s)", (position, now))) == "0"

    def bind(self, value: Any, kind: ColumnKind) -> Any:
        """Numbers as numbers: a number and a text are compared as floats, which know 15 digits."""
        return _NUMBERS[kind](value) if kind in _NUMBERS and isinstance(value, str) else value

    def _catalogue(self, statement: str, table: Sequence[str]) -> list[Row]:
        schema, name = (None, *table)[-2:]
        return [row for rows in self.chunks(statement, (schema, name), streamed=False) for row in rows]

    @contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except (pymysql.Error, OSError) as error:
            raise self._translated(error) from None

    def _translated(self, error: Exception) -> StatementRefused | Interrupted:
        code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        said = self._login.mask(" ".join(str(error.args[-1] if error.args else error).split()))
        cause = getattr(error, "original_exception", error)
        if isinstance(cause, ssl.SSLError) or code == NO_TLS:
            told = getattr(cause, "verify_message", "") or getattr(cause, "reason", "") or said
            return Untrusted(f"the MySQL server: no TLS between it and us: {told}")
        if code in CUT and self._shows_certificate and not hasattr(self, "_connection"):
            told = "the MySQL server ended the session when it was begun, as it does with a certificate that it rejects"
            return Untrusted(told)
        if isinstance(error, OSError) and not hasattr(self, "_connection"):
            return Unreachable(f"the MySQL server is away: {error.strerror or type(error).__name__}")
        if code in BROKEN_OFF:
            return TooSlow(f"the MySQL server broke off ({code})")
        if isinstance(error, OSError) or code in INTERRUPTED:
            return Interrupted(f"the MySQL server broke off or is away ({code or type(error).__name__})")
        shown = said if code in SPEAKING else type(error).__name__
        return StatementRefused(f"the MySQL server refused: {shown} ({code})")


def is_older(one: str, other: str) -> bool:
    """Whether MariaDB's position `0-1-57,1-1-3` (domain, server, number) is behind another in any of its domains."""
    numbers = {domain: int(number) for domain, _, number in (each.split("-") for each in one.split(",") if each)}
    wanted = (each.split("-") for each in other.split(",") if each)
    return any(numbers.get(domain, 0) < int(number) for domain, _, number in wanted)


def _connect(place: DatabasePlace) -> socket.socket:
    """A socket of our own: the driver's has no handle by which another thread could cut it."""
    path = dict(place.parameters).get("socket") or (place.host if place.host.startswith("/") else "")
    if not path:
        return socket.create_connection((place.host or "127.0.0.1", place.port), CONNECT_SECONDS)
    way = socket.socket(socket.AF_UNIX)
    way.settimeout(CONNECT_SECONDS)
    way.connect(path)
    return way


def _arguments(place: DatabasePlace, login: Login, seconds: float) -> dict[str, Any]:
    given = dict(place.parameters)
    secured: dict[str, Any] = {name: given[name] for name in SECURED if name in given}
    return {
        # Whom the certificate is of.
        "host": place.host or "localhost",
        "user": login.user or None,
        "password": login.password,
        "database": place.database or None,
        "charset": "utf8mb4",
        "autocommit": True,
        "local_infile": False,
        "conv": dict(encoders),
        "read_timeout": seconds + GRACE_SECONDS,
        "write_timeout": seconds + GRACE_SECONDS,
        "connect_timeout": CONNECT_SECONDS,
        **secured,
        **_verified(given.get("ssl_mode", "verify_ca" if "ssl_ca" in given else "")),
    }


def _unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _verified(mode: str) -> dict[str, Any]:
    """What MySQL's own clients mean by their modes; whoever names an authority has certificates checked."""
    match mode.lower().replace("-", "_"):
        case "" | "preferred":
            return {}
        case "disabled":
            return {"ssl_disabled": True}
        case "required":
            return {"ssl": _unverified()}
        case "verify_ca":
            return {"ssl_verify_cert": True}
        case "verify_identity":
            return {"ssl_verify_cert": True, "ssl_verify_identity": True}
    raise StatementRefused("ssl_mode is disabled, preferred, required, verify_ca or verify_identity")
