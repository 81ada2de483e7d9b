"""Owns the memory of a service that did not answer: it is left alone for a while, longer each time it is tried."""

import time
from collections.abc import Callable

from shared.errors import FlowControl

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
HINT = "Work that waits for it goes on by itself; run any other command again in a moment, or `embedmill doctor`."


class Circuit:
    """One service, or one shard of it, as one process has met it."""

    def __init__(self, name: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._clock = clock
        self._pause = 0.0
        self._open_until = 0.0

    def check(self) -> None:
        """Raises FlowControl while the service is to be left alone."""
        left = self._open_until - self._clock()
        if left > 0:
            raise self._refusal(left, "is left alone, it did not answer")

    def opened(self, cause: str, *, may_be_billed: bool = False) -> FlowControl:
        """Note that the service did not answer; returns what to raise."""
        self._pause = min(max(2 * self._pause, FIRST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
        self._open_until = self._clock() + self._pause
        return self._refusal(self._pause, cause, may_be_billed=may_be_billed)

    def closed(self) -> None:
        """Note that the service answered."""
        self._pause = 0.0
        self._open_until = 0.0

    def _refusal(self, seconds: float, cause: str, *, may_be_billed: bool = False) -> FlowControl:
        message = f"{self._name}: {cause}"
        return FlowControl(
            message, reason="circuit", retry_after_seconds=seconds, may_be_billed=may_be_billed, hint=HINT
        )
