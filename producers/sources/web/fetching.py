"""Fetches one page: asks robots.txt first, follows what leads on for now, and says what came of it as a value."""

import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from embedmill.producers.sources.web.addresses import Link, lead, origin, place
from embedmill.producers.sources.web.client import AnswerHead, Client, Failure, FailureKind, WebAnswer
from embedmill.producers.sources.web.page import read_page
from embedmill.producers.sources.web.robots import RobotsRules, Unknown, find_rules
from embedmill.shared.errors import DocumentError

MOST_HOPS = 10
_PERMANENT = (301, 308)
_REDIRECTS = (300, 301, 302, 303, 307, 308)
_RANDOM_DIGITS = 10**14


@dataclass(frozen=True, slots=True)
class Got:
    """An answer that is no redirect; `answer.address` is who gave it."""

    answer: WebAnswer


@dataclass(frozen=True, slots=True)
class Moved:
    """The page has another address for good, by a redirect within the site."""

    to: Link
    seconds: float


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The page is of another site now."""

    place: str


@dataclass(frozen=True, slots=True)
class BarredByRobots:
    """robots.txt does not let it be asked."""


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Nobody answered in a way that could be used, whether another try may help, and whether the host is in trouble."""

    reason: str
    may_pass: bool
    retry_after: str = ""
    is_of_host: bool = True


Fetched = Got | Moved | Elsewhere | BarredByRobots | NoAnswer


@dataclass(slots=True)
class Fetcher:
    """Fetches pages for several threads, one for a host; `old_rules` are those of an earlier crawl by origin."""

    client: Client
    now: Callable[[], float]
    rules: dict[str, RobotsRules | Unknown] = field(default_factory=dict)
    old_rules: dict[str, RobotsRules | None] = field(default_factory=dict)
    _strangers: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def fetch(
        self,
        link: Link,
        *,
        wants: Callable[[AnswerHead], bool],
        conditions: Mapping[str, str],
        stays: Callable[[str], bool],
        may_leave: bool,
    ) -> Fetched:
        """What a page answers; one that has moved for good within the site, as `stays` tells it, is not followed."""
        asked, met = link.asked, set[str]()
        while asked not in met and len(met) <= MOST_HOPS:
            met.add(asked)
            allowed = self._may_ask(asked)
            if allowed is not None:
                return allowed
            answer = self.client.ask(asked, wants=wants, headers=conditions)
            if isinstance(answer, Failure):
                may_pass = answer.kind in (FailureKind.AWAY, FailureKind.BROKEN)
                return NoAnswer(answer.reason, may_pass, is_of_host=answer.kind is FailureKind.AWAY)
            if answer.status not in _REDIRECTS or not answer.first("location"):
                return self._judge(answer)
            target = lead(answer.first("location"), base=asked)
            if target is None:
                return NoAnswer("it leads to what is no page", may_pass=False)
            is_of_site = stays(target.asked)
            if is_of_site and answer.status in _PERMANENT and len(met) == 1:
                return Moved(target, answer.seconds)
            if not (is_of_site or may_leave):
                return Elsewhere(place(target.asked))
            asked = target.asked
        return NoAnswer("its redirects go in a circle" if asked in met else "its redirects have no end", may_pass=False)

    def rules_of(self, address: str) -> RobotsRules | Unknown:
        """What the origin of an address lets be asked; asked once, and again after it was not known."""
        home = origin(address)
        found = self.rules.get(home)
        if not isinstance(found, RobotsRules):
            old = self.old_rules.get(home)
            found = find_rules(self.client, home, now=self.now, known=old)
            self.rules[home] = found = old if isinstance(found, Unknown) and old is not None else found
        return found

    def likeness_of_nothing(self, address: str) -> str:
        """What a site says where there certainly is no page, if it calls that a success; "" if it does not."""
        home = origin(address)
        with self._lock:
            if home not in self._strangers:
                self._strangers[home] = self._ask_for_nothing(home)
        return self._strangers[home]

    def _ask_for_nothing(self, home: str) -> str:
        # Digits alone: a page that repeats its address is alike whatever the number.
        address = f"{home}/{secrets.randbelow(_RANDOM_DIGITS)}"
        if self._may_ask(address) is not None:
            return ""
        answer = self.client.ask(address, wants=lambda head: head.status == 200)
        if isinstance(answer, Failure) or answer.status != 200 or "html" not in answer.media_type:
            return ""
        try:
            return read_page(answer.body, answer).likeness
        except DocumentError:
            return ""

    def _may_ask(self, address: str) -> BarredByRobots | NoAnswer | None:
        rules = self.rules_of(address)
        if isinstance(rules, Unknown):
            return NoAnswer(rules.reason, rules.may_pass, rules.retry_after)
        return None if rules.allow(address) else BarredByRobots()

    def _judge(self, answer: WebAnswer) -> Fetched:
        if answer.status in (408, 429) or answer.status >= 500:
            return NoAnswer(f"it answers {answer.status}", may_pass=True, retry_after=answer.first("retry-after"))
        return Got(answer)


def is_start(address: str) -> bool:
    """Whether an address is where a site begins."""
    parts = urlsplit(address)
    return parts.path in ("", "/") and not parts.query
