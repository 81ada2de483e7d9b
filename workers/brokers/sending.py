"""Sends wake-ups through Celery, bounded in time, with the errors of a broker's library translated."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from celery import Celery
from kombu.exceptions import KombuError

from embedmill.shared.settings import Settings
from embedmill.workers.brokers.base import Broker, unavailable
from embedmill.workers.brokers.table import configuration
from embedmill.workers.messages import BatchMessage
from embedmill.workers.queues import queue_name, task_name

# How long a command or a publisher's confirmation may take.
ANSWER_SECONDS = 10


def send(app: Celery, message: BatchMessage, **options: Any) -> None:
    """Send a wake-up; raises what the broker's library raises."""
    app.send_task(
        task_name(message.stage),
        args=[message.encode()],
        queue=queue_name(message.stage),
        retry=False,
        confirm_timeout=ANSWER_SECONDS,
        **options,
    )


@contextmanager
def translated(app: Celery) -> Iterator[None]:
    """Raise BrokerUnavailable for whatever a broker's library raises when it cannot be reached or refuses."""
    try:
        yield
    except (KombuError, OSError) as error:
        raise unavailable(error) from error
    except Exception as error:
        if isinstance(error, _library_errors(app)):
            raise unavailable(error) from error
        raise


def _library_errors(app: Celery) -> tuple[type[Exception], ...]:
    """Of whichever library is in use; asking for it opens no connection."""
    transport = app.connection_for_write().transport
    return (*transport.connection_errors, *transport.channel_errors)


class CeleryBroker(Broker):
    """A broker to which messages are sent through a Celery app of its own, configured once by whoever opens it."""

    def __init__(self, settings: Settings, app: Celery) -> None:
        super().__init__(settings)
        self._app = app

    @classmethod
    def open(cls, settings: Settings) -> "CeleryBroker":
        app = Celery("embedmill", set_as_current=False)
        app.conf.update(configuration(settings))
        return cls(settings, app)

    def publish_many(self, messages: Sequence[BatchMessage]) -> None:
        self._send_all(messages)
        self.published += len(messages)

    @abstractmethod
    def _send_all(self, messages: Sequence[BatchMessage]) -> None:
        """Send each; raises BrokerUnavailable."""
