"""What processes tell each other about providers: small JSON values that change one at a time, in Redis or in SQL."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
Value = dict[str, Any]
# Takes the value ({} at first) and the store's time in seconds; returns the new value, None to leave it, and a result.
Change = Callable[[Value, float], tuple[Value | None, T]]


class SharedState(ABC):
    """Values by key; a change is seen whole by everybody or not at all. Times are the store's, never a worker's."""

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
