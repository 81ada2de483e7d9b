"""An HTTP proxy before moto: it can refuse connections, and answer the next receives with an error of SQS."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from tests.services.needed import free_port

ERRORS = {
    503: ("ServiceUnavailable", "the service is overloaded"),
    400: ("RequestThrottled", "slow down"),
    403: ("AccessDenied", "not allowed to receive"),
}


class Proxy:
    """Passes requests on to `target` until it is told otherwise."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.port = free_port()
        self._errors: list[int] = []
        self._lock = threading.Lock()
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def fail_next(self, status: int, *, times: int = 1) -> None:
        """Answer the next receives with an error."""
        with self._lock:
            self._errors += [status] * times

    @property
    def due(self) -> int:
        """How many errors nobody has met yet."""
        return len(self._errors)

    def next_error(self) -> int | None:
        """The error that is due for a receive now."""
        with self._lock:
            return self._errors.pop() if self._errors else None

    def start(self) -> None:
        """Listen."""
        handler = type("Handler", (_Handler,), {"proxy": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        """Refuse connections from now on; those that are open are cut with their next request."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    @property
    def is_up(self) -> bool:
        """Whether it answers."""
        return self._server is not None


class _Handler(BaseHTTPRequestHandler):
    proxy: ClassVar[Proxy]
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self.proxy.is_up:
            self.close_connection = True
            return
        receives = self.headers.get("X-Amz-Target", "").endswith("ReceiveMessage")
        status = self.proxy.next_error() if receives else None
        if status is None:
            self._answer(*self._forward(body))
        else:
            code, message = ERRORS[status]
            self._answer(status, json.dumps({"__type": code, "message": message}).encode())

    def _forward(self, body: bytes) -> tuple[int, bytes]:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
        request = urllib.request.Request(self.proxy.target + self.path, data=body, headers=headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def _answer(self, status: int, body: bytes) -> None:
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *arguments: object) -> None:
        """Silence."""


@contextmanager
def running_proxy(target: str) -> Iterator[Proxy]:
    """A proxy that listens until the block ends."""
    proxy = Proxy(target)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
