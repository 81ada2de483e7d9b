"""Owns how many requests go to one shard at once: more while it keeps up, half when it refuses, none while it is dead.

Additive increase, multiplicative decrease, for each shard apart, so that one that is slow or dead takes nothing from
its neighbours.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from embedmill.shared.errors import FlowControl, ProviderUnavailable
from embedmill.shared.providers.vectorstores.outages import open_circuit

START = 4.0
MOST = 16.0
HALVED_SECONDS = 1.0
"""After a refusal so long no other halves again: those that were under way together are refused together."""


class Waited(threading.local):
    """How long a thread has waited for turns, in all limiters that share this."""

    seconds = 0.0


class ShardLimiter:
    """The requests of one process to one shard, or to the service itself; `name` says which in errors."""

    def __init__(
        self,
        name: str,
        *,
        patience_seconds: float,
        clock: Callable[[], float] = time.monotonic,
        waited: Waited | None = None,
    ) -> None:
        self._circuit = open_circuit(name, clock=clock)
        self._clock = clock
        self._answered_at = -1.0
        self._waited = waited or Waited()
        self._halved_until = 0.0
        self._name = name
        self._patience_seconds = patience_seconds
        self._limit = START
        self._active = 0
        self._ended = 0
        self._free = threading.Condition()

    @property
    def limit(self) -> int:
        """Requests that may be under way now; one, to a shard that was down a moment ago."""
        return int(self._limit) if self._circuit.is_closed else 1

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn as long as those of others come to an end; raises FlowControl."""
        self.check()
        began = self._clock()
        with self._free:
            self._await_turn()
            self._active += 1
        self._waited.seconds += self._clock() - began
        try:
            self.check()  # whoever went before may have found the shard dead
            yield
        finally:
            with self._free:
                self._active -= 1
                self._ended += 1
                self._free.notify_all()

    def _await_turn(self) -> None:
        ended = None
        while ended != self._ended:
            ended = self._ended
            if self._free.wait_for(lambda: self._active < self.limit, self._patience_seconds):
                return
        message = f"{self._name}: no turn within {self._patience_seconds:g} s"
        raise FlowControl(message, reason="rate", retry_after_seconds=self._patience_seconds)

    @property
    def now(self) -> float:
        """The time by its clock, for `unanswered`."""
        return self._clock()

    def check(self) -> None:
        """Raise FlowControl while the shard is to be left alone."""
        self._circuit.ask()

    def failed(self, cause: str, *, may_be_billed: bool = False) -> FlowControl | ProviderUnavailable:
        """A request failed; returns what to raise, FlowControl when the shard seems to be down."""
        return self._circuit.failed(self._failure(cause, may_be_billed=may_be_billed))

    def unanswered(self, cause: str, *, since: float, may_be_billed: bool = True) -> FlowControl | ProviderUnavailable:
        """A request was given up; when nobody had an answer since it was sent, the shard is down."""
        is_down = self._answered_at <= since
        return self._circuit.failed(self._failure(cause, may_be_billed=may_be_billed), is_down=is_down)

    def _failure(self, cause: str, *, may_be_billed: bool) -> ProviderUnavailable:
        return ProviderUnavailable(f"{self._name}: {cause}", may_be_billed=may_be_billed)

    def succeeded(self) -> None:
        """One more after a round of successes."""
        self._answered_at = self._clock()
        self._circuit.succeeded()
        with self._free:
            self._limit = min(MOST, self._limit + 1 / self._limit)
            self._free.notify_all()

    def refused(self) -> None:
        """Half as many, one at least."""
        with self._free:
            if self._clock() >= self._halved_until:
                self._limit = max(1.0, self._limit / 2)
                self._halved_until = self._clock() + HALVED_SECONDS


class Pause:
    """Growing waits until a deadline, for polling something that is late."""

    def __init__(self, *, seconds: float, first: float = 0.02, longest: float = 1.0) -> None:
        self._deadline = time.monotonic() + seconds
        self._next = first
        self._longest = longest

    def wait(self) -> bool:
        """Sleep a little; False when the deadline is over."""
        if time.monotonic() >= self._deadline:
            return False
        time.sleep(self._next)
        self._next = min(2 * self._next, self._longest)
        return True
