"""A web site as a source: a page, the pages of a sitemap or a feed, or what a crawl meets from there."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, ClassVar, Self

from embedmill.producers.sources.base import Item, ReadContext, Source, Spec
from embedmill.producers.sources.globs import compile_globs
from embedmill.producers.sources.options import SourceOptions
from embedmill.shared import VERSION
from embedmill.shared.configuration import load_settings
from embedmill.shared.errors import MissingExtra, UsageError
from embedmill.shared.settings import Settings

if TYPE_CHECKING:
    from embedmill.producers.sources.web.addresses import NamedAddress
    from embedmill.producers.sources.web.client import Client
    from embedmill.producers.sources.web.politeness import WebClock
    from embedmill.producers.sources.web.progress import CrawlTask

MIB = 1024 * 1024
_PACKAGES = ("httpcore2", "protego", "w3lib", "feedparser")


@dataclass(frozen=True, slots=True)
class WebSource(Source):
    """What is read from an address on; `asked` and `authorization` may let somebody in, and are nowhere kept."""

    kind: ClassVar[str] = "https"
    # That nothing leads to a page proves nothing: departures are proven page by page.
    detects_deletions: ClassVar[bool] = False
    hides_only_below: ClassVar[bool] = True
    prefix: ClassVar[str] = "//"
    takes: ClassVar[tuple[str, ...]] = ("crawl", "max_pages", "max_depth", "include", "exclude")
    empty: ClassVar[str] = "no page of it is a document"

    address: str
    crawl: bool = False
    max_pages: int = 10_000
    max_depth: int = 50
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    asked: str = field(default="", compare=False, repr=False)
    authorization: str = field(default="", compare=False, repr=False)
    clock: "WebClock | None" = field(default=None, compare=False, repr=False)

    @classmethod
    def open(cls, url: str, options: SourceOptions) -> Self:
        named = _read_named(url)
        asked, selection = options.crawling, options.selection
        if asked.max_pages < 1 or asked.max_depth < 0:
            raise UsageError("--max-pages is at least 1, and --max-depth at least 0")
        compile_globs(selection.include, selection.exclude)
        return cls(
            named.link.address,
            asked.crawl,
            asked.max_pages,
            asked.max_depth,
            selection.include,
            selection.exclude,
            named.link.asked,
            named.authorization,
        )

    @classmethod
    def from_spec(cls, spec: Spec) -> Self:
        return cls(
            spec["uri"],
            bool(spec.get("crawl")),
            int(spec.get("max_pages", 10_000)),
            int(spec.get("max_depth", 50)),
            tuple(spec.get("include", ())),
            tuple(spec.get("exclude", ())),
        )

    @property
    def holds_secret(self) -> bool:
        """Whether its address had a password, a signature or a token."""
        return bool(self.authorization) or self.asked not in ("", self.address)

    @property
    def without_secret(self) -> str:
        return "EMBEDMILL_WEB_LOGINS and the address without the login" if self.authorization else ""

    @property
    def spec(self) -> Spec:
        limits = {"max_pages": self.max_pages, "max_depth": self.max_depth}
        return {**self._what, **limits}

    @property
    def identity(self) -> str:
        """What is read; how much of it may change while it is the same source."""
        return json.dumps(self._what, sort_keys=True, separators=(",", ":"))

    @property
    def _what(self) -> Spec:
        chosen = {"crawl": self.crawl, "include": list(self.include), "exclude": list(self.exclude)}
        return {"kind": self.kind, "uri": self.address, **{name: value for name, value in chosen.items() if value}}

    def read(self, context: ReadContext) -> Iterator[Item]:
        from embedmill.producers.sources.web.addresses import site
        from embedmill.producers.sources.web.crawl import Crawl
        from embedmill.producers.sources.web.fetching import Fetcher
        from embedmill.producers.sources.web.politeness import Queue, WebClock
        from embedmill.producers.sources.web.progress import CrawlProgress
        from embedmill.producers.sources.web.reach import CrawlLimits, SiteReach

        settings = context.settings or load_settings()
        clock = self.clock or WebClock()
        reach = SiteReach(
            site(self.asked or self.address),
            CrawlLimits(self.max_pages, self.max_depth),
            compile_globs(self.include, self.exclude),
            datetime.fromtimestamp(clock.now(), UTC).year,
        )
        with self._client(settings) as client:
            queue = Queue(clock, pause_seconds=settings.web_delay_seconds, turns=context.turns)
            progress = CrawlProgress(self._task(settings), context, reach, clock, queue)
            yield from Crawl(progress, Fetcher(client, clock.now)).run()

    def _client(self, settings: Settings) -> "Client":
        from embedmill.producers.sources.web.addresses import authorization, origin
        from embedmill.producers.sources.web.client import Client, RequestBounds
        from embedmill.producers.sources.web.guard import Allowed

        contact = f" (+{settings.web_contact})" if settings.web_contact else ""
        return Client(
            f"Embedmill/{VERSION}{contact}",
            Allowed.parse(settings.allow_private_addresses),
            RequestBounds(seconds=settings.web_seconds, most_bytes=settings.web_max_mb * MIB),
            {
                **{origin(f"{home}/"): authorization(login) for home, login in settings.web_logins.items()},
                **({origin(self.asked): self.authorization} if self.authorization else {}),
            },
            proxy_resolves=settings.web_proxy_resolves,
        )

    def _task(self, settings: Settings) -> "CrawlTask":
        from embedmill.producers.sources.web.addresses import Link
        from embedmill.producers.sources.web.progress import CrawlTask

        return CrawlTask(
            Link(self.address, self.asked or self.address),
            self.crawl,
            hashlib.sha256(json.dumps(self.spec, sort_keys=True).encode()).hexdigest()[:16],
            hosts_at_once=settings.web_hosts,
            gone_seconds=settings.web_gone_seconds,
        )


def _read_named(url: str) -> "NamedAddress":
    """The page that a user named; raises UsageError, and MissingExtra without what sites are read with."""
    if any(find_spec(package) is None for package in _PACKAGES):
        raise MissingExtra("web sites need the extra: pip install 'embedmill[web]'")
    from embedmill.producers.sources.web.addresses import read_named

    return read_named(url)
