"""Crawls of the test site as a scan has them: a memory and claims that last, and a clock that nobody waits for."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from embedmill.producers.sources.base import Departed, HeldItem, Item, Kept, Problem, ReadContext, Remark, Skipped
from embedmill.producers.sources.memory import Memory
from embedmill.producers.sources.open import open_sources
from embedmill.producers.sources.options import Crawling, FileSelection, SourceOptions
from embedmill.producers.sources.web.politeness import WebClock
from embedmill.producers.sources.web.source import WebSource
from embedmill.shared.configuration import load_settings
from embedmill.shared.settings import Settings
from tests.services.site import Site


class FakeClock(WebClock):
    """Moves when somebody waits, and is otherwise moved by tests."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0
        self.waits: list[float] = []

    def now(self) -> float:
        return self.seconds

    def elapsed(self) -> float:
        return self.seconds

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.seconds += seconds


@dataclass
class Reader:
    """Reads one source again and again; `index` has the data of the documents that it claims, by path."""

    source: WebSource
    site: Site
    clock: FakeClock
    settings: Settings
    memory: Memory = field(default_factory=Memory)
    index: dict[str, bytes] = field(default_factory=dict)
    items: list[Item | Remark] = field(default_factory=list)

    def read(self, *, most: int | None = None, limit: int | None = None) -> "Reader":
        """One reading; it is killed after `most` items."""
        self.site.asked.clear()
        self.items = []
        context = ReadContext(self.memory, limit, self._settled, settings=self.settings)
        reading = cast("Generator[Item | Remark]", self.source.scan(context))
        for item in reading:
            self.items.append(item)
            if most is not None and len(self.items) >= most:
                break
        reading.close()
        for item in self.items:
            match item:
                case HeldItem():
                    self.index[item.uri] = item.data
                case Departed():
                    self.index.pop(item.uri, None)
                case Kept():
                    assert item.uri in self.index, f"{item} is kept and was never there"
        return self

    def _settled(self, uris: Sequence[str]) -> frozenset[str]:
        return frozenset(uri for uri in uris if uri in self.index)

    def path(self, uri: str) -> str:
        return uri.removeprefix(self.site.url)

    @property
    def pages(self) -> list[str]:
        """The paths of all documents."""
        return sorted(self.path(uri) for uri in self.index)

    def of(self, kind: type[HeldItem | Kept | Departed]) -> list[str]:
        """The paths of items of a kind, in order."""
        return [self.path(item.uri) for item in self.items if isinstance(item, kind)]

    def reasons(self, kind: type[Kept | Departed | Skipped | Problem | Remark]) -> dict[str, str]:
        """What is said of them."""
        return {self.path(item.uri): item.reason for item in self.items if isinstance(item, kind) and item.reason}

    @property
    def remarks(self) -> str:
        """All remarks in one text."""
        return "\n".join(item.reason for item in self.items if isinstance(item, Remark))


def reader(
    site: Site,
    path: str = "/",
    *,
    asked: str = "",
    selection: FileSelection | None = None,
    allow: str = "1",
    **how: Any,
) -> Reader:
    """A reader of a page of the site, or of a whole address."""
    crawling = Crawling(**{"max_pages": 500, **how})
    clock = FakeClock()
    (source,) = open_sources(
        [asked or site.url + path],
        options=SourceOptions(crawling=crawling, selection=selection or FileSelection()),
        stdin=None,  # type: ignore[arg-type]  # no list is read from it
    )
    assert isinstance(source, WebSource)
    object.__setattr__(source, "clock", clock)
    return Reader(source, site, clock, load_settings(allow_private_addresses=allow, web_delay_seconds=0.0))
