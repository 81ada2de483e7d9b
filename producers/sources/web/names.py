"""Names of pages: redirects for good and canonical addresses, by which several addresses are one document.

An address waits for what becomes of the one that it names. A page is another's name if that one is a page and says the
same of itself, or if it has moved there for good; otherwise it stands under its own.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from embedmill.producers.sources.base import Item, Kept
from embedmill.producers.sources.seen import SeenKeys
from embedmill.producers.sources.web.addresses import Link
from embedmill.producers.sources.web.judging import AnswerKind, PageVerdict
from embedmill.producers.sources.web.known import KnownPage
from embedmill.producers.sources.web.politeness import FrontierEntry
from embedmill.producers.sources.web.progress import CrawlProgress
from embedmill.producers.sources.web.reach import mark_of
from embedmill.shared.spellings import address_key

MOST_HOPS = 10
MOST_WAITING = 50
"""Addresses that pages wait for: these are held meanwhile."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of an address: whether a page is there, whether it calls itself that, or that nobody knows."""

    is_page: bool
    names_itself: bool = False
    is_known: bool = True


UNKNOWN = Fate(is_page=False, is_known=False)


class Fates:
    """What became of each address that was asked, by its key: of a large site a few bytes a page, or on disk."""

    def __init__(self) -> None:
        self._kept = SeenKeys()

    def put(self, name: str, fate: Fate) -> None:
        """What became of an address by now."""
        self._kept.add([mark_of(name)], fate.is_page + 2 * fate.names_itself + 4 * fate.is_known)

    def get(self, name: str) -> Fate | None:
        """None for one that was not asked."""
        code = self._kept.find([mark_of(name)])
        return None if code is None else Fate(bool(code & 1), bool(code & 2), bool(code & 4))


@dataclass(frozen=True, slots=True)
class WaitingPage:
    """A page that waits for what becomes of the address that it names as its own."""

    entry: FrontierEntry
    verdict: PageVerdict
    known: KnownPage


@dataclass(slots=True)
class AddressNames:
    """Which addresses wait, and what became of those that were asked.

    `take` makes a page a document under its own address, `refuse` says that it is none.
    """

    progress: CrawlProgress
    take: Callable[[FrontierEntry, PageVerdict], Iterator[Item]]
    refuse: Callable[[FrontierEntry, PageVerdict, KnownPage], Iterator[Item]]
    fates: Fates = field(default_factory=Fates)
    waiting: dict[str, list[WaitingPage]] = field(default_factory=dict)

    def await_move(self, entry: FrontierEntry, verdict: PageVerdict, known: KnownPage) -> Iterator[Item]:
        assert verdict.to is not None
        if entry.hops >= MOST_HOPS:
            yield from self.refuse(entry, PageVerdict(AnswerKind.LOST, "its redirects have no end"), known)
        elif address_key(verdict.to.address) == address_key(entry.address):
            # Only the scheme is another: it is the same page.
            self.progress.queue.add(replace(entry, link=verdict.to, hops=entry.hops + 1), is_next=True)
        else:
            yield from self.wait_for(verdict.to, WaitingPage(entry, verdict, known))

    def wait_for(self, target: Link, waiting: WaitingPage) -> Iterator[Item]:
        """Decide on a page when it is known what becomes of another, which is asked next."""
        other, entry, reach = address_key(target.address), waiting.entry, self.progress.reach
        is_move = waiting.verdict.kind is AnswerKind.MOVED
        is_start = entry.is_start and is_move
        self.waiting.setdefault(other, []).append(waiting)
        if not reach.has_met(target.address):
            if is_start or reach.admit(target.address, depth=entry.depth):
                reach.meet(target.address)
                hops = entry.hops + is_move
                self.progress.queue.add(FrontierEntry(target, entry.depth, hops=hops, is_start=is_start), is_next=True)
            else:
                self.fates.put(other, UNKNOWN)
        if (fate := self.fates.get(other)) is not None:
            yield from self._resolve(other, fate)
        if len(self.waiting) > MOST_WAITING:
            yield from self._end_first()

    def decide(self, address: str, fate: Fate) -> Iterator[Item]:
        """What became of an address, and so of the pages that waited for it."""
        name = address_key(address)
        self.fates.put(name, fate)
        yield from self._resolve(name, fate)

    def _resolve(self, name: str, fate: Fate) -> Iterator[Item]:
        for waiting in self.waiting.pop(name, ()):
            yield from self._settle(waiting, fate)

    def _settle(self, waiting: WaitingPage, fate: Fate) -> Iterator[Item]:
        entry, verdict, known = waiting.entry, waiting.verdict, waiting.known
        if verdict.kind is AnswerKind.MOVED:
            yield from self._settle_move(waiting, fate)
        elif fate.names_itself:
            self._alias(entry, verdict, known, f"its own address is {verdict.canonical}")
        elif not fate.is_known and known.why and not known.is_document:
            self.progress.remember(entry.address, known)
        else:
            yield from self.take(entry, verdict)

    def _settle_move(self, waiting: WaitingPage, fate: Fate) -> Iterator[Item]:
        entry, verdict, known = waiting.entry, waiting.verdict, waiting.known
        yield from self.decide(entry.address, fate)
        if fate.is_page:
            self._alias(entry, verdict, known, verdict.reason)
        elif known.is_document:
            yield Kept(entry.address, f"{verdict.reason}, where no document is")

    def _alias(self, entry: FrontierEntry, verdict: PageVerdict, known: KnownPage, why: str) -> None:
        """Another name of a page: what was a document under it leaves."""
        found = self.progress.known_of(verdict, is_document=False, why=why)
        if known.is_document:
            self.progress.let_go(entry.address, why, found)
        else:
            self.progress.remember(entry.address, found)

    def end(self) -> Iterator[Item]:
        """Pages that wait for what was never asked, or for each other."""
        while self.waiting:
            yield from self._end_first()

    def _end_first(self) -> Iterator[Item]:
        for waiting in self.waiting.pop(next(iter(self.waiting))):
            if waiting.verdict.kind is AnswerKind.MOVED:
                lost = PageVerdict(AnswerKind.LOST, "its redirects go in a circle, or were not all asked")
                yield from self.refuse(waiting.entry, lost, waiting.known)
            else:
                yield from self._settle(waiting, UNKNOWN)
