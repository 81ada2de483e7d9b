"""The pages of a crawl keep what every source promises."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

import pytest

from embedmill.producers import scanning
from embedmill.producers.scanning import SourceScan
from embedmill.producers.sources.base import Source
from embedmill.producers.sources.open import open_sources
from embedmill.producers.sources.options import Crawling, FileSelection, SourceOptions
from tests.contracts.sources import Desk, Killed, Shelf, SourceContract, desk, killed
from tests.producers.sources.web.crawling import FakeClock
from tests.services.site import Asked, Reply, Site
from tests.workers.conftest import runtime, tracker

__all__ = ["desk", "runtime", "tracker"]

SECRET = "planted-in-an-address"


class Pages(Shelf):
    """Pages to which a page leads that the patterns leave out."""

    odd = (
        "ä",
        "a b",
        "a+b",
        "a%2Bb",
        "x;y",
        "(x)",
        "q=1",
        "dir/x",
        "dir//x",
        "😀",
        "trailing%20",
        "UPPER",
        "upper",
        "~me",
        "a%2Fb",
    )
    secrets = (SECRET,)

    def __init__(self, site: Site) -> None:
        self.site = site
        self.clock = FakeClock()
        self.names: dict[str, str] = {}
        self._list()

    def put(self, name: str, text: str) -> None:
        path = f"/d/{_written(name)}"
        self.names[name] = path
        self.site.versioned(path, f"<h1>{text.split('.', maxsplit=1)[0]}</h1><p>{text}</p>", etag=f'"{hash(text)}"')
        self._list()

    def remove(self, name: str) -> None:
        del self.site.replies[self.names.pop(name)]
        self._list()

    def _list(self) -> None:
        links = "".join(f'<a href="{path}">x</a>' for path in self.names.values())
        self.site.at("/", f"<p>These are all.{links}")

    def open(self) -> Source:
        address = f"http://me:{SECRET}@127.0.0.1:{self.site.port}/"
        options = SourceOptions(crawling=Crawling(crawl=True), selection=FileSelection(include=("d/",)))
        (source,) = open_sources([address], options=options, stdin=None)  # type: ignore[arg-type]  # it names no list
        object.__setattr__(source, "clock", self.clock)
        return source

    def uri(self, name: str) -> str:
        return f"{self.site.url}/d/{_written(name)}"

    @contextmanager
    def away(self) -> Iterator[None]:
        replies, self.site.replies = self.site.replies, {}
        self.site.fallback = Reply(b"", 503)
        yield
        self.site.replies, self.site.fallback = replies, Reply(b"", 404)

    @contextmanager
    def spoiled(self, name: str) -> Iterator[None]:
        path = self.names[name]
        before = self.site.replies[path]
        self.site.at(path, Reply(b"", 500))
        yield
        self.site.replies[path] = before

    def count_reads(self) -> int:
        read = sum(asked.path in self.names.values() and not _was_kept(asked) for asked in self.site.asked)
        self.site.asked.clear()
        return read


def _written(name: str) -> str:
    return quote(name, safe="/%+;()=~!*'")


def _was_kept(asked: Asked) -> bool:
    return "if-none-match" in asked.headers


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBEDMILL_ALLOW_PRIVATE_ADDRESSES", "1")
    monkeypatch.setenv("EMBEDMILL_WEB_DELAY_SECONDS", "0")


class TestCrawledPages(SourceContract):
    @pytest.fixture
    def shelf(self, site: Site) -> Pages:
        return Pages(site)

    def test_a_crawl_that_was_killed_asks_nothing_twice_though_nothing_was_indexed(
        self, desk: Desk, shelf: Pages, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        expected = self.fill(shelf)
        with monkeypatch.context() as patch:
            patch.setattr(scanning, "BATCH_ITEMS", 2)
            patch.setattr(SourceScan, "record", killed(SourceScan.record, 2))
            with pytest.raises(Killed):
                desk.scan(shelf.open())
        shelf.count_reads()
        desk.ingest(shelf.open())
        assert shelf.count_reads() == len(expected) - 3, (
            "two batches of two, of which the last page is kept with the next"
        )
        self.require(desk, expected)
