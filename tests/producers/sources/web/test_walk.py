"""A random walk over a site: what is there is in the index, what is gone leaves, and what nobody knows stays."""

from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

import pytest

from embedmill.producers import scanning
from embedmill.producers.scanning import SourceScan
from embedmill.producers.sources.base import Source
from embedmill.producers.sources.open import open_sources
from embedmill.producers.sources.options import Crawling, FileSelection, SourceOptions
from tests.contracts.sources import Desk, Killed, desk, killed
from tests.corpus import text_of
from tests.producers.sources.web.crawling import FakeClock
from tests.services.site import Reply, Site
from tests.workers.conftest import runtime, tracker

__all__ = ["desk", "runtime", "tracker"]

PAGES = [f"/d/{number}" for number in range(10)]
GONE, BROKEN, WALL = Reply(b"", 404), Reply(b"", 500), "<h1>Please log in</h1>"


@dataclass
class Walk:
    """A site, and what the index has to have of it: each page's text, or what it was when it was last known."""

    site: Site
    desk: Desk
    monkeypatch: pytest.MonkeyPatch
    random: Random
    clock: FakeClock = field(default_factory=FakeClock)
    there: dict[str, str] = field(default_factory=dict)
    bad: set[str] = field(default_factory=set)
    linked: set[str] = field(default_factory=set)
    known: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for path in PAGES:
            self.write(path)

    def change(self) -> None:
        changes = (self.write, self.write, self.remove, self.spoil, self.hide)
        for path in self.random.sample(PAGES, 3):
            self.random.choice(changes)(path)
        links = "".join(f'<a href="{path}">x</a>' for path in sorted(self.linked))
        self.site.at("/", f"<p>These are all.{links}")

    def write(self, path: str) -> None:
        self.there[path] = text_of(self.random.randrange(40))
        self.bad.discard(path)
        self.linked.add(path)
        etag = f'"{hash(self.there[path])}"'
        self.site.versioned(path, f"<p>{self.there[path]}</p>", etag=etag)

    def remove(self, path: str) -> None:
        self.there.pop(path, None)
        self.bad.discard(path)
        self.site.at(path, GONE)

    def spoil(self, path: str) -> None:
        """What was there may be there, for all that anybody knows."""
        if path in self.there:
            self.bad.add(path)
            self.site.at(path, self.random.choice((BROKEN, WALL)))

    def hide(self, path: str) -> None:
        self.linked.discard(path)

    def source(self, **limits: int) -> Source:
        options = SourceOptions(crawling=Crawling(crawl=True, **limits), selection=FileSelection(include=("d/",)))
        (source,) = open_sources([self.site.url + "/"], options=options, stdin=None)  # type: ignore[arg-type]
        object.__setattr__(source, "clock", self.clock)
        return source

    def read(self) -> None:
        self.random.choice((self.read_whole, self.read_whole, self.read_killed, self.read_away, self.read_part))()
        self.clock.seconds += 3600

    def read_whole(self) -> None:
        self.desk.ingest(self.source(), allow_deletes=True)
        read = {path: text for path, text in self.there.items() if path not in self.bad}
        met = {path: text for path, text in read.items() if path in self.linked or path in self.known}
        kept = {path: text for path, text in self.known.items() if path in self.bad}
        self.known = met | kept
        self.require()

    def read_killed(self) -> None:
        with self.monkeypatch.context() as patch, suppress(Killed):
            patch.setattr(SourceScan, "record", killed(SourceScan.record, self.random.randrange(4)))
            self.desk.scan(self.source(), allow_deletes=True)
        self.read_whole()

    def read_away(self) -> None:
        """Nothing changes when nobody answers."""
        replies, self.site.replies = self.site.replies, {}
        self.site.fallback = BROKEN
        self.desk.ingest(self.source(), allow_deletes=True)
        self.site.replies, self.site.fallback = replies, GONE
        self.require()

    def read_part(self) -> None:
        """What was not asked stays, also what is gone; the whole is read then."""
        self.desk.ingest(self.source(max_pages=4), allow_deletes=True)
        assert {self.site.url + path for path in self.known} <= self.desk.indexed().keys()
        self.read_whole()

    def require(self) -> None:
        found = self.desk.indexed()
        assert found.keys() == {self.site.url + path for path in self.known}
        for path, text in self.known.items():
            assert text.split(".")[0] in found[self.site.url + path]


def walk(site: Site, desk: Desk, monkeypatch: pytest.MonkeyPatch, *, seed: int, readings: int) -> None:
    monkeypatch.setattr(scanning, "BATCH_ITEMS", 3)
    walk = Walk(site, desk, monkeypatch, Random(seed))
    for _ in range(readings):
        walk.change()
        walk.read()
    walk.read_whole()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBEDMILL_ALLOW_PRIVATE_ADDRESSES", "1")
    monkeypatch.setenv("EMBEDMILL_WEB_DELAY_SECONDS", "0")


def test_a_short_walk_ends_with_what_is_on_the_site(site: Site, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    walk(site, desk, monkeypatch, seed=3, readings=5)


@pytest.mark.chaos
@pytest.mark.parametrize("seed", range(5))
def test_a_long_walk_does_too(site: Site, desk: Desk, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    walk(site, desk, monkeypatch, seed=100 + seed, readings=60)
