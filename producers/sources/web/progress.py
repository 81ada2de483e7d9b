"""What the parts of one crawl share: what is to be asked, what was found out, and what is kept of each page."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from embedmill.producers.sources.base import ReadContext
from embedmill.producers.sources.web.addresses import Link
from embedmill.producers.sources.web.judging import PageVerdict
from embedmill.producers.sources.web.known import KnownPage, keep, page_key, recall
from embedmill.producers.sources.web.politeness import FrontierEntry, Queue, WebClock
from embedmill.producers.sources.web.reach import SiteReach
from embedmill.shared.spellings import address_key


@dataclass(frozen=True, slots=True)
class CrawlTask:
    """What is crawled: one page, the pages of a list, or what `follows` from there."""

    start: Link
    follows: bool
    digest: str
    hosts_at_once: int = 8
    gone_seconds: float = 5.0


@dataclass(slots=True)
class CrawlProgress:
    """One crawl on its way. What was asked `since` then is not asked again.

    `is_cut` when not all could be asked, `is_list` and `is_feed` where lists of pages were read, `was_list`
    where the last crawl began with one. `gone` are pages with
    the time at which they first said so, `leaving` those that are proven to have left, with the proof in words.
    """

    task: CrawlTask
    context: ReadContext
    reach: SiteReach
    clock: WebClock
    queue: Queue
    since: float = float("inf")
    is_cut: bool = False
    is_feed: bool = False
    is_list: bool = False
    was_list: bool = False
    gone: dict[str, float] = field(default_factory=dict)
    leaving: dict[str, tuple[str, KnownPage]] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Whether all that is reached was asked: only then anything leaves."""
        return not self.is_cut and not self.reach.is_full and self.context.limit is None

    def follow(self, entry: FrontierEntry, links: Iterable[Link]) -> None:
        """Ask for what a page leads to."""
        if not self.task.follows or entry.is_orphan:
            return
        for link in links:
            if self.reach.admit(link.address, depth=entry.depth + 1):
                self.queue.add(FrontierEntry(link, entry.depth + 1))

    def recall(self, address: str) -> KnownPage:
        """What was kept of a page."""
        name = page_key(address)
        value = self.context.memory.get_many([name]).get(name)
        return recall(value, address) if value is not None else KnownPage()

    def remember(self, address: str, known: KnownPage) -> None:
        """After what is said of a page, so that no page counts as fetched of which nothing was recorded."""
        found = replace(known, at=self.clock.now())
        self.context.memory.put_many({page_key(address): keep(found, address)})

    def let_go(self, address: str, why: str, known: KnownPage) -> None:
        """It is proven that a page has left; it leaves when the crawl ends."""
        self.leaving[address] = why, replace(known, is_document=True, why=why)

    def known_of(self, verdict: PageVerdict, *, is_document: bool, why: str = "") -> KnownPage:
        """What is kept of a page that was read; `why` it is no document."""
        return KnownPage(
            self.clock.now(),
            is_document,
            verdict.etag,
            verdict.modified,
            tuple(link.address for link in verdict.links),
            verdict.canonical,
            verdict.says,
            why,
        )


def stands_alone(known: KnownPage, address: str) -> bool:
    """Whether a page is a document whatever others are: it may be kept without being read."""
    return not known.why and (not known.canonical or address_key(known.canonical) == address_key(address))
