"""An SQS and S3 protocol server for tests: that of TEST_SQS_ENDPOINT, else moto in a process of its own.

All tests of a process share one, of which each begins with nothing: to load it takes a second.
"""

import importlib.util
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.error import URLError

from tests.services.needed import free_port
from tests.waiting import wait_until

# moto accepts any; real credentials of whoever runs the tests must not reach it.
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


def why_not() -> str | None:
    """Why no such server can be had here, or None when one can."""
    if os.environ.get("TEST_SQS_ENDPOINT") or importlib.util.find_spec("moto"):
        return None
    return "set TEST_SQS_ENDPOINT, or install moto"


class Server:
    """An endpoint; moto's calls get slower with every message that waits, so keep queues under 200."""

    def __init__(self, url: str) -> None:
        self.url = url

    @property
    def environment(self) -> dict[str, str]:
        """Variables that lead the AWS SDK of a process here."""
        return {"AWS_ENDPOINT_URL": self.url, **CREDENTIALS}

    def client(self, service: str) -> Any:
        """The SDK's client for a service here."""
        import boto3

        session = boto3.Session(
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            region_name=CREDENTIALS["AWS_DEFAULT_REGION"],
        )
        return session.client(service, endpoint_url=self.url)

    def wipe(self) -> None:
        """Forget every queue and bucket."""
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}/moto-api/reset", method="POST"), timeout=10):
            pass


_shared: list[tuple[subprocess.Popen[bytes], Server]] = []


@contextmanager
def running_server() -> Iterator[Server]:
    """A server that answers and holds nothing; our own is one for all tests of this process, and none may stop it."""
    given = os.environ.get("TEST_SQS_ENDPOINT")
    if given:
        yield Server(given.rstrip("/"))
        return
    if not _shared:
        _shared.append(_start())
    (_, server), *_ = _shared
    server.wipe()
    yield server


def stop_shared() -> None:
    """At the end of a process's tests."""
    while _shared:
        _kill(_shared.pop()[0])


def _start() -> tuple[subprocess.Popen[bytes], Server]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", "from moto.server import main; main()", "-H", "127.0.0.1", "-p", str(port)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **CREDENTIALS},
    )
    server = Server(f"http://127.0.0.1:{port}")
    try:
        wait_until(lambda: _answers(server.url), "moto answers", every=0.1)
    except BaseException:
        _kill(process)
        raise
    return process, server


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def _answers(url: str) -> bool:
    with suppress(URLError, ConnectionError), urllib.request.urlopen(f"{url}/moto-api/", timeout=5) as answer:
        return bool(answer.status == 200)
    return False
