"""Celery's consumer as our workers use it: it outlives its broker, keeps what it cannot read, and talks to nobody."""

import os
from contextlib import suppress
from typing import Any

from celery.worker.consumer import consumer
from celery.worker.consumer.connection import Connection
from celery.worker.consumer.events import Events
from celery.worker.consumer.mingle import Mingle
from celery.worker.consumer.tasks import Tasks
from kombu import Message

from embedmill.shared.logs import get_logger
from embedmill.workers.brokers import celery_compat
from embedmill.workers.consuming import unreadable

log = get_logger()


class Alarm:
    """A pipe by which a thread wakes an event loop."""

    def __init__(self) -> None:
        self.reader, self._writer = os.pipe()
        for end in (self.reader, self._writer):
            os.set_blocking(end, False)

    def ring(self) -> None:
        """A full pipe has woken the loop already."""
        with suppress(BlockingIOError):
            os.write(self._writer, b".")

    def clear(self) -> None:
        """Whatever was rung is answered by one look."""
        with suppress(BlockingIOError):
            os.read(self.reader, 4096)


class Consumer(consumer.Consumer):
    """No gossip, no mingle, no remote control, no queues for delayed delivery: only the stages' queues are touched."""

    class Blueprint(consumer.Consumer.Blueprint):
        """What is left of the steps of a stock consumer; Tasks requires the two that do nothing here."""

        default_steps = (Connection, Events, Mingle, Tasks, consumer.Evloop)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        alone = {"without_gossip": True, "without_mingle": True, "without_heartbeat": True}
        self._alarm = Alarm()
        super().__init__(*arguments, **(options | alone))

    def register_with_event_loop(self, hub: Any) -> None:
        """Called at every connection, after the loop forgot all its readers."""
        super().register_with_event_loop(hub)
        hub.add_reader(self._alarm.reader, self._alarm.clear)

    def call_soon_ack(self, p: Any, *arguments: Any, **options: Any) -> Any:
        """Wake the loop, which would notice an acknowledgement from a pool's thread up to a second later."""
        result = super().call_soon_ack(p, *arguments, **options)
        self._alarm.ring()
        return result

    def on_connection_error_after_connected(self, exc: Exception) -> Any:
        """Say so once, and let go of the connection in the way of which the worker survives."""
        log.warning("broker.lost", error_class=type(exc).__name__)
        if self.connection is not None:
            celery_compat.close_once(self.connection)
        return super().on_connection_error_after_connected(exc)

    def on_decode_error(self, message: Message, exc: Exception) -> None:
        """Content that is not what its header says."""
        unreadable.keep(message, f"undecodable content: {type(exc).__name__}")

    def on_unknown_message(self, body: Any, message: Message) -> None:
        """Something that is no Celery task."""
        unreadable.keep(message, "not a task message")

    def on_unknown_task(self, body: Any, message: Message, exc: Exception) -> None:
        """A task of another release, or of somebody else."""
        unreadable.keep(message, f"unknown task {str(message.headers.get('task'))[:100]!r}")

    def on_invalid_task(self, body: Any, message: Message, exc: Exception) -> None:
        """A task whose message breaks the protocol."""
        unreadable.keep(message, f"invalid task message: {type(exc).__name__}")
