"""Lists of pages that a site gives, while they are read: each entry is asked, and each fault is named."""

from collections.abc import Iterator
from dataclasses import dataclass

from embedmill.producers.sources.base import Item, Problem
from embedmill.producers.sources.web.addresses import Link
from embedmill.producers.sources.web.judging import PageVerdict
from embedmill.producers.sources.web.maps import DEEPEST, MapKind
from embedmill.producers.sources.web.politeness import FrontierEntry
from embedmill.producers.sources.web.progress import CrawlProgress


@dataclass(slots=True)
class Lists:
    """Sitemaps, indexes of them, and feeds."""

    progress: CrawlProgress

    def add_map(self, link: Link, *, depth: int, is_guess: bool = False) -> None:
        """Ask for a list of the site, once."""
        if not self.progress.reach.holds(link.address):
            self.progress.reach.count("a sitemap of another site", link.address)
        elif not self.progress.reach.has_met(link.address):
            self.progress.reach.meet(link.address)
            self.progress.queue.add(FrontierEntry(link, depth, is_map=True, is_guess=is_guess))

    def tell(self, entry: FrontierEntry, verdict: PageVerdict) -> Iterator[Item]:
        """The pages, or the lists, in a list."""
        listed = verdict.listed
        if listed is None:
            if not entry.is_guess:
                yield Problem(entry.address, verdict.reason or "it is no sitemap and no feed")
            return
        for fault in listed.faults:
            yield Problem(entry.address, fault)
        self.progress.is_list = True
        self.progress.is_feed = self.progress.is_feed or listed.kind is MapKind.FEED
        if listed.kind is MapKind.INDEX:
            yield from self._list_maps(entry, listed.links)
        else:
            self._list_pages(listed.links, takes_others=listed.kind is MapKind.FEED and not self.progress.task.follows)

    def _list_maps(self, entry: FrontierEntry, links: list[Link]) -> Iterator[Item]:
        depth = entry.depth + 1 if entry.is_map else 1
        if depth >= DEEPEST:
            yield Problem(entry.address, f"sitemaps in it are more than {DEEPEST} deep, and are left out")
            return
        for link in links:
            self.add_map(link, depth=depth)

    def _list_pages(self, links: list[Link], *, takes_others: bool) -> None:
        depth = int(self.progress.task.follows)
        for link in links:
            if not takes_others and not self.progress.reach.holds(link.address):
                self.progress.reach.count("named by a sitemap and of another site", link.address)
            elif self.progress.reach.admit(link.address, depth=depth, is_listed=takes_others):
                self.progress.queue.add(FrontierEntry(link, depth))
