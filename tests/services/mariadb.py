"""A MariaDB for tests: that of TEST_MYSQL_URL, else a server of this host's programs, else of Debian's packages.

The packages are downloaded by apt and unpacked into a folder of the user's cache, so nobody has to be root. All tests
of a process share one server, each with a database of its own (`running_database`). It listens on a loopback port.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.services.certificates import Authority
from tests.services.needed import free_port
from tests.waiting import wait_until

PACKAGES = ("mariadb-server-core", "mariadb-client-core", "libaio1", "liburing2", "libnuma1")
NEEDED = ("sbin/mariadbd", "bin/mariadb-install-db", "bin/my_print_defaults")
SETTINGS = (
    "--skip-name-resolve",
    "--performance-schema=OFF",
    "--innodb-buffer-pool-size=64M",
    "--innodb-log-file-size=8M",
    "--innodb-flush-log-at-trx-commit=0",
    "--character-set-server=utf8mb4",
)
UNPACK_SECONDS = 120


def why_not() -> str | None:
    """Why no MariaDB can be had here, or None when one can."""
    if os.environ.get("TEST_MYSQL_URL") or _root() is not None:
        return None
    return "set TEST_MYSQL_URL, install mariadb-server-core and mariadb-client-core, or have apt know where they are"


class Server:
    """A server by the URL of an account that may do everything, and one of its databases."""

    def __init__(self, url: str) -> None:
        self.url = url

    @property
    def port(self) -> int:
        """Where it listens on this host."""
        return urlsplit(self.url).port or 3306

    @property
    def database(self) -> str:
        """The name of the database."""
        return urlsplit(self.url).path[1:]

    def connect(self) -> Any:
        """A new connection that commits each statement."""
        import pymysql

        parts = urlsplit(self.url)
        login = {"user": parts.username or "root", "password": parts.password or "", "charset": "utf8mb4"}
        place = {"host": parts.hostname or "127.0.0.1", "port": self.port, "database": self.database or None}
        return pymysql.connect(**login, **place, autocommit=True)

    def execute(self, *statements: str) -> None:
        """Run statements one after another."""
        with self.connect() as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)


class OwnServer(Server):
    """A server in a folder of its own."""

    def __init__(self, folder: Path, root: Path) -> None:
        super().__init__(f"mysql://root@127.0.0.1:{free_port()}/")
        self.folder = folder
        self.authority = Authority(folder)
        self._root = root
        self._process: subprocess.Popen[bytes] | None = None

    def create(self) -> None:
        """Make the data folder; root may then log in without a password from this host."""
        made = ["--auth-root-authentication-method=normal", "--skip-test-db", f"--basedir={self._root}/usr"]
        program = self._root / "usr/bin/mariadb-install-db"
        subprocess.run([program, *self._options, *made, *SETTINGS], **self._quiet, check=True)

    def start(self) -> None:
        """Start and wait until it accepts connections, of which those over TCP may be by TLS."""
        certificate, key = self.authority.issue("server")
        tls = [f"--ssl-ca={self.authority.file}", f"--ssl-cert={certificate}", f"--ssl-key={key}"]
        net = [f"--port={self.port}", "--bind-address=127.0.0.1", f"--socket={self.folder}/s"]
        files = [f"--pid-file={self.folder}/pid", f"--log-error={self.folder}/log"]
        messages = f"--lc-messages-dir={self._root}/usr/share/mysql"
        program = self._root / "usr/sbin/mariadbd"
        options = [*self._options, *net, *files, messages, *tls, *SETTINGS]
        self._process = subprocess.Popen([program, *options], **self._quiet)
        wait_until(self._answers, "MariaDB answers")

    def stop(self) -> None:
        """As a crash does."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(timeout=30)
            self._process = None

    @property
    def _options(self) -> list[str]:
        user = ["--user=root"] if os.geteuid() == 0 else []
        return ["--no-defaults", f"--datadir={self.folder}/data", f"--tmpdir={self.folder}", *user]

    @property
    def _quiet(self) -> dict[str, Any]:
        libraries = {"LD_LIBRARY_PATH": str(next((self._root / "usr/lib").glob("*-linux-gnu")))}
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return {**streams, "cwd": self.folder, "env": os.environ | libraries}

    def _answers(self) -> bool:
        import pymysql

        with suppress(pymysql.err.OperationalError), self.connect():
            return True
        return False


_shared: list[OwnServer] = []
_numbers = count(1)


@contextmanager
def running_database() -> Iterator[Server]:
    """An empty database on the server that this process shares."""
    server = Server(os.environ["TEST_MYSQL_URL"]) if "TEST_MYSQL_URL" in os.environ else share()
    name = f"test_{os.getpid()}_{next(_numbers)}"
    server.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    try:
        yield Server(urlsplit(server.url)._replace(path=f"/{name}").geturl())
    finally:
        server.execute(f"DROP DATABASE {name}")


def share() -> OwnServer:
    """The server of this process's tests, which all of them use and none may stop."""
    if not _shared:
        root = _root()
        assert root is not None
        server = OwnServer(Path(tempfile.mkdtemp(prefix="embedmill-mariadb-")), root)
        _shared.append(server)
        server.create()
        server.start()
    return _shared[0]


def stop_shared() -> None:
    """At the end of a process's tests."""
    while _shared:
        server = _shared.pop()
        server.stop()
        shutil.rmtree(server.folder, ignore_errors=True)


@cache
def _root() -> Path | None:
    """The folder below which `usr` has the programs."""
    cached = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "embedmill-tests" / "mariadb"
    if not _serves(Path("/")) and not _serves(cached) and shutil.which("apt-get"):
        _unpack(cached)
    return next((root for root in (Path("/"), cached) if _serves(root)), None)


def _serves(root: Path) -> bool:
    return all((root / "usr" / name).exists() for name in NEEDED)


def _unpack(folder: Path) -> None:
    """Download the packages and unpack them; a folder that is half made never has the name that is looked for."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, ignore_cleanup_errors=True) as made:
        quiet = {"cwd": made, "capture_output": True, "timeout": UNPACK_SECONDS}
        subprocess.run(["apt-get", "download", *PACKAGES], check=False, **quiet)  # type: ignore[call-overload]
        for package in Path(made).glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", package, "root"], check=False, **quiet)  # type: ignore[call-overload]
        with suppress(OSError):
            (Path(made) / "root").rename(folder)
