"""Compatibility with Celery 5.7.0 on Redis: its consumer closes a lost connection twice and then dies with it.

`Connection.collect()` has closed the connection when `close()` is called once more; the second close drops the pool,
so that the acknowledgement of the task in hand, and with it the worker, fails (facts/brokers.md, section 3).
"""

from typing import Any

import celery
from celery.worker.consumer import Consumer

BROKEN = ((5, 7, 0),)


def _version() -> tuple[int, ...]:
    return tuple(int(part) for part in celery.__version__.split(".")[:3] if part.isdigit())


class ResilientConsumer(Consumer):  # type: ignore[misc]  # Celery has no types
    """A consumer that survives an outage of Redis with a task in hand."""

    def on_connection_error_after_connected(self, exc: Exception) -> Any:
        """Leave the second close out on the versions that have it."""
        connection = self.connection
        if _version() in BROKEN and connection is not None and connection.transport.driver_type == "redis":
            connection.close = connection.release = lambda: None
        return super().on_connection_error_after_connected(exc)
