"""The broker as the chores see it: send a wake-up, ask how many are out, drop them all."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from shared.errors import ProviderUnavailable
from shared.messages import BatchMessage
from shared.settings import Settings
from shared.states import Stage


class Broker(Protocol):
    """What dispatching needs of a broker; `is_local` when it belongs to this home alone."""

    is_local: bool

    def publish(self, message: BatchMessage) -> None:
        """Send a wake-up."""

    def depth(self) -> int | None:
        """Messages that nobody has taken, or None where the broker cannot tell."""

    def purge(self) -> None:
        """Drop every message; the dispatcher sends again what is still wanted."""

    def close(self) -> None:
        """Release connections."""


class EmbeddedBroker:
    """The broker in the home folder."""

    is_local = True

    def __init__(self, settings: Settings) -> None:
        from workers.embedded_transport import QueueFile

        self._file = QueueFile(str(settings.home_path / "queue.db"))

    def publish(self, message: BatchMessage) -> None:
        """Send through Celery, as a worker does."""
        from workers.tasks import publish

        publish(message)

    def depth(self) -> int | None:
        """Rows of the queue file."""
        return self._file.depth()

    def purge(self) -> None:
        """Empty the queue file."""
        self._file.purge()

    def close(self) -> None:
        """Release the queue file."""
        self._file.close()


class RemoteBroker:
    """A broker that other hosts may use too, through Celery's own connections; raises ProviderUnavailable."""

    is_local = False

    def publish(self, message: BatchMessage) -> None:
        """Send through Celery, as a worker does."""
        from workers.tasks import publish

        with _translated():
            publish(message)

    def depth(self) -> int | None:
        """What kombu counts in the stages' queues; taken and unacknowledged messages are not among them."""
        from workers.app import app, queue_name

        with _translated(), app.pool.acquire(block=True) as connection:
            channel = connection.default_channel
            return sum(int(channel._size(queue_name(stage))) for stage in Stage)  # noqa: SLF001 - kombu has no other

    def purge(self) -> None:
        """Drop the messages in the stages' queues."""
        from workers.app import app, queue_name

        with _translated(), app.pool.acquire(block=True) as connection:
            for stage in Stage:
                connection.default_channel.queue_purge(queue_name(stage))

    def close(self) -> None:
        """Release pooled connections."""
        from workers.app import app

        app.pool.force_close_all()


@contextmanager
def _translated() -> Iterator[None]:
    from kombu.exceptions import KombuError

    from workers.app import app

    connection = app.connection_for_write()
    try:
        yield
    except (*connection.connection_errors, *connection.channel_errors, KombuError, OSError) as error:
        hint = "Work is safe in the database and goes on when the broker is back; see EMBEDMILL_BROKER_URL."
        raise ProviderUnavailable(f"the broker cannot be reached ({type(error).__name__})", hint=hint) from error


def open_broker(settings: Settings) -> Broker:
    """The broker that the settings name; raises SettingsError or MissingExtra as `workers.app.configuration` does."""
    from workers.app import configuration

    configuration(settings)
    return EmbeddedBroker(settings) if settings.broker_url.startswith("embedded://") else RemoteBroker()
