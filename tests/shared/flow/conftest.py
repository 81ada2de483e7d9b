"""Where shared state is kept: the tracking database on both engines, and a Redis of this host."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.shared.db.conftest import postgres_server, postgres_url  # noqa: F401 - fixtures
from tests.waiting import wait_until

SERVERS = ("redis-server", "valkey-server")


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One server for the session, on a free port."""
    program = next((found for name in SERVERS if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("install redis-server or valkey-server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("redis")
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder)]
    process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: _answers(port), "Redis answers")
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait()


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@pytest.fixture(params=["sqlite", "postgres", "redis"])
def state_urls(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """(database URL, limits URL) of a fresh store of each kind."""
    sqlite = f"sqlite:///{tmp_path / 'tracking.db'}"
    match request.param:
        case "postgres":
            from tests.shared.db.conftest import empty

            url: str = request.getfixturevalue("postgres_url")
            empty(url)
            return url, ""
        case "redis":
            import redis

            url = request.getfixturevalue("redis_url")
            client = redis.Redis.from_url(url)
            client.flushall()
            client.close()
            return sqlite, url
    return sqlite, ""
