"""What is said of a page when it was asked, what is kept of it, and where it leads."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from embedmill.producers.sources.base import Item, Kept, Problem, Skipped
from embedmill.producers.sources.web.addresses import Link, site
from embedmill.producers.sources.web.judging import AnswerKind, PageVerdict
from embedmill.producers.sources.web.known import KnownPage
from embedmill.producers.sources.web.lists import Lists
from embedmill.producers.sources.web.names import AddressNames, Fate, WaitingPage
from embedmill.producers.sources.web.politeness import FrontierEntry
from embedmill.producers.sources.web.progress import CrawlProgress
from embedmill.shared.spellings import address_key


@dataclass(slots=True)
class PageTelling:
    """Turns verdicts into items. A document stays whatever else its page becomes, unless that is proof."""

    progress: CrawlProgress
    lists: Lists
    _names: AddressNames = field(init=False)

    def __post_init__(self) -> None:
        """No page waits for another yet."""
        self._names = AddressNames(self.progress, self._take, self._refuse)

    def end(self) -> Iterator[Item]:
        """What is said of pages that wait for what was never asked."""
        yield from self._names.end()

    def tell(self, entry: FrontierEntry, verdict: PageVerdict, known: KnownPage) -> Iterator[Item]:
        """What is said of a page, what is kept of it, and where it leads."""
        self._widen(entry, verdict)
        match verdict.kind:
            case AnswerKind.DOCUMENT if entry.is_start and self.progress.was_list:
                verdict = PageVerdict(AnswerKind.LOST, "it was a list of pages, and is a page now")
                yield from self._refuse(entry, verdict, known)
            case AnswerKind.DOCUMENT:
                yield from self._place(entry, verdict, known)
            case AnswerKind.UNCHANGED:
                yield from self.keep(entry, known)
            case AnswerKind.LIST:
                yield from self.lists.tell(entry, verdict)
            case AnswerKind.MOVED:
                yield from self._names.await_move(entry, verdict, known)
            case AnswerKind.GONE:
                yield from self._miss(entry, verdict, known)
            case AnswerKind.UNWANTED:
                yield from self._unwant(entry, verdict, known)
            case _:
                self.progress.follow(entry, verdict.links)
                yield from self._refuse(entry, verdict, known)

    def _widen(self, entry: FrontierEntry, verdict: PageVerdict) -> None:
        """The site of a crawl is where its beginning leads."""
        leads_to = verdict.to.asked if verdict.to else verdict.answered
        if entry.is_start and leads_to and self.progress.task.follows:
            self.progress.reach.places |= site(leads_to)

    def _place(self, entry: FrontierEntry, verdict: PageVerdict, known: KnownPage) -> Iterator[Item]:
        """A document under its own address, unless it names another that is a page and says the same of itself."""
        own = address_key(entry.address)
        names_itself = not verdict.canonical or address_key(verdict.canonical) == own
        self.progress.follow(entry, verdict.links)
        fate = Fate(is_page=True, names_itself=bool(verdict.canonical) and names_itself)
        yield from self._names.decide(entry.address, fate)
        other = verdict.canonical
        if names_itself or entry.is_start or not self.progress.task.follows or not self.progress.reach.holds(other):
            yield from self._take(entry, verdict)
        else:
            yield from self._names.wait_for(Link(other, other), WaitingPage(entry, verdict, known))

    def _take(self, entry: FrontierEntry, verdict: PageVerdict) -> Iterator[Item]:
        progress = self.progress
        progress.reach.note_saying(entry.address, verdict.says)
        is_wanted = progress.reach.wants(entry.address)
        if is_wanted and verdict.item is not None:
            yield verdict.item
        why = "" if is_wanted else "it is left out by the patterns"
        progress.remember(entry.address, progress.known_of(verdict, is_document=is_wanted, why=why))

    def keep(self, entry: FrontierEntry, known: KnownPage) -> Iterator[Item]:
        """A document that is as it was."""
        progress = self.progress
        progress.reach.note_saying(entry.address, known.says)
        progress.follow(entry, [Link(address, address) for address in known.links])
        yield from self._names.decide(entry.address, Fate(is_page=True, names_itself=bool(known.canonical)))
        yield Kept(entry.address)
        progress.remember(entry.address, replace(known, gone_since=0.0))

    def _refuse(self, entry: FrontierEntry, verdict: PageVerdict, known: KnownPage) -> Iterator[Item]:
        """Something that is no document now; what was one stays."""
        is_lost = verdict.kind is AnswerKind.LOST
        yield from self._tell_of_beginning(entry, verdict, known)
        yield from self._names.decide(entry.address, Fate(is_page=False, is_known=not is_lost))
        if not known.is_document:
            yield from self._say_none(entry, verdict)
            return
        yield Kept(entry.address, verdict.reason)
        if not is_lost:
            self.progress.remember(entry.address, replace(known, gone_since=0.0))

    def _say_none(self, entry: FrontierEntry, verdict: PageVerdict) -> Iterator[Item]:
        """Something that never was a document; whoever named it wants to know, and what is lost is asked again."""
        progress = self.progress
        if entry.is_start and verdict.kind is not AnswerKind.UNWANTED:
            yield Problem(progress.task.start.address, verdict.reason)
        elif verdict.kind is AnswerKind.LOST:
            yield Problem(entry.address, verdict.reason)
        elif verdict.kind is AnswerKind.BARRED:
            progress.reach.count("robots.txt does not allow it", entry.address)
        else:
            yield Skipped(entry.address, verdict.reason)
            if verdict.kind is not AnswerKind.GONE:
                progress.remember(entry.address, progress.known_of(verdict, is_document=False, why=verdict.reason))

    def _unwant(self, entry: FrontierEntry, verdict: PageVerdict, known: KnownPage) -> Iterator[Item]:
        """A page that asks not to be indexed is proof of that."""
        self.progress.follow(entry, verdict.links)
        if not known.is_document:
            yield from self._refuse(entry, verdict, known)
            return
        yield from self._names.decide(entry.address, Fate(is_page=False))
        found = self.progress.known_of(verdict, is_document=True)
        self.progress.let_go(entry.address, verdict.reason, found)

    def _miss(self, entry: FrontierEntry, verdict: PageVerdict, known: KnownPage) -> Iterator[Item]:
        """Gone, by the word of the page's own address; it is asked a second time, a while later."""
        if not known.is_document:
            yield from self._refuse(entry, verdict, known)
            return
        progress, now = self.progress, self.progress.clock.now()
        yield from self._tell_of_beginning(entry, verdict, known)
        yield from self._names.decide(entry.address, Fate(is_page=False))
        if known.gone_since and now - known.gone_since >= progress.task.gone_seconds:
            progress.let_go(entry.address, verdict.reason, known)
            return
        since = known.gone_since or now
        progress.gone[entry.address] = since
        progress.remember(entry.address, replace(known, gone_since=since))

    def _tell_of_beginning(self, entry: FrontierEntry, verdict: PageVerdict, known: KnownPage) -> Iterator[Item]:
        """A crawl that had no beginning has not ended, and a page that is all there is was not read."""
        progress = self.progress
        is_away = verdict.kind in (AnswerKind.LOST, AnswerKind.NOT_FOR_US, AnswerKind.BARRED)
        is_crawl_without_beginning = verdict.kind is AnswerKind.GONE and progress.task.follows
        if entry.is_start and (is_away or is_crawl_without_beginning):
            progress.is_cut = True
            if known.is_document:
                yield Problem(progress.task.start.address, verdict.reason)
