"""Rate limits of a simulator: token buckets that refill with the clock, one set of buckets for each key."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from embedmill.simulators.clock import Clock

MINUTE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Level:
    """One bucket as a response header tells it."""

    limit: int
    remaining: int
    reset_seconds: float
    """Until the bucket is full again."""


@dataclass(frozen=True, slots=True)
class Exceeded:
    """Why a request has to wait; `retry_after_seconds` is exact: then it fits, if nobody else comes."""

    dimension: str
    limit: int
    wanted: int
    retry_after_seconds: float


class Quota:
    """Allowances a minute by dimension (`requests`, `tokens`, …), filled continuously, up to what a bucket holds.

    That is a minute's worth, or less where a vendor enforces the limit of a minute over shorter spans.
    """

    def __init__(
        self, per_minute: Mapping[str, int | None], *, clock: Clock, bucket_seconds: float = MINUTE_SECONDS
    ) -> None:
        self._span = bucket_seconds / MINUTE_SECONDS
        self._limits = {dimension: limit for dimension, limit in per_minute.items() if limit is not None}
        self._clock = clock
        self._levels: dict[tuple[str, str], tuple[float, float]] = {}
        self._lock = threading.Lock()

    def take(self, key: str, amounts: Mapping[str, int]) -> Exceeded | None:
        """Take the amounts from the buckets of `key`, all or none; what is not limited costs nothing."""
        with self._lock:
            for dimension, wanted in amounts.items():
                if (exceeded := self._lacking(key, dimension, wanted)) is not None:
                    return exceeded
            for dimension, wanted in amounts.items():
                if dimension in self._limits:
                    self._levels[key, dimension] = (self._level(key, dimension) - wanted, self._clock.now())
        return None

    def levels(self, key: str) -> dict[str, Level]:
        """Every limited dimension as it stands for `key`."""
        with self._lock:
            return {dimension: self._told(key, dimension) for dimension in self._limits}

    def _lacking(self, key: str, dimension: str, wanted: int) -> Exceeded | None:
        if dimension not in self._limits:
            return None
        capacity = self._capacity(dimension)
        lacking = min(wanted, capacity) - self._level(key, dimension)
        if lacking <= 0 and wanted <= capacity:
            return None
        seconds = max(lacking, 0.0) / self._limits[dimension] * MINUTE_SECONDS
        return Exceeded(dimension, self._limits[dimension], wanted, seconds)

    def _level(self, key: str, dimension: str) -> float:
        limit = self._limits[dimension]
        capacity = self._capacity(dimension)
        level, at = self._levels.get((key, dimension), (capacity, self._clock.now()))
        return min(capacity, level + (self._clock.now() - at) / MINUTE_SECONDS * limit)

    def _told(self, key: str, dimension: str) -> Level:
        limit, level = self._limits[dimension], self._level(key, dimension)
        missing = self._capacity(dimension) - level
        return Level(limit, max(int(level), 0), missing / limit * MINUTE_SECONDS)

    def _capacity(self, dimension: str) -> float:
        return max(1.0, self._limits[dimension] * self._span)
