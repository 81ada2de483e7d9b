"""Limits that nobody knows beforehand, on a simulated clock: told by headers, or by refusals alone; halved midway."""

import math
from dataclasses import dataclass, field

import pytest

from embedmill.shared.errors import FlowControl
from embedmill.shared.flow.allowance import Allowance
from embedmill.shared.flow.headers import ReportedLimits
from embedmill.shared.flow.limits import ProviderLimits
from embedmill.shared.flow.state import LocalState

LATENCY_SECONDS = 0.06
FULL_TOKENS = 300_000
"""What one request takes."""
HALVED_SECONDS = 60.0


@dataclass
class GrantingProvider:
    """A bucket of tokens, of which the headers tell, or nothing does."""

    per_minute: int
    bucket_seconds: float
    tells: bool
    is_halved: bool = False
    now: float = 0.0
    level: float = math.inf
    filled_at: float = 0.0
    granted: int = 0
    answered: int = 0
    refused: int = 0

    @property
    def rate(self) -> float:
        """Tokens a second at this moment."""
        return self.per_minute / 60 / (2 if self.is_halved and self.now > HALVED_SECONDS else 1)

    def offered(self, since: float) -> float:
        """What could have been taken."""
        full = min(self.now, HALVED_SECONDS) if self.is_halved else self.now
        return self.per_minute / 60 * (full + (self.now - full) / 2 - since)

    def take(self, tokens: int) -> tuple[float, ReportedLimits]:
        """Seconds to wait, or 0, and what headers tell."""
        capacity = self.rate * self.bucket_seconds
        self.level = min(capacity, self.level + (self.now - self.filled_at) * self.rate)
        self.filled_at = self.now
        wait = max(0.0, (min(tokens, capacity) - self.level) / self.rate) if tokens > self.level else 0.0
        if tokens <= self.level:
            self.level -= tokens
            self.granted += tokens
            self.answered += 1
        else:
            self.refused += 1
        told = {"tokens": int(self.level)}
        resets = {"tokens": (capacity - self.level) / self.rate}
        reported = ReportedLimits({"tokens": round(60 * self.rate)}, told, resets) if self.tells else NOTHING_TOLD
        return (int(wait) + 1 if tokens > capacity or wait else 0), reported


NOTHING_TOLD = ReportedLimits({}, {})


@dataclass
class Asker:
    """A stream that has always more to ask, one request at a time."""

    provider: GrantingProvider
    allowance: Allowance = field(init=False)

    def __post_init__(self) -> None:
        state = LocalState(clock=lambda: self.provider.now)
        self.allowance = Allowance("limit:p", "p", ProviderLimits("m"), state, sleep=self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.provider.now += seconds

    def run(self, *, until: float) -> None:
        while self.provider.now < until:
            self._ask()

    def _ask(self) -> None:
        provider = self.provider
        amounts = {"tokens": min(self.allowance.measure().tokens or FULL_TOKENS, FULL_TOKENS), "requests": 1}
        try:
            self.allowance.await_turn(amounts, job="1")
        except FlowControl as error:
            self._sleep(error.retry_after_seconds)
            return
        self._sleep(LATENCY_SECONDS)
        seconds, reported = provider.take(amounts["tokens"])
        if seconds:
            self.allowance.correct({"tokens": amounts["tokens"]})
            self.allowance.refused(seconds, reported, amounts, was_alone=True)
        else:
            self.allowance.answered(amounts, amounts, reported)


@pytest.mark.parametrize("bucket_seconds", [60.0, 6.0, 3.0])
@pytest.mark.parametrize("is_halved", [False, True])
@pytest.mark.parametrize(
    ("tells", "least", "refusals"), [(True, 0.95, 3), (False, 0.9, 30)], ids=["headers", "refusals alone"]
)
def test_nearly_all_of_a_limit_is_used_that_nobody_knew(
    *, tells: bool, least: float, refusals: int, is_halved: bool, bucket_seconds: float
) -> None:
    provider = GrantingProvider(240_000, bucket_seconds, tells, is_halved)
    asker = Asker(provider)
    asker.run(until=30)
    before = provider.granted
    asker.run(until=180)
    assert provider.granted - before >= least * provider.offered(30)
    assert provider.refused <= refusals
