"""Owns what a search says of its steps: which ran, why one did not, what went in and came out, cost and time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a search; `why` says why it did not run, or what is to be known of how it ran.

    `given` and `out` count what it is about: candidates, as a rule. `calls` are those of a paid model, `usd` their
    cost. `failed` where it was meant to run and could not, so that the answer is less than it might be.
    """

    name: str
    ran: bool = False
    why: str = ""
    given: int = field(default=0, metadata={"published_as": "in"})
    out: int = 0
    calls: int = 0
    usd: float = 0.0
    seconds: float = 0.0
    failed: bool = False


@dataclass(slots=True)
class Running:
    """A step under way; it is told what there is to say of it."""

    ran: bool = False
    why: str = ""
    given: int = 0
    out: int = 0
    calls: int = 0
    usd: float = 0.0
    seconds: float = 0.0
    failed: bool = False

    def fail(self, why: str) -> None:
        """It could not do its work, and the search goes on without it."""
        self.ran, self.failed, self.why = False, True, why


class Steps:
    """The steps of one search, in their order; time in an inner step counts for that step only."""

    def __init__(self, *names: str) -> None:
        self._steps = {name: Running() for name in names}
        self._started = time.perf_counter()
        self._inner = 0.0

    @property
    def degraded(self) -> bool:
        """Whether a step was meant to run and could not."""
        return any(step.failed for step in self._steps.values())

    def skip(self, name: str, why: str) -> None:
        """Say why a step has nothing to do."""
        self._steps[name].why = why

    @contextmanager
    def step(self, name: str, given: int = 0) -> Iterator[Running]:
        """Take the time of a step, which may run again: then the last time tells what went in and out."""
        step = self._steps[name]
        step.ran, step.why, step.given = True, "", given
        outer, self._inner = self._inner, 0.0
        begin = time.perf_counter()
        try:
            yield step
        finally:
            elapsed = time.perf_counter() - begin
            step.seconds += elapsed - self._inner
            self._inner = outer + elapsed

    def told(self) -> list[Step]:
        """Every step as it ended."""
        return [
            Step(name, s.ran, s.why, s.given, s.out, s.calls, s.usd, round(s.seconds, 6), s.failed)
            for name, s in self._steps.items()
        ]

    def timings(self) -> dict[str, float]:
        """Milliseconds of every step, and in `total` since the start."""
        spent = {name: step.seconds for name, step in self._steps.items()}
        total = time.perf_counter() - self._started
        return {name: round(1000 * seconds, 3) for name, seconds in (spent | {"total": total}).items()}
