"""The benchmark of crawls: pages a second without a pause, against a bare loop of the same library, and peak memory.

`python -m bench crawl [--pages 2000] [--small 1000]` crawls a site of its own on 127.0.0.1, once anew and once more
when nothing has changed, through `embedmill submit`. The bare loop asks for the same pages and reads no links; the
site's own time is in both.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import ClassVar

import httpcore2

from bench.ingest import WORDS

TEXT_WORDS = 400
LINKS = 20


def main(arguments: Sequence[str] | None = None) -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description="Benchmark of crawls.")
    parser.add_argument("--pages", type=int, default=2000)
    # As many as fill two batches of a submission, the database's caches and a page of a walk through what is kept.
    parser.add_argument("--small", type=int, default=1000, help="pages whose peak memory is compared with")
    options = parser.parse_args(arguments)
    for name, value in measure(options.pages, small=options.small):
        print(f"{name:52} {value}", flush=True)


def measure(pages: int, *, small: int) -> Iterator[tuple[str, str]]:
    """(figure, value) rows."""
    with tempfile.TemporaryDirectory(prefix="embedmill-bench-") as folder:
        with Site(small) as site:
            _, few = _submit(f"{folder}/small", site.url)
        with Site(pages) as site:
            bare = _ask_all(site.url, pages)
            first, peak = _submit(f"{folder}/large", site.url)
            again, _ = _submit(f"{folder}/large", site.url)
    yield f"a bare loop over {pages:,} pages, seconds", f"{bare:.1f}"
    yield "crawled and submitted, seconds (ratio)", f"{first:.1f} ({first / bare:.1f})"
    yield "the same with nothing changed, seconds (ratio)", f"{again:.1f} ({again / bare:.1f})"
    yield f"peak memory at {small:,} / {pages:,} pages, MB", f"{few:.0f} / {peak:.0f}"
    yield "ratio of the two (target <= 1.1)", f"{peak / few:.2f}"


class Site:
    """A site in a process of its own: page n links to the next, and to some further on."""

    def __init__(self, pages: int) -> None:
        self._pages = pages

    def __enter__(self) -> "Site":
        ours, theirs = get_context("spawn").Pipe()
        self._process = get_context("spawn").Process(target=_serve, args=(self._pages, theirs), daemon=True)
        self._process.start()
        self.url = f"http://127.0.0.1:{ours.recv()}"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join()


def _serve(pages: int, parent: Connection) -> None:
    _SiteHandler.pages = pages
    server = ThreadingHTTPServer(("127.0.0.1", 0), _SiteHandler)
    parent.send(server.server_address[1])
    server.serve_forever()


class _SiteHandler(BaseHTTPRequestHandler):
    pages: ClassVar[int]
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        name = self.path[1:] or "0"
        number = int(name) if name.isdecimal() else self.pages
        etag = f'"{number}"'
        if number >= self.pages:
            self._answer(404, b"")
        elif self.headers["If-None-Match"] == etag:
            self._answer(304, b"", etag)
        else:
            self._answer(200, make_page(number, self.pages), etag)

    def _answer(self, status: int, body: bytes, etag: str = "") -> None:
        self.send_response_only(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        if etag:
            self.send_header("ETag", etag)
        self.end_headers()
        self.wfile.write(body)


def make_page(number: int, pages: int) -> bytes:
    """A page of some 4 KB, the same for the same number."""
    text = " ".join(WORDS[(number * 7 + place * (number + 1)) % len(WORDS)] for place in range(TEXT_WORDS))
    links = (f'<li><a href="/{(number + step * step) % pages}">to {step}</a>' for step in range(1, LINKS + 1))
    return f"<!doctype html><title>{number}</title><nav>{''.join(links)}</nav><main><p>{text}</main>".encode()


def _ask_all(url: str, pages: int) -> float:
    begun = time.perf_counter()
    with httpcore2.ConnectionPool() as pool:
        for number in range(pages):
            pool.request("GET", f"{url}/{number}")
    return time.perf_counter() - begun


def _submit(home: str, url: str) -> tuple[float, float]:
    """Wall seconds, interpreter start included, and peak memory in MB."""
    settings = {
        "EMBEDMILL_HOME": home,
        "EMBEDMILL_EMBEDDING": "hash",
        "EMBEDMILL_ALLOW_PRIVATE_ADDRESSES": "1",
        "EMBEDMILL_WEB_DELAY_SECONDS": "0",
    }
    command = [sys.executable, "-m", "embedmill.console", "submit", f"{url}/", "--crawl"]
    begun = time.perf_counter()
    process = subprocess.Popen(command, env={**os.environ, **settings}, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"submit ended with {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - begun, usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
