"""Owns the timing of a query's steps."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """Milliseconds by step since it was made; time in an inner step counts for that step only."""

    def __init__(self, *steps: str) -> None:
        self._spent = dict.fromkeys(steps, 0.0)
        self._started = time.perf_counter()
        self._inner = 0.0

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Count the time spent inside for `name`."""
        outer, self._inner = self._inner, 0.0
        begin = time.perf_counter()
        try:
            yield
        finally:
            elapsed = (time.perf_counter() - begin) * 1000
            self._spent[name] += elapsed - self._inner
            self._inner = outer + elapsed

    def timings(self) -> dict[str, float]:
        """Milliseconds of every step, and in `total` since the start."""
        total = (time.perf_counter() - self._started) * 1000
        return {name: round(spent, 3) for name, spent in (self._spent | {"total": total}).items()}
