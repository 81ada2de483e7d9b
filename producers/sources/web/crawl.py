"""A crawl: from where it begins to the end of what it reaches, and then what it knew and did not meet.

It keeps nothing of its own way: what each page leads to is in the source's memory, so a crawl that was killed begins
again, passes over what it has fetched without asking for it, and ends in the same way. A page leaves on proof alone,
when the crawl has ended: its own address said twice that it is gone, it asks not to be indexed, or it is now another's
name. Whatever else happens to it, its text stays.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import Any

from embedmill.producers.sources.base import Departed, Item, Kept, Problem, Remark, RemarkKind
from embedmill.producers.sources.web.addresses import Link, lead, origin
from embedmill.producers.sources.web.fetching import Fetched, Fetcher, NoAnswer
from embedmill.producers.sources.web.judging import AnswerKind, PageVerdict, judge, wants
from embedmill.producers.sources.web.known import CRAWL, PAGES, RULES, KnownPage, page_key, recall
from embedmill.producers.sources.web.lists import Lists
from embedmill.producers.sources.web.politeness import FrontierEntry
from embedmill.producers.sources.web.progress import CrawlProgress, stands_alone
from embedmill.producers.sources.web.reach import SAY_THE_SAME
from embedmill.producers.sources.web.robots import LONGEST_DELAY_SECONDS, RobotsRules
from embedmill.producers.sources.web.telling import PageTelling

RESUMED_SECONDS = 24 * 3600.0
"""A crawl that was killed is gone on with within a day."""
LONGEST_WAIT_SECONDS = 60.0
"""So long a crawl waits to ask a second time for what is gone; else the next one does."""
FEED_SECONDS = 24 * 3600.0
"""What has fallen out of a feed that was named is asked once a day; a crawl asks whatever it does not meet."""

_NOT_ENDED = "it stays, as not everything was asked"


@dataclass(slots=True)
class Crawl:
    """One reading of a source."""

    progress: CrawlProgress
    fetcher: Fetcher
    _lists: Lists = field(init=False)
    _telling: PageTelling = field(init=False)
    _mapped: set[str] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        """Nothing was asked yet."""
        self._lists = Lists(self.progress)
        self._telling = PageTelling(self.progress, self._lists)

    def run(self) -> Iterator[Item]:
        """What the site holds, and what has left it."""
        self._begin()
        self.progress.reach.meet(self.progress.task.start.address)
        self.progress.reach.take_place()
        self.progress.queue.add(FrontierEntry(self.progress.task.start, is_start=True))
        yield from self._work()
        yield from self._telling.end()
        if self.progress.is_whole and (self.progress.task.follows or self.progress.is_list):
            yield from self._ask_unmet()
        yield from self._ask_again()
        yield from self._let_go()
        self._finish()

    def _begin(self) -> None:
        """Go on with a crawl that did not end, unless that is too long ago."""
        memory, now = self.progress.context.memory, self.progress.clock.now()
        kept = memory.get_many([CRAWL]).get(CRAWL, {})
        is_same = kept.get("task") == self.progress.task.digest and "ended" not in kept
        self.progress.was_list = bool(kept.get("list"))
        resumed = is_same and 0 <= now - float(kept.get("started", 0.0)) < RESUMED_SECONDS
        if resumed:
            self.progress.since = float(kept["started"])
        else:
            memory.put_many(
                {CRAWL: {"started": now, "task": self.progress.task.digest, "list": self.progress.was_list}}
            )

    def _recall_rules(self, home: str) -> None:
        """Have the rules at hand that an origin had in an earlier crawl, before it is asked for the first time."""
        if home not in self.fetcher.old_rules:
            kept = self.progress.context.memory.get_many([RULES + home]).get(RULES + home)
            now = self.progress.clock.now()
            self.fetcher.old_rules[home] = RobotsRules.recall(kept, now) if kept is not None else None

    def _work(self) -> Iterator[Item]:
        """Ask for all that is waiting, one page of each host at a time."""
        with ThreadPoolExecutor(self.progress.task.hosts_at_once, thread_name_prefix="web") as pool:
            running: dict[Future[tuple[Fetched, PageVerdict]], tuple[FrontierEntry, KnownPage]] = {}
            while self.progress.queue or running:
                for entry in self.progress.queue.ready():
                    yield from self._start(entry, pool, running)
                if running:
                    done, _ = wait(running, timeout=self.progress.queue.seconds_to_wait(), return_when=FIRST_COMPLETED)
                    for future in done:
                        yield from self._handle(*running.pop(future), *future.result())
                elif self.progress.queue:
                    self.progress.clock.wait(self.progress.queue.seconds_to_wait() or 0.0)

    def _start(
        self, entry: FrontierEntry, pool: ThreadPoolExecutor, running: dict[Any, tuple[FrontierEntry, KnownPage]]
    ) -> Iterator[Item]:
        known = self.progress.recall(entry.address)
        if self.progress.reach.has_no_end(entry.address) and not known.is_document:
            self.progress.queue.skip(entry)
            self.progress.reach.count(SAY_THE_SAME, entry.address)
            return
        is_settled = known.is_document and bool(self.progress.context.settled([entry.address]))
        if known.is_document and known.why and not is_settled:
            yield Departed(entry.address)
            self.progress.context.memory.forget([page_key(entry.address)])
            known = KnownPage()
        is_as_it_was = is_settled and stands_alone(known, entry.address)
        if is_as_it_was and known.at >= self.progress.since and not known.gone_since:
            self.progress.queue.skip(entry)
            yield from self._telling.keep(entry, known)
        else:
            self._recall_rules(origin(entry.link.asked))
            running[pool.submit(self._ask, entry, known.conditions if is_as_it_was else {})] = entry, known

    def _ask(self, entry: FrontierEntry, conditions: Mapping[str, str]) -> tuple[Fetched, PageVerdict]:
        """In a thread of its own: the answer, and what it is."""
        is_named = entry.is_start or entry.is_map or (self.progress.is_list and not self.progress.task.follows)
        fetched = self.fetcher.fetch(
            entry.link,
            wants=lambda head: wants(head, is_named=is_named),
            conditions=conditions,
            stays=(lambda _: True) if entry.is_start and self.progress.task.follows else self.progress.reach.holds,
            may_leave=is_named,
        )
        try:
            return fetched, judge(fetched, entry.link, is_named=is_named, fetcher=self.fetcher)
        # Parsers of hostile input raise whatever their authors forgot; the text of such errors may quote the page.
        except Exception as error:  # noqa: BLE001
            return fetched, PageVerdict(AnswerKind.LOST, f"it cannot be read ({type(error).__name__})")

    def _handle(self, entry: FrontierEntry, known: KnownPage, fetched: Fetched, verdict: PageVerdict) -> Iterator[Item]:
        self._heed_rules(entry)
        if isinstance(fetched, NoAnswer) and fetched.may_pass and not entry.is_guess:
            if self.progress.queue.failed(entry, retry_after=fetched.retry_after, is_of_host=fetched.is_of_host):
                self.progress.queue.add(replace(entry, attempt=entry.attempt + 1), is_next=True)
                return
            yield from self._leave_alone(entry, verdict.reason)
        else:
            self.progress.queue.release(entry, took_seconds=verdict.seconds)
        yield from self._lists.tell(entry, verdict) if entry.is_map else self._telling.tell(entry, verdict, known)

    def _heed_rules(self, entry: FrontierEntry) -> None:
        """What robots.txt wants between two requests; the sitemaps that it names, when a crawl begins."""
        home = origin(entry.link.asked)
        rules = self.fetcher.rules.get(home)
        if not isinstance(rules, RobotsRules):
            return
        self.progress.queue.host(entry.link.asked).pause = rules.delay_seconds
        if entry.is_start and self.progress.task.follows and home not in self._mapped:
            self._mapped.add(home)
            named = [link for each in rules.sitemaps if (link := lead(each, base=home + "/robots.txt"))]
            for link in named or [Link(home + "/sitemap.xml", home + "/sitemap.xml")]:
                self._lists.add_map(link, depth=0, is_guess=not named)

    def _leave_alone(self, entry: FrontierEntry, reason: str) -> Iterator[Item]:
        """Of a host that is in trouble nothing more is asked; the source was not read to its end."""
        if why := self.progress.queue.host(entry.link.asked).left_alone:
            self.progress.is_cut = True
            left = self.progress.queue.drop(entry.link.asked)
            told = f"{why} ({reason}); {left:,} more addresses of it are asked when it is read again"
            yield Problem(self.progress.task.start.address, f"{origin(entry.link.asked)}: {told}")

    def _ask_unmet(self) -> Iterator[Item]:
        """Ask each page that nothing led to by its own address."""
        progress, memory = self.progress, self.progress.context.memory
        for address, page in list(self._unmet()):
            if not page.is_document:
                memory.forget([page_key(address)])
            elif page.why and not progress.context.settled([address]):
                yield Departed(address)
                memory.forget([page_key(address)])
            elif progress.task.follows or not progress.is_feed or progress.clock.now() - page.at >= FEED_SECONDS:
                progress.queue.add(FrontierEntry(Link(address, address), is_orphan=True))
        yield from self._work()
        yield from self._telling.end()

    def _unmet(self) -> Iterator[tuple[str, KnownPage]]:
        for name, value in self.progress.context.memory.walk():
            address = name.removeprefix(PAGES)
            if name.startswith(PAGES) and not self.progress.reach.has_met(address):
                yield address, recall(value, address)

    def _ask_again(self) -> Iterator[Item]:
        """Ask a second time for what is gone, if that is soon enough."""
        progress = self.progress
        gone, progress.gone = progress.gone, {}
        now, pause = progress.clock.now(), progress.task.gone_seconds
        left = max((since + pause - now for since in gone.values()), default=0.0)
        if gone and progress.is_whole and left <= LONGEST_WAIT_SECONDS:
            progress.clock.wait(left)
            for address in gone:
                progress.queue.add(FrontierEntry(Link(address, address), is_orphan=True))
            yield from self._work()
            gone, progress.gone = progress.gone, {}
        for address in gone:
            yield Kept(address, "it says that it is gone, and leaves if it says so again later")

    def _let_go(self) -> Iterator[Item]:
        progress = self.progress
        for address, (reason, known) in progress.leaving.items():
            if progress.is_whole:
                yield Departed(address, reason)
                progress.remember(address, known)
            else:
                yield Kept(address, f"{reason}; {_NOT_ENDED}")

    def _finish(self) -> None:
        """Keep that this crawl has ended, and the rules of sites; say what was not asked."""
        progress, context = self.progress, self.progress.context
        rules = {home: found for home, found in self.fetcher.rules.items() if isinstance(found, RobotsRules)}
        is_list = progress.was_list or (progress.is_list and not progress.task.follows)
        context.memory.put_many({CRAWL: {"ended": progress.clock.now(), "task": progress.task.digest, "list": is_list}})
        context.memory.put_many({RULES + home: found.value for home, found in rules.items()})
        start = progress.task.start.address
        context.remarks += [Remark(start, told, RemarkKind.READ) for told in progress.reach.describe()]
        context.remarks += [
            Remark(home, told, RemarkKind.READ) for home, found in rules.items() for told in _slow(found)
        ]


def _slow(rules: RobotsRules) -> Iterator[str]:
    if rules.asked_delay_seconds > LONGEST_DELAY_SECONDS:
        yield f"its Crawl-delay of {rules.asked_delay_seconds:,.0f} s counts as {LONGEST_DELAY_SECONDS:.0f} s"
