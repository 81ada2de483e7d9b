"""What brokers beyond this home have in common: Celery's own connections, bounded in time, with errors translated."""

import importlib.util
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from kombu import Connection
from kombu.exceptions import KombuError

from embedmill.shared.errors import BrokerUnavailable, MissingExtra
from embedmill.shared.settings import Settings
from embedmill.workers.brokers.base import Broker
from embedmill.workers.messages import BatchMessage

# How long one attempt to connect, or a wait for a free connection, may take.
CONNECT_SECONDS = 5
# How long a command or a publisher's confirmation may take.
ANSWER_SECONDS = 10
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


class RemoteBroker(Broker):
    """A broker that other homes and hosts use too, through a few connections of its own."""

    def __init__(self, settings: Settings) -> None:
        from embedmill.workers.app import app

        super().__init__(settings)
        self._connections = app.connection_for_write().Pool(limit=CONNECTIONS)

    def publish_many(self, messages: Sequence[BatchMessage]) -> None:
        from embedmill.workers.app import app
        from embedmill.workers.tasks import send

        with self._connection() as connection:
            producer = app.amqp.Producer(connection, auto_declare=False)
            with producer.batch(max_size=BATCH):
                for message in messages:
                    send(message, producer=producer)

    def close(self) -> None:
        self._connections.force_close_all()

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        """A pooled connection, with errors translated."""
        with translated(), self._connections.acquire(block=True, timeout=CONNECT_SECONDS) as connection:
            yield connection

    @contextmanager
    def _channel(self) -> Iterator[Any]:
        """A channel of a pooled connection, with errors translated."""
        with self._connection() as connection:
            yield connection.default_channel


@contextmanager
def translated() -> Iterator[None]:
    """Raise BrokerUnavailable for whatever a broker's library raises when it cannot be reached or refuses."""
    try:
        yield
    except (KombuError, OSError) as error:
        raise _unavailable(error) from error
    except Exception as error:
        if isinstance(error, _library_errors()):
            raise _unavailable(error) from error
        raise


def _unavailable(error: BaseException) -> BrokerUnavailable:
    return BrokerUnavailable(f"the broker cannot be reached or refuses: {_reason(error)}")


def _library_errors() -> tuple[type[Exception], ...]:
    """Of whichever library is in use; asking for it opens no connection."""
    from embedmill.workers.app import app

    transport = app.connection_for_write().transport
    return (*transport.connection_errors, *transport.channel_errors)


def _reason(error: BaseException) -> str:
    """One line without the credentials of a URL."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return re.sub(r"//[^/@\s]*@", "//***@", text)[:300]


def require_module(module: str, *, scheme: str, extra: str) -> None:
    """Raise MissingExtra when a broker's library is not installed."""
    if importlib.util.find_spec(module) is None:
        hint = f"pip install 'embedmill[{extra}]'"
        raise MissingExtra(f"EMBEDMILL_BROKER_URL: {scheme}:// needs the package {module}: {hint}", hint=hint)


def shown(url: str) -> str:
    """A broker's URL without its password."""
    return str(Connection(url).as_uri())
