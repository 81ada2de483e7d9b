"""What a site lets be asked: robots.txt as RFC 9309 has it, kept for a day, and what follows when nobody answers.

Rules are asked for again when they are not fresh any more by the answer's own word (RFC 9111), and then whether they
have changed. An answer of 400 to 499 means that there are no rules, but for 429, which means later. Where nobody
answers, or with an error of the server's, nothing may be asked: then the rules of the last day hold, or the host is
left alone.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin

from protego import Protego

from embedmill.producers.sources.web.client import AnswerHead, Client, Failure, FailureKind, WebAnswer
from embedmill.producers.sources.web.page import OUR_NAME

MOST_BYTES = 500 * 1024
MOST_REDIRECTS = 5
SHARE_OF_AGE = 0.1
"""What has not changed for so long is fresh for this share of that, where nobody says more (RFC 9111, 4.2.2)."""
KEPT_SECONDS = 24 * 3600.0
LONGEST_DELAY_SECONDS = 60.0
"""A longer Crawl-delay counts as this one."""


@dataclass(frozen=True, slots=True)
class RobotsRules:
    """Of one origin; `text` is robots.txt, `fetched_at` seconds since 1970, from when on it is fresh for a time.

    `etag` and `modified` are the answer's headers by which it is asked whether it has changed.
    """

    text: str
    fetched_at: float
    _parsed: Protego
    fresh_seconds: float = 0.0
    etag: str = ""
    modified: str = ""

    @classmethod
    def of(cls, text: str, fetched_at: float) -> "RobotsRules":
        """Of the text of robots.txt; whatever is no rule is none."""
        return cls(text, fetched_at, Protego.parse(text))

    def told_by(self, answer: AnswerHead) -> "RobotsRules":
        """The same with what the headers of an answer say of it."""
        etag, modified = answer.first("etag") or self.etag, answer.first("last-modified") or self.modified
        return replace(self, fresh_seconds=fresh_seconds(answer, self.fetched_at), etag=etag, modified=modified)

    def is_fresh(self, now: float) -> bool:
        """Whether they may be taken for those of now."""
        return 0 <= now - self.fetched_at < self.fresh_seconds

    @property
    def conditions(self) -> dict[str, str]:
        """The headers by which only a change is answered."""
        given = {"If-None-Match": self.etag, "If-Modified-Since": self.modified}
        return {name: value for name, value in given.items() if value}

    @classmethod
    def recall(cls, kept: Mapping[str, Any], now: float) -> "RobotsRules | None":
        """Rules that were kept, unless they are too old."""
        at = float(kept.get("at", 0.0))
        if not 0 <= now - at < KEPT_SECONDS:
            return None
        fresh, etag, modified = float(kept.get("fresh", 0.0)), str(kept.get("etag", "")), str(kept.get("modified", ""))
        return replace(cls.of(str(kept["text"]), at), fresh_seconds=fresh, etag=etag, modified=modified)

    @property
    def value(self) -> dict[str, Any]:
        """What is kept of them."""
        told = {"fresh": self.fresh_seconds, "etag": self.etag, "modified": self.modified}
        return {"text": self.text, "at": self.fetched_at, **{name: value for name, value in told.items() if value}}

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


def find_rules(
    client: Client, origin: str, *, now: Callable[[], float], known: RobotsRules | None = None
) -> RobotsRules | Unknown:
    """The rules of an origin as it says them now; those that were `known` are kept for as long as they are fresh."""
    if known is not None and known.is_fresh(now()):
        return known
    address = f"{origin}/robots.txt"
    conditions = known.conditions if known else {}
    for _ in range(MOST_REDIRECTS + 1):
        answer = client.ask(
            address, wants=lambda head: 200 <= head.status < 300, headers=conditions, cut_bytes=MOST_BYTES
        )
        if isinstance(answer, Failure):
            return Unknown(
                f"robots.txt: {answer.reason}", may_pass=answer.kind in (FailureKind.AWAY, FailureKind.BROKEN)
            )
        if answer.status == 304 and known is not None:
            return replace(known, fetched_at=now()).told_by(answer)
        if not (300 <= answer.status < 400 and answer.first("location")):
            return _judge(answer, now())
        address = urljoin(address, answer.first("location"))
    # Five redirects are followed; who needs more has none.
    return RobotsRules.of("", now())


def _judge(answer: WebAnswer, now: float) -> RobotsRules | Unknown:
    if 200 <= answer.status < 300:
        return RobotsRules.of(answer.body.decode("utf-8-sig", "replace"), now).told_by(answer)
    if answer.status == 429 or answer.status >= 500:
        return Unknown(f"robots.txt: it answers {answer.status}", answer.first("retry-after"))
    return RobotsRules.of("", now)


def fresh_seconds(answer: AnswerHead, now: float) -> float:
    """For how long an answer may be taken for that of now, a day at most; 0 where it says nothing."""
    told = answer.headers.get("cache-control", "").lower()
    if re.search(r"\bno-(?:cache|store)\b", told):
        return 0.0
    if found := re.search(r"(?<![\w-])max-age=\"?(\d{1,9})", told):
        return min(float(found[1]), KEPT_SECONDS)
    date = _seconds(answer.first("date")) or now
    if answer.first("expires"):
        return min(max(0.0, _seconds(answer.first("expires")) - date), KEPT_SECONDS)
    modified = _seconds(answer.first("last-modified"))
    return min(max(0.0, date - modified) * SHARE_OF_AGE, KEPT_SECONDS) if modified else 0.0


def _seconds(date: str) -> float:
    """A header's date as seconds since 1970; 0 for none, and for what makes no sense."""
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError):
        return 0.0
