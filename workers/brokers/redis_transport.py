"""kombu's Redis transport, mended: lists may hold anything, and an acknowledgement that fails frees its place."""

from typing import Any

from kombu.asynchronous import get_event_loop
from kombu.transport import redis, virtual

from workers import celery_compat
from workers.brokers.envelopes import enveloped, read_json

if celery_compat.is_needed():
    # kombu parses an item between taking and delivering it; an error there loses the item and ends the worker.
    redis.loads = read_json


class QoS(redis.QoS):
    """Messages in hand, of which one that could not be acknowledged is no longer.

    A worker with its hands full does not listen, so it learns that Redis is gone by an acknowledgement that fails.
    kombu keeps such a message in hand, and the worker never listens again: it lives, and does nothing (decision 0006).
    """

    def ack(self, delivery_tag: str) -> None:
        """Let go in any case; Redis hands the message out again later, if it still has it."""
        try:
            super().ack(delivery_tag)
        except Exception as error:
            self._let_go(delivery_tag, error)
            raise

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:  # noqa: FBT001, FBT002 - kombu's signature
        """As `ack`."""
        try:
            super().reject(delivery_tag, requeue=requeue)
        except Exception as error:
            self._let_go(delivery_tag, error)
            raise

    def _let_go(self, delivery_tag: str, error: Exception) -> None:
        """Free the place, and have the worker connect anew: its old sockets may look alive and never be read."""
        if not celery_compat.is_needed():
            return
        virtual.QoS.ack(self, delivery_tag)
        hub = get_event_loop()
        if hub is not None and isinstance(error, self.channel.connection_errors):
            hub.call_soon(_raise, error)


def _raise(error: Exception) -> None:
    raise error


class Channel(redis.Channel):
    """A channel with our bookkeeping of what is in hand."""

    QoS = QoS


class Transport(redis.Transport):
    """`redis://`, delivering whatever a list holds."""

    Channel = Channel

    def _deliver(self, message: Any, queue: str) -> None:
        super()._deliver(enveloped(message, queue=queue), queue)
