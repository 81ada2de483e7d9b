"""What a site lets be asked: robots.txt as RFC 9309 has it, kept for a day, and what follows when nobody answers.

An answer of 400 to 499 means that there are no rules, but for 429, which means later. Where nobody answers, or with an
error of the server's, nothing may be asked: then the rules of the last day hold, or the host is left alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

from protego import Protego

from embedmill.producers.sources.web.client import Client, Failure, FailureKind, WebAnswer
from embedmill.producers.sources.web.page import OUR_NAME

MOST_BYTES = 500 * 1024
MOST_REDIRECTS = 5
KEPT_SECONDS = 24 * 3600.0
LONGEST_DELAY_SECONDS = 60.0
"""A longer Crawl-delay counts as this one."""


@dataclass(frozen=True, slots=True)
class RobotsRules:
    """Of one origin; `text` is robots.txt, `fetched_at` seconds since 1970."""

    text: str
    fetched_at: float
    _parsed: Protego

    @classmethod
    def of(cls, text: str, fetched_at: float) -> "RobotsRules":
        """Of the text of robots.txt; whatever is no rule is none."""
        return cls(text, fetched_at, Protego.parse(text))

    @classmethod
    def recall(cls, kept: Mapping[str, Any], now: float) -> "RobotsRules | None":
        """Rules that were kept, unless they are too old."""
        at = float(kept.get("at", 0.0))
        return cls.of(str(kept["text"]), at) if 0 <= now - at < KEPT_SECONDS else None

    @property
    def value(self) -> dict[str, Any]:
        """What is kept of them."""
        return {"text": self.text, "at": self.fetched_at}

    def allow(self, address: str) -> bool:
        """Whether an address of the origin may be asked."""
        return bool(self._parsed.can_fetch(address, OUR_NAME))

    @property
    def delay_seconds(self) -> float:
        """What the site wants to have between two requests, as far as anybody waits for that."""
        rate = self._parsed.request_rate(OUR_NAME)
        by_rate = rate.seconds / rate.requests if rate and rate.requests else 0.0
        return min(max(self.asked_delay_seconds, by_rate), LONGEST_DELAY_SECONDS)

    @property
    def asked_delay_seconds(self) -> float:
        """The Crawl-delay as it stands there."""
        return max(0.0, float(self._parsed.crawl_delay(OUR_NAME) or 0.0))

    @property
    def sitemaps(self) -> list[str]:
        """The addresses of the site's maps."""
        return list(self._parsed.sitemaps)


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody said what may be asked, and why; `retry_after` is the answer's header."""

    reason: str
    retry_after: str = ""
    may_pass: bool = True


def find_rules(client: Client, origin: str, *, now: Callable[[], float]) -> RobotsRules | Unknown:
    """The rules of an origin as it says them now."""
    address = f"{origin}/robots.txt"
    for _ in range(MOST_REDIRECTS + 1):
        answer = client.ask(address, wants=lambda head: 200 <= head.status < 300, cut_bytes=MOST_BYTES)
        if isinstance(answer, Failure):
            return Unknown(
                f"robots.txt: {answer.reason}", may_pass=answer.kind in (FailureKind.AWAY, FailureKind.BROKEN)
            )
        if not (300 <= answer.status < 400 and answer.first("location")):
            return _judge(answer, now())
        address = urljoin(address, answer.first("location"))
    # Five redirects are followed; who needs more has none.
    return RobotsRules.of("", now())


def _judge(answer: WebAnswer, now: float) -> RobotsRules | Unknown:
    if 200 <= answer.status < 300:
        return RobotsRules.of(answer.body.decode("utf-8-sig", "replace"), now)
    if answer.status == 429 or answer.status >= 500:
        return Unknown(f"robots.txt: it answers {answer.status}", answer.first("retry-after"))
    return RobotsRules.of("", now)
