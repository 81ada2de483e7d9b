"""What processes tell each other about providers: small JSON values that change one at a time, in Redis or in SQL."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar

from embedmill.shared.db import flow
from embedmill.shared.db.engine import Connection, Database
from embedmill.shared.settings import REDIS_SCHEMES, Settings

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


class DatabaseState(SharedState):
    """In the tracking database: a row a key, locked for the moment of its change."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def update(self, key: str, change: Change[T]) -> T:
        def apply(connection: Connection) -> T:
            value, now = flow.lock_value(connection, key)
            changed, result = change(value, now)
            if changed is not None:
                flow.write_value(connection, key, changed)
            return result

        return self._database.transact(apply)

    def peek(self, key: str) -> tuple[Value, float]:
        return self._database.query(lambda connection: flow.read_value(connection, key))

    def peek_all(self, prefix: str) -> tuple[dict[str, Value], float]:
        return self._database.query(lambda connection: flow.list_values(connection, prefix))


def open_shared_state(settings: Settings, database: Database) -> SharedState:
    """Redis where the setting or the broker names one, the tracking database otherwise."""
    url = settings.limits_url or settings.broker_url
    if url.startswith(REDIS_SCHEMES):
        from embedmill.shared.flow.redis_state import RedisState

        return RedisState(url)
    return DatabaseState(database)
