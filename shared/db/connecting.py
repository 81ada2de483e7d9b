"""How a database's sessions are made and set, by its URL."""

from collections.abc import Sequence
from pathlib import Path
from sqlite3 import Connection as SqliteConnection

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from embedmill.shared.db import postgres
from embedmill.shared.db.postgres import Sizing
from embedmill.shared.errors import MissingExtra, SettingsError
from embedmill.shared.sqlite_files import file_uri, has_room, is_writable

BUSY_TIMEOUT_MS = 30_000
_FILE = "sqlite:///"
URL_HINT = "Give postgresql://USER@HOST/DATABASE or sqlite:///FILE, or leave it empty for a file in the home."
# Else a file from 64 KB on, which a batch of documents exceeds at each of its transitions.
IN_MEMORY = "temp_store=MEMORY"
SUPPORTED = ("sqlite", "sqlite+pysqlite", "postgresql+psycopg")
PRAGMAS = (
    f"busy_timeout={BUSY_TIMEOUT_MS}",
    "journal_mode=WAL",
    "synchronous=NORMAL",
    "foreign_keys=ON",
    # Of each of a process's sessions, and forgotten whenever another process has written.
    "cache_size=-2000",
    # Libraries differ in what they begin with: what was deleted must not be left in free pages.
    "secure_delete=ON",
)


def parse_url(url: str) -> URL:
    """A URL; the path of a file is taken as it stands, because a folder's name may hold `?`, `#` or `%`."""
    path = url.removeprefix(_FILE)
    return make_url(url) if path == url else URL.create("sqlite", database=path)


def is_server(url: str) -> bool:
    """Whether a URL names a database that several hosts can share; raises SettingsError for one that means nothing."""
    return _read_url(url).get_backend_name() != "sqlite"


def _read_url(url: str) -> URL:
    """A URL of a database that there are statements for; raises SettingsError for any other."""
    try:
        parsed = postgres.normalise(parse_url(url))
    except ArgumentError:
        raise SettingsError("EMBEDMILL_DATABASE_URL is no address of a database", hint=URL_HINT) from None
    if parsed.drivername not in SUPPORTED:
        raise SettingsError(
            f"EMBEDMILL_DATABASE_URL: {parsed.drivername}:// is not supported",
            hint=URL_HINT,
        )
    return parsed


def find_folder(url: str) -> Path | None:
    """The folder of the file that a URL names; None for a server."""
    parsed = parse_url(url)
    return Path(parsed.database or "").parent if parsed.get_backend_name() == "sqlite" else None


def find_frozen_file(url: str) -> Path | None:
    """The file that a URL names, where it is there and cannot be written."""
    parsed = parse_url(url)
    return _frozen_file(parsed) if parsed.get_backend_name() == "sqlite" else None


def find_full_disk(url: str) -> Path | None:
    """The folder of the file that a URL names, where its disk has no room."""
    parsed = parse_url(url)
    folder = Path(parsed.database or "").parent
    return folder if parsed.get_backend_name() == "sqlite" and folder.is_dir() and not has_room(folder) else None


def _frozen_file(url: URL) -> Path | None:
    path = Path(url.database or "")
    return path if path.is_file() and not is_writable(path.parent) else None


def make_engine(url: str, *, begin: str, sizing: Sizing) -> Engine:
    """Sessions that begin their transactions as told; raises SettingsError, MissingExtra."""
    parsed = _read_url(url)
    try:
        if parsed.get_backend_name() == "sqlite":
            return _sqlite_engine(parsed, begin, sizing)
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


def _sqlite_engine(url: URL, begin: str, sizing: Sizing) -> Engine:
    """An engine on a file; on one that can only be read, where its folder cannot be written."""
    frozen = _frozen_file(url)
    opened = url.set(database=file_uri(frozen, mode="ro"), query={"uri": "true"}) if frozen else url
    engine = create_engine(opened, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000}, hide_parameters=True)
    pragmas = [pragma for pragma in PRAGMAS if not (frozen and "journal" in pragma)]
    _prepare_sqlite(engine, begin, [*pragmas, *([IN_MEMORY] if sizing.by_batches else [])])
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
