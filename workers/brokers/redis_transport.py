"""kombu's Redis transport, mended: lists may hold anything, and an acknowledgement that fails frees its place."""

import time
from typing import Any

from kombu import Connection
from kombu.asynchronous import get_event_loop
from kombu.transport import redis, virtual

from embedmill.workers.brokers import celery_compat
from embedmill.workers.brokers.envelopes import enveloped, read_json

if celery_compat.is_needed():
    # kombu parses an item between taking and delivering it; an error there loses the item and ends the worker.
    redis.loads = read_json

# An idle worker asks anew every second; after so long without an answer it connects anew.
SILENCE_SECONDS = 12.0


class RedisQoS(redis.QoS):
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


class RedisChannel(redis.Channel):
    """A channel with our bookkeeping of what is in hand."""

    QoS = RedisQoS
    heard_at = float("inf")

    def _brpop_read(self, **options: Any) -> Any:
        self.heard_at = time.monotonic()
        return super()._brpop_read(**options)

    def require_replies(self) -> None:
        """Raise ConnectionError when Redis, which answers a waiting worker every second, has not done so for long."""
        now = time.monotonic()
        if not self.active_queues or not self.qos.can_consume() or self.heard_at > now:
            self.heard_at = now
        elif now - self.heard_at > SILENCE_SECONDS:
            raise ConnectionError("Redis does not answer although the worker listens")


class RedisTransport(redis.Transport):
    """`redis://`, delivering whatever a list holds."""

    Channel = RedisChannel

    def register_with_event_loop(self, connection: Connection, loop: Any) -> None:
        """Watch that Redis goes on answering; a socket that nobody reads any more is not found in another way."""
        super().register_with_event_loop(connection, loop)
        loop.call_repeatedly(SILENCE_SECONDS / 3, self._require_replies)

    def _require_replies(self) -> None:
        for channel in self.channels or ():
            channel.require_replies()

    def _deliver(self, message: Any, queue: str) -> None:
        super()._deliver(enveloped(message, queue=queue), queue)
