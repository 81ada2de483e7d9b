"""A web site on 127.0.0.1, of one process: a table of what each address answers, and a record of what was asked."""

import gzip
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

HTML = "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Reply:
    """What an address answers; a body in pieces is sent without a length, for as long as somebody reads it."""

    body: bytes | Iterable[bytes] = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = HTML
    length: int | None = None
    """What is claimed, where it is not the truth."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: the address without the host, and headers in lower case."""

    path: str
    headers: Mapping[str, str]

    @property
    def host(self) -> str:
        return self.headers.get("host", "")


Answering = Reply | Callable[[Asked], Reply]


def html(body: str, *, head: str = "", title: str = "A page") -> bytes:
    """A page with that in it."""
    return f"<!doctype html><html><head><title>{title}</title>{head}</head><body>{body}</body></html>".encode()


def prose(about: str, *, words: int = 40) -> str:
    """A paragraph that no other subject has."""
    return f"<p>{' '.join(f'{about}{number}' for number in range(words))}</p>"


class Site:
    """The table and the record; names are given to the server as Host, as the resolver of a test says."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.reset()

    def reset(self) -> None:
        """Nothing is there, and nobody has asked."""
        self.replies: dict[str, Answering] = {}
        self.asked: list[Asked] = []
        self.fallback: Answering = Reply(b"not here", 404)

    @property
    def url(self) -> str:
        """Without a slash at its end."""
        return f"http://127.0.0.1:{self.port}"

    def at(self, path: str, answering: Answering | str | bytes, **more: Any) -> None:
        """What a path answers, for every host; `host/path` for one. Text is the body of a page."""
        if isinstance(answering, str):
            answering = html(answering, **more)
            more = {}
        self.replies[path] = Reply(answering, **more) if isinstance(answering, bytes) else answering

    def move(self, path: str, to: str, status: int = 301) -> None:
        """A redirect."""
        self.at(path, Reply(b"", status, {"Location": to}))

    def versioned(self, path: str, body: str, *, etag: str, **more: Any) -> None:
        """A page that answers 304 to whoever has that version."""

        def answer(asked: Asked) -> Reply:
            if asked.headers.get("if-none-match") == etag:
                return Reply(b"", 304, {"ETag": etag})
            return Reply(html(body, **more), headers={"ETag": etag})

        self.at(path, answer)

    def zipped(self, path: str, body: bytes, **more: Any) -> None:
        """A page that is compressed."""
        self.at(path, Reply(gzip.compress(body), headers={"Content-Encoding": "gzip"}, **more))

    def paths(self) -> list[str]:
        """What was asked, without robots.txt, sitemaps that nobody named, and made-up addresses."""
        return [each.path for each in self.asked if each.path in self.replies and each.path != "/robots.txt"]

    def answer(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        host = asked.host.partition(":")[0]
        found = self.replies.get(host + asked.path, self.replies.get(asked.path, self.fallback))
        return found if isinstance(found, Reply) else found(asked)


class _Handler(BaseHTTPRequestHandler):
    site: ClassVar[Site]
    protocol_version = "HTTP/1.1"
    timeout = 30
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.site.answer(Asked(self.path, headers))
        self.send_response_only(reply.status)
        self.send_header("Content-Type", reply.media_type)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if isinstance(reply.body, bytes):
            self._whole(reply.body, reply.length)
        else:
            self._pieces(reply.body)

    def _whole(self, body: bytes, length: int | None) -> None:
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = length is not None

    def _pieces(self, body: Iterable[bytes]) -> None:
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        for piece in body:
            self.wfile.write(piece)
            self.wfile.flush()

    def handle(self) -> None:
        with suppress(OSError):
            super().handle()

    def finish(self) -> None:
        with suppress(OSError):
            super().finish()


@contextmanager
def running() -> Iterator[Site]:
    """A server for as long as that lasts."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    _Handler.site = Site(server.server_address[1])
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield _Handler.site
    finally:
        server.shutdown()
        server.server_close()
