"""What brokers beyond this home have in common: Celery's own connections, bounded in time, with errors translated."""

import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from celery import Celery
from kombu import Connection

from embedmill.shared.errors import MissingExtra
from embedmill.shared.settings import Settings
from embedmill.workers.brokers.sending import CeleryBroker, send, translated
from embedmill.workers.messages import BatchMessage

# How long one attempt to connect, or a wait for a free connection, may take.
CONNECT_SECONDS = 5
# After this a broker hands an unacknowledged message out again; what it was about was sent again long before.
VISIBILITY_SECONDS = 900
# The chores and the console use one at a time.
CONNECTIONS = 2
# Messages in one round trip, where the broker can.
BATCH = 500

RECONNECT: dict[str, Any] = {
    # Of publishers: one more try, then the work goes back to the dispatcher. Consumers reconnect for ever.
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.2,
    "interval_max": 0.5,
}
COMMON: dict[str, Any] = {
    "broker_connection_timeout": CONNECT_SECONDS,
    "broker_connection_retry": True,
    "broker_connection_max_retries": None,
    "broker_pool_acquire_timeout": CONNECT_SECONDS,
    # A publication that fails is made again by the dispatcher, from the database.
    "task_publish_retry": False,
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    "worker_enable_prefetch_count_reduction": False,
}


class RemoteBroker(CeleryBroker):
    """A broker that other homes and hosts use too, through a few connections of its own."""

    def __init__(self, settings: Settings, app: Celery) -> None:
        super().__init__(settings, app)
        self._connections = app.connection_for_write().Pool(limit=CONNECTIONS)

    def _send_all(self, messages: Sequence[BatchMessage]) -> None:
        with self._connection() as connection:
            producer = self._app.amqp.Producer(connection, auto_declare=False)
            with producer.batch(max_size=BATCH):
                for message in messages:
                    send(self._app, message, producer=producer)

    def close(self) -> None:
        self._connections.force_close_all()

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        """A pooled connection, with errors translated."""
        with translated(self._app), self._connections.acquire(block=True, timeout=CONNECT_SECONDS) as connection:
            yield connection

    @contextmanager
    def _channel(self) -> Iterator[Any]:
        """A channel of a pooled connection, with errors translated."""
        with self._connection() as connection:
            yield connection.default_channel


def require_module(module: str, *, scheme: str, extra: str) -> None:
    """Raise MissingExtra when a broker's library is not installed."""
    if importlib.util.find_spec(module) is None:
        hint = f"pip install 'embedmill[{extra}]'"
        raise MissingExtra(f"EMBEDMILL_BROKER_URL: {scheme}:// needs the package {module}: {hint}", hint=hint)


def shown(url: str) -> str:
    """A broker's URL without its password."""
    return str(Connection(url).as_uri())
