"""Copies the tracking database as it is at one moment, and fills an empty one from such a copy.

A file of SQLite is copied by its own backup. Of a server, every table is copied within one view, in COPY's text format:
it needs no program beside the driver, and is read by every later version of the server.
"""

import gzip
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from embedmill.shared.db.connecting import parse_url
from embedmill.shared.db.engine import Database
from embedmill.shared.db.manifest import list_referenced_objects
from embedmill.shared.db.schema import metadata
from embedmill.shared.errors import HomeInUse, StorageFailed
from embedmill.shared.sqlite_files import copy_file

FILE = "tracking.db"
TABLES = "tables"
OF_A_SESSION = ("receipt", "worker", "supervisor", "chore")
"""What tells of processes, which are gone when a copy is read."""
CACHE = ("embedding", "embedding_entry", "embedding_damage")
"""Tables of the cache of vectors, which are no migration's."""
CHUNK_BYTES = 2**20
_WORD = re.compile("[a-z_0-9]+")


@contextmanager
def dump(database: Database, folder: Path) -> Iterator[set[str]]:
    """Write a copy into a folder; yields the stored objects that it refers to, while the view lasts."""
    if database.is_sqlite:
        yield _copy_file(database, folder / FILE)
        return
    (folder / TABLES).mkdir()
    with database.read() as connection:
        known = _list_tables(connection)
        for name in sorted(known - set(OF_A_SESSION)):
            _copy_out(connection, name, folder / TABLES / f"{name}.gz")
        yield list_referenced_objects(connection)


def _copy_file(database: Database, path: Path) -> set[str]:
    source = Path(parse_url(database.url).database or "")
    copy_file(source, path)
    copy = Database(f"sqlite:///{path}")
    try:
        return copy.query(list_referenced_objects)
    finally:
        copy.close()


def _list_tables(connection: Connection) -> set[str]:
    found = connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"))
    ours = {*metadata.tables, *CACHE, "alembic_version"}
    # Others' tables may be in the same schema.
    return {row[0] for row in found if row[0] in ours}


def _copy_out(connection: Connection, table: str, path: Path) -> None:
    columns = ", ".join(_list_columns(connection, table))
    cursor = _driver(connection).cursor()
    with gzip.open(path, "wb", compresslevel=1) as file, cursor.copy(f'COPY "{table}" ({columns}) TO STDOUT') as rows:
        file.write(f"{columns}\n".encode())
        for data in rows:
            file.write(data)


def _list_columns(connection: Connection, table: str) -> list[str]:
    query = text(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = current_schema() "
        "AND table_name = :table AND is_generated = 'NEVER' ORDER BY ordinal_position"
    )
    return [f'"{row[0]}"' for row in connection.execute(query, {"table": table})]


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection


def require_empty(database: Database) -> None:
    """Raise HomeInUse where a server's database has anything of ours in it."""
    if database.find_revision() is not None:
        raise HomeInUse("the database has tables of an installation", hint="Restore into an empty database.")


def load(database: Database, folder: Path) -> None:
    """Fill the tables of a database that was migrated to the copy's schema, all or nothing."""
    with database.write() as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        files = {path.name.removesuffix(".gz"): path for path in (folder / TABLES).glob("*.gz")}
        ordered = [table.name for table in metadata.sorted_tables if table.name in files]
        rest = sorted(files.keys() - set(ordered) - {"alembic_version"})
        with _without_triggers(connection, ordered):
            for name in (*ordered, *rest):
                _copy_in(connection, name, files[name])
        _restart_sequences(connection, ordered)


@contextmanager
def _without_triggers(connection: Connection, tables: Sequence[str]) -> Iterator[None]:
    """What triggers keep is in the copy already."""
    for state in ("DISABLE", "ENABLE"):
        for name in tables:
            connection.execute(text(f'ALTER TABLE "{name}" {state} TRIGGER USER'))
        if state == "DISABLE":
            # What a migration has put there is in the copy, too.
            connection.execute(text(f"TRUNCATE {', '.join(f'{chr(34)}{name}{chr(34)}' for name in tables)} CASCADE"))
            yield


def _copy_in(connection: Connection, table: str, path: Path) -> None:
    cursor = _driver(connection).cursor()
    with gzip.open(path, "rb") as file:
        columns = file.readline().decode().strip()
        if not _WORD.fullmatch(table) or not all(_WORD.fullmatch(c.strip('"')) for c in columns.split(", ")):
            raise StorageFailed(f"{path} is no table of a backup")
        with cursor.copy(f'COPY "{table}" ({columns}) FROM STDIN') as rows:
            while data := file.read(CHUNK_BYTES):
                rows.write(data)


def _restart_sequences(connection: Connection, tables: Sequence[str]) -> None:
    for name in (name for name in tables if "id" in metadata.tables[name].c):
        sequence = connection.execute(text("SELECT pg_get_serial_sequence(:table, 'id')"), {"table": f'"{name}"'})
        if found := sequence.scalar():
            query = f'SELECT setval(:sequence, coalesce(max(id), 0) + 1, false) FROM "{name}"'
            connection.execute(text(query), {"sequence": found})


def forget_processes(connection: Connection) -> None:
    """Processes of the installation that was copied are none of this one."""
    for name in OF_A_SESSION:
        connection.execute(metadata.tables[name].delete())


def read_counts(connection: Connection) -> Mapping[str, int]:
    """How many rows the tables have that a backup is compared by."""
    names = ("collection", "document", "work", "usage")
    return {name: int(connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one()) for name in names}
