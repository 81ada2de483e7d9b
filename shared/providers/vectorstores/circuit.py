"""Owns the memory of a service that does not answer: it is left alone for a while, longer each time it is tried.

It is about a service that is down. One that stumbles, and fails now and then, is asked again at once (`persistence`).
"""

import threading
import time
from collections.abc import Callable
from typing import Any

from embedmill.shared.errors import FlowControl, ProviderUnavailable
from embedmill.shared.flow import circuit

POLICY = circuit.Policy(failures=10, first_rest_seconds=1.0, longest_rest_seconds=30.0, share=0.95)
REMEMBERED = 4
"""So many answers speak for a service at its first failure; an hour of them must not."""
HINT = "Work that waits for it goes on by itself; run any other command again in a moment, or `embedmill doctor`."


class Circuit:
    """One service, or one shard of it, as one process has met it; safe between threads."""

    def __init__(self, name: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._clock = clock
        self._lock = threading.Lock()
        self._value: dict[str, Any] = {}
        self._answered = 0
        self._answered_at = -1.0

    @property
    def now(self) -> float:
        """The time by its clock, for `unanswered`."""
        return self._clock()

    @property
    def is_closed(self) -> bool:
        """Whether as many as like may ask; otherwise one at a time tries whether it is back."""
        return not self._value.get("opened")

    def check(self) -> None:
        """Raises FlowControl while the service is to be left alone."""
        seconds = self._value.get("open_until", 0.0) - self._clock()
        if not self.is_closed and seconds > 0:
            raise self._refusal(seconds, "is left alone, it did not answer")

    def failed(self, cause: str, *, may_be_billed: bool = False) -> FlowControl | ProviderUnavailable:
        """Note that a request failed; returns what to raise, FlowControl when the service seems to be down."""
        return self._note(cause, POLICY, may_be_billed=may_be_billed)

    def unanswered(self, cause: str, *, since: float, may_be_billed: bool = True) -> FlowControl | ProviderUnavailable:
        """Note that a request was given up; when nobody had an answer since it was sent, the service is down."""
        if self._answered_at > since:
            return self.failed(cause, may_be_billed=may_be_billed)
        at_once = circuit.Policy(1, POLICY.first_rest_seconds, POLICY.longest_rest_seconds, share=0.0)
        return self._note(cause, at_once, may_be_billed=may_be_billed)

    def closed(self) -> None:
        """Note that the service answered."""
        with self._lock:
            self._answered_at = self._clock()
            self._answered = min(self._answered + 1, REMEMBERED)
            if self._value:
                changed, _ = circuit.succeed(self._value, self._clock(), answered=self._answered)
                self._value = self._value if changed is None else changed
                self._answered = 0

    def _note(self, cause: str, policy: circuit.Policy, *, may_be_billed: bool) -> FlowControl | ProviderUnavailable:
        with self._lock:
            answered, self._answered = self._answered, 0
            self._value, rest = circuit.fail(self._value, self._clock(), policy, answered=answered)
        failure = ProviderUnavailable(f"{self._name}: {cause}", may_be_billed=may_be_billed)
        return failure if rest <= 0 else self._refusal(rest, cause, may_be_billed=may_be_billed, failure=failure)

    def _refusal(
        self, seconds: float, cause: str, *, may_be_billed: bool = False, failure: ProviderUnavailable | None = None
    ) -> FlowControl:
        return FlowControl(
            f"{self._name}: {cause}",
            reason="circuit",
            retry_after_seconds=seconds,
            may_be_billed=may_be_billed,
            failure=failure,
            hint=HINT,
        )
