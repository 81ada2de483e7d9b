"""What a test run may share and a product may not: compiled statements, models of services, few authorities."""

import contextlib
import functools
import os
import shutil
import tempfile
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import certifi
from sqlalchemy import Connection, Engine, event, util
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

END = "-----END CERTIFICATE-----\n"
MEMORY = Path("/dev/shm")
ROOM = 4 * 2**30
"""Bytes that are free there, several times what a run takes."""


def write_to_memory() -> None:
    """Nobody needs files of tests after a crash of the machine: a disk would be waited for at every commit."""
    if "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM:
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None


def share_compiled_statements() -> None:
    """Every test has databases of its own, and each of them would compile the same statements again."""
    cache: Any = util.LRUCache(5000)

    def share(connection: Connection) -> None:
        connection.engine._compiled_cache = cache

    event.listen(Engine, "engine_connect", share)
    # A statement is kept by its dialect too, of which every engine has a new one.
    for dialect in (SQLiteDialect_pysqlite, PGDialect_psycopg):
        dialect.__hash__ = lambda self: hash(_sort(self))  # type: ignore[method-assign]
        dialect.__eq__ = lambda self, other: _sort(self) == _sort(other)  # type: ignore[method-assign]


def _sort(dialect: Any) -> Hashable:
    return type(dialect), getattr(dialect, "server_version_info", None)


def keep_sessions() -> None:
    """A new session with Postgres reads the catalogue of every table that it meets: one that is released is used again.

    One a server and kind is kept, and only by the process that opened it; a server that ended takes it along.
    """
    kept: dict[Hashable, Any] = {}
    close: Any = PGDialect_psycopg.do_close

    def use_again(dialect: Any, _record: Any, arguments: Any, options: Any) -> Any:
        if not isinstance(dialect, PGDialect_psycopg):
            return None
        told = {name: value for name, value in options.items() if name != "context"}
        key = os.getpid(), repr(arguments), repr(sorted(told.items()))
        session = kept.pop(key, None)
        if session is None or not _is_sound(session, dialect.loaded_dbapi.Error):
            session = dialect.connect(*arguments, **options)
        session._kept_as = key
        return session

    def keep(dialect: Any, session: Any) -> None:
        key = getattr(session, "_kept_as", None)
        if key is None or key[0] != os.getpid() or key in kept or not _is_idle(session):
            close(dialect, session)
        else:
            kept[key] = session

    event.listen(Engine, "do_connect", use_again)
    PGDialect_psycopg.do_close = keep  # type: ignore[method-assign]


def _is_idle(session: Any) -> bool:
    return not session.closed and session.info.transaction_status == 0


def _is_sound(session: Any, errors: type[Exception]) -> bool:
    """Whether a session answers; it is as new then, but for what it knows of tables."""
    try:
        session._prepared.clear()
        session.autocommit = True
        session.execute("RESET ALL; SELECT pg_advisory_unlock_all()")
        session.autocommit = False
    except errors:
        session.close()
        return False
    return True


def trust_one_authority(path: Path) -> None:
    """No test meets TLS, and every client of an SDK would read a hundred certificates first."""
    first, _, _ = Path(certifi.where()).read_text(encoding="utf-8").partition(END)
    path.write_text(first + END, encoding="utf-8")
    os.environ["SSL_CERT_FILE"] = str(path)


def share_service_models() -> None:
    """Every session of boto3 would read its megabytes of JSON again."""
    # The extras that need it may be missing.
    with contextlib.suppress(ImportError):
        import botocore.session

        botocore.session.create_loader = functools.cache(botocore.session.create_loader)
