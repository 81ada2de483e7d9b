"""The broker as the chores see it: send a wake-up, ask how many are out, drop them all."""

from typing import Protocol

from shared.messages import BatchMessage
from shared.settings import Settings


class Broker(Protocol):
    """What dispatching needs of a broker."""

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
