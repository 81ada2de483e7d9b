"""The embedded broker: a queue file in the home folder."""

from collections.abc import Sequence
from typing import Any

from celery import Celery
from kombu import Queue

from embedmill.shared import stages
from embedmill.shared.settings import Settings
from embedmill.workers.brokers.base import Health
from embedmill.workers.brokers.embedded_transport import QueueFile
from embedmill.workers.brokers.sending import CeleryBroker, send, translated
from embedmill.workers.messages import BatchMessage
from embedmill.workers.queues import queue_name


class EmbeddedBroker(CeleryBroker):
    """The broker of one home; whoever finds no other process at work there may purge it."""

    is_local = True
    pool = "solo"

    def __init__(self, settings: Settings, app: Celery) -> None:
        super().__init__(settings, app)
        self._file = QueueFile(_path(settings))

    @classmethod
    def configure(cls, settings: Settings) -> dict[str, Any]:
        return {
            "broker_url": "embedded://",
            "broker_transport": "embedmill.workers.brokers.embedded_transport:EmbeddedTransport",
            "broker_transport_options": {"path": _path(settings)},
            "task_queues": [Queue(queue_name(stage), routing_key=queue_name(stage)) for stage in stages.names()],
        }

    def _send_all(self, messages: Sequence[BatchMessage]) -> None:
        with translated(self._app):
            for message in messages:
                send(self._app, message)

    def depths(self) -> dict[str, int]:
        with translated(self._app):
            counts = self._file.depths()
        return {stage: counts.get(queue_name(stage), 0) for stage in stages.names()}

    def check(self) -> Health:
        return Health(f"embedded://; {self.depth()} messages waiting")

    def purge(self) -> None:
        with translated(self._app):
            self._file.purge()

    def close(self) -> None:
        self._file.close()


def _path(settings: Settings) -> str:
    return str(settings.home_path / "queue.db")
