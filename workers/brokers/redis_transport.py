"""kombu's Redis transport, mended: lists may hold anything, and an acknowledgement that fails frees its place."""

from typing import Any

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
        except Exception:
            if celery_compat.is_needed():
                virtual.QoS.ack(self, delivery_tag)
            raise

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:  # noqa: FBT001, FBT002 - kombu's signature
        """As `ack`."""
        try:
            super().reject(delivery_tag, requeue=requeue)
        except Exception:
            if celery_compat.is_needed():
                virtual.QoS.ack(self, delivery_tag)
            raise


class Channel(redis.Channel):
    """A channel with our bookkeeping of what is in hand."""

    QoS = QoS


class Transport(redis.Transport):
    """`redis://`, delivering whatever a list holds."""

    Channel = Channel

    def _deliver(self, message: Any, queue: str) -> None:
        super()._deliver(enveloped(message, queue=queue), queue)
