"""A fleet under a provider's limit, on a simulated clock: the limit is used, and hardly ever met."""

import heapq
import random
from dataclasses import dataclass, field
from typing import Any

import pytest

from embedmill.shared.flow import token_buckets
from embedmill.simulators.clock import Clock
from embedmill.simulators.limits import Quota

PROCESSES = 4
PATIENCE_SECONDS, WAKING_SECONDS, LATENCY_SECONDS = 2.0, 0.2, 0.06
MINUTES = 5


class Simulated(Clock):
    """A clock that only moves when it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.at = 1_800_000_000.0

    def now(self) -> float:
        return self.at


@dataclass
class Fleet:
    """Processes that always have work, one allowance, and the provider's own buckets."""

    tokens_per_minute: int
    largest_call: int
    clock: Simulated = field(default_factory=Simulated)
    value: dict[str, Any] = field(default_factory=dict)
    used: int = 0
    calls: int = 0
    refused: int = 0

    def run(self, *, seconds: float) -> None:
        chance = random.Random(7)
        limits = {"tokens": self.tokens_per_minute}
        provider = Quota(limits, clock=self.clock)
        end = self.clock.at + seconds
        due = [(self.clock.at + n / 1000, n, chance.randint(1, self.largest_call)) for n in range(PROCESSES)]
        while due and due[0][0] < end:
            self.clock.at, process, amount = heapq.heappop(due)
            amounts = {"tokens": amount}
            self.value, wait = token_buckets.take(
                self.value, self.clock.at, amounts, limits, job="1", patience=PATIENCE_SECONDS
            )
            if wait is not None:
                pause = wait.seconds if wait.seconds <= PATIENCE_SECONDS else wait.promise + WAKING_SECONDS
            else:
                pause = LATENCY_SECONDS
                amount = self._send(provider, amount, limits) or chance.randint(1, self.largest_call)
            heapq.heappush(due, (self.clock.at + pause, process, amount))

    def _send(self, provider: Quota, amount: int, limits: dict[str, int]) -> int:
        """0 when the call went through, what has to be sent again otherwise."""
        self.calls += 1
        exceeded = provider.take("key", {"tokens": amount})
        if exceeded is None:
            self.used += amount
            return 0
        self.refused += 1
        self.value = token_buckets.refuse(self.value, self.clock.at, exceeded.retry_after_seconds, limits)
        return amount


@pytest.mark.parametrize("largest_call", [2_000, 20_000, 200_000], ids=["small calls", "middling calls", "huge calls"])
def test_four_processes_use_nearly_all_of_a_limit_and_are_hardly_ever_refused(largest_call: int) -> None:
    fleet = Fleet(tokens_per_minute=240_000, largest_call=largest_call)
    fleet.run(seconds=60 * MINUTES)
    assert fleet.used >= 0.95 * MINUTES * fleet.tokens_per_minute
    assert fleet.refused <= 0.01 * fleet.calls
