"""What is known of providers: small JSON values that change one at a time, shared in Redis or in SQL, or one's own."""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
Value = dict[str, Any]
# Takes the value ({} at first) and the store's time in seconds; returns the new value, None to leave it, and a result.
Change = Callable[[Value, float], tuple[Value | None, T]]


class FlowState(ABC):
    """Values by key; a change is seen whole by everybody or not at all. Where it is shared, times are the store's."""

    @abstractmethod
    def update(self, key: str, change: Change[T]) -> T:
        """Apply a change to the value; it may be tried several times, so it must have no effect of its own."""

    @abstractmethod
    def peek(self, key: str) -> tuple[Value, float]:
        """The value as it is, and the store's time; locks nothing."""

    @abstractmethod
    def peek_all(self, prefix: str) -> tuple[dict[str, Value], float]:
        """The values of all keys that begin so, and the store's time; locks nothing."""

    def close(self) -> None:  # noqa: B027 - the database is closed by whoever opened it
        """Release connections."""


class LocalState(FlowState):
    """What one process knows for itself; safe between threads."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._values: dict[str, Value] = {}

    def update(self, key: str, change: Change[T]) -> T:
        with self._lock:
            changed, result = change(self._values.get(key, {}), self._clock())
            if changed is not None:
                self._values[key] = changed
            return result

    def peek(self, key: str) -> tuple[Value, float]:
        return self._values.get(key, {}), self._clock()

    def peek_all(self, prefix: str) -> tuple[dict[str, Value], float]:
        with self._lock:
            return {key: value for key, value in self._values.items() if key.startswith(prefix)}, self._clock()
