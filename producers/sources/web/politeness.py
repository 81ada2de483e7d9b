"""When a site may be asked again: one request at a time to each host, with a pause that the host itself has a say in.

A pause is as long as the setting says, as robots.txt asks for, or as the last answer took, whichever is longest. A host
that fails is asked again after a pause that grows, or after the one that it names, and left alone when it goes on
failing. One host's trouble is no other's: each has a queue of its own.
"""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

from embedmill.producers.sources.turns import OwnTurns, Turns
from embedmill.producers.sources.web.addresses import Link, place

ATTEMPTS = 3
"""Of one page in one crawl."""
MOST_FAILURES = 5
"""Pages in a row: then the host is left alone until the next crawl."""
MOST_PATIENT_FAILURES = 2
"""After these each page is asked once only."""
FIRST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 120.0
"""A host that wants to be left alone for longer is, until the next crawl."""


class WebClock:
    """Times and waits; tests have another."""

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def elapsed(self) -> float:
        """Seconds of a clock that only goes on."""
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(max(0.0, seconds))


@dataclass(frozen=True, slots=True)
class FrontierEntry:
    """A page that is to be asked, `depth` links from where the crawl began, after so many attempts and redirects.

    `is_map` of lists of pages, `is_guess` of one that nobody named, `is_orphan` of what nothing led to.
    """

    link: Link
    depth: int = 0
    attempt: int = 0
    hops: int = 0
    is_map: bool = False
    is_guess: bool = False
    is_start: bool = False
    is_orphan: bool = False

    @property
    def address(self) -> str:
        """What is kept of its address."""
        return self.link.address


@dataclass(slots=True)
class Host:
    """One host's queue, and when it may be asked next."""

    waiting: deque[FrontierEntry] = field(default_factory=deque)
    due: float = 0.0
    is_busy: bool = False
    has_turn: bool = False
    failures: int = 0
    pause: float = 0.0
    """What robots.txt asks for, in seconds."""
    left_alone: str = ""
    """Why it is not asked any more."""


class Queue:
    """What is to be asked, by host, in the order in which it was met."""

    def __init__(self, clock: WebClock, *, pause_seconds: float, turns: Turns | None = None) -> None:
        self._clock = clock
        self._turns = turns or OwnTurns()
        self._pause = pause_seconds
        self._hosts: dict[str, Host] = {}

    def __bool__(self) -> bool:
        return any(host.waiting for host in self._hosts.values())

    def host(self, address: str) -> Host:
        """The host of an address."""
        return self._hosts.setdefault(place(address), Host())

    def add(self, entry: FrontierEntry, *, is_next: bool = False) -> None:
        """Ask for a page when its turn comes, or before all others of its host."""
        waiting = self.host(entry.link.asked).waiting
        (waiting.appendleft if is_next else waiting.append)(entry)

    def ready(self) -> Iterator[FrontierEntry]:
        """One page of each host that may be asked now; the host is busy until it is released."""
        for name, host in list(self._hosts.items()):
            if host.waiting and not host.is_busy and self._is_due(name, host):
                host.is_busy, host.has_turn = True, False
                yield host.waiting.popleft()

    def _is_due(self, name: str, host: Host) -> bool:
        """Whether a host may be asked now, also as other commands are concerned; a turn that comes later is kept."""
        if host.due > self._clock.elapsed():
            return False
        pause = max(self._pause, host.pause)
        if host.has_turn or not pause:
            return True
        host.has_turn = True
        host.due = self._clock.elapsed() + self._turns.take(name, pause)
        return host.due <= self._clock.elapsed()

    def seconds_to_wait(self) -> float | None:
        """Until a host that is not busy may be asked; None when there is none."""
        dues = [host.due for host in self._hosts.values() if host.waiting and not host.is_busy]
        return max(0.0, min(dues) - self._clock.elapsed()) if dues else None

    def release(self, entry: FrontierEntry, *, took_seconds: float) -> None:
        """A host has answered: it may be asked again after a pause."""
        host = self.host(entry.link.asked)
        host.is_busy, host.failures = False, 0
        self._rest(entry, host, max(self._pause, host.pause, took_seconds))

    def _rest(self, entry: FrontierEntry, host: Host, seconds: float) -> None:
        host.due = self._clock.elapsed() + seconds
        if seconds > max(self._pause, host.pause):
            # Whoever else asks it is to know; the usual pause is in every turn.
            self._turns.rest(place(entry.link.asked), min(seconds, LONGEST_RETRY_SECONDS))

    def skip(self, entry: FrontierEntry) -> None:
        """A host was not asked after all, and its turn is left."""
        host = self.host(entry.link.asked)
        host.is_busy, host.has_turn = False, True

    def failed(self, entry: FrontierEntry, *, retry_after: str, is_of_host: bool) -> bool:
        """A page could not be had; returns whether it will be asked again. A host counts once for each page."""
        host = self.host(entry.link.asked)
        host.is_busy = False
        host.failures += is_of_host and not entry.attempt
        told = seconds_of(retry_after, self._clock.now())
        if told is not None and told > LONGEST_RETRY_SECONDS:
            host.left_alone = f"it asks to be left alone for {told:,.0f} seconds"
        elif host.failures >= MOST_FAILURES:
            host.left_alone = f"{host.failures} pages of it in a row could not be had"
        grown = FIRST_RETRY_SECONDS * 4**entry.attempt
        self._rest(entry, host, max(self._pause, host.pause, grown if told is None else told))
        return not host.left_alone and entry.attempt + 1 < ATTEMPTS and host.failures <= MOST_PATIENT_FAILURES

    def drop(self, address: str) -> int:
        """Ask nothing more of a host; returns how many pages were still to be asked."""
        waiting = self.host(address).waiting
        count = len(waiting)
        waiting.clear()
        return count

    def drop_all(self) -> int:
        """Ask nothing more at all."""
        return sum(self.drop(f"http://{name}/") for name in self._hosts)


def seconds_of(retry_after: str, now: float) -> float | None:
    """What a Retry-After header asks for, in seconds or as a date; None for what makes no sense."""
    text = retry_after.strip()
    if text.isdecimal() and len(text) < 10:
        return float(text)
    with suppress(ValueError, TypeError, OverflowError):
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    return None
