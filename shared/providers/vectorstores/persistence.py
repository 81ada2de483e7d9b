"""Owns how a single request is made again: a few times, after short and uneven pauses, for some seconds at most.

A batch is a chain of many requests. If one that fails sent the whole batch back, a service that fails one request in
ten would hardly ever see a batch through.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from embedmill.shared.errors import FlowControl, ProviderUnavailable
from embedmill.shared.states import WaitReason

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Persistence:
    """How often a request is made and how long that may take; only for requests that may be carried out twice."""

    tries: int = 8
    first_seconds: float = 0.05
    longest_seconds: float = 0.8
    told_seconds: float = 2.0
    """A Retry-After up to this is waited for; a longer one parks the work."""
    bound_seconds: float = 6.0
    """No try begins later than this after the first."""
    sleep: Callable[[float], None] = time.sleep
    draw: Callable[[], float] = random.random
    clock: Callable[[], float] = time.monotonic

    def ask(self, request: Callable[[], T]) -> T:
        """The answer to a request; raises what the last try did."""
        began = self.clock()
        for number in range(self.tries - 1):
            try:
                return request()
            except (FlowControl, ProviderUnavailable) as error:
                pause = self._pause(error, number)
                if pause is None or self.clock() + pause > began + self.bound_seconds:
                    raise
            self.sleep(pause)
        return request()

    def _pause(self, error: FlowControl | ProviderUnavailable, number: int) -> float | None:
        apart = min(self.first_seconds * 2.0**number, self.longest_seconds) * (0.5 + self.draw())
        if isinstance(error, ProviderUnavailable):
            return apart
        if error.reason != WaitReason.RATE or error.retry_after_seconds > self.told_seconds:
            return None
        return max(apart, error.retry_after_seconds) if error.is_told else apart
