"""RabbitMQ as the broker: quorum queues, confirmed publications, and a dead-letter queue behind every queue."""

from collections.abc import Callable
from typing import Any

from amqp.exceptions import NotFound
from kombu import Exchange, Queue

from embedmill.shared import stages
from embedmill.shared.settings import Settings
from embedmill.workers.brokers.base import DeadMessage, Health
from embedmill.workers.brokers.envelopes import as_text
from embedmill.workers.brokers.remote import COMMON, RECONNECT, RemoteBroker, shown
from embedmill.workers.brokers.securing import secured
from embedmill.workers.brokers.sending import ANSWER_SECONDS
from embedmill.workers.queues import queue_name

# Deliveries after which RabbitMQ gives a message up. The database counts attempts and blames the guilty document long
# before; this only stops a message that circles without anybody's claim.
DELIVERY_LIMIT = 20
DEAD_SUFFIX = ".dead"


class StageQueue(Queue):
    """A stage's queue, declared after the dead-letter queue that it points to."""

    def declare(self, *arguments: Any, **options: Any) -> Any:
        """Declare both; RabbitMQ does nothing where they exist already."""
        channel = options.get("channel") or self.channel
        dead_queue(self.name)(channel).declare()
        return super().declare(*arguments, **options)


def stage_queue(name: str) -> Queue:
    """A quorum queue whose dead letters are handed on safely: at least once, and only when they have arrived."""
    return StageQueue(
        name,
        exchange=Exchange(""),
        routing_key=name,
        durable=True,
        queue_arguments={
            "x-queue-type": "quorum",
            "x-delivery-limit": DELIVERY_LIMIT,
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": f"{name}{DEAD_SUFFIX}",
            "x-dead-letter-strategy": "at-least-once",
            # What at-least-once needs: a full queue refuses publications and drops nothing.
            "x-overflow": "reject-publish",
        },
    )


def dead_queue(name: str) -> Queue:
    """The dead-letter queue of a queue."""
    dead = f"{name}{DEAD_SUFFIX}"
    return Queue(
        dead, exchange=Exchange(""), routing_key=dead, durable=True, queue_arguments={"x-queue-type": "quorum"}
    )


class RabbitBroker(RemoteBroker):
    """`amqp://` and `amqps://`."""

    @classmethod
    def configure(cls, settings: Settings) -> dict[str, Any]:
        found = COMMON | {
            "broker_url": settings.broker_url,
            # A connection that went silent is found after two of these, and one is looked for twice in each.
            "broker_heartbeat": 20,
            "broker_transport_options": RECONNECT
            | {"confirm_publish": True, "read_timeout": ANSWER_SECONDS, "write_timeout": ANSWER_SECONDS},
            "task_queues": [stage_queue(queue_name(stage)) for stage in stages.names()],
            "task_default_queue_type": "quorum",
            "worker_detect_quorum_queues": True,
        }
        return found | secured(settings.broker_url)

    def depths(self) -> dict[str, int]:
        """By passive declaration: messages that are ready, without those in a worker's hands."""
        return {stage: self._count(queue_name(stage)) for stage in stages.names()}

    def dead_depths(self) -> dict[str, int]:
        return {stage: self._count(f"{queue_name(stage)}{DEAD_SUFFIX}") for stage in stages.names()}

    def drain_dead(self, handle: Callable[[DeadMessage], object], *, limit: int) -> int:
        drained = 0
        for stage in stages.names():
            if self._count(f"{queue_name(stage)}{DEAD_SUFFIX}"):
                drained += self._drain(stage, handle, limit=limit - drained)
        return drained

    def _drain(self, stage: str, handle: Callable[[DeadMessage], object], *, limit: int) -> int:
        with self._channel() as channel, channel.connection.channel() as own:
            for drained in range(limit):
                message = own.basic_get(f"{queue_name(stage)}{DEAD_SUFFIX}")
                if message is None:
                    return drained
                handle(DeadMessage(queue_name(stage), as_text(message.body), message.headers or {}))
                own.basic_ack(message.delivery_tag)
        return limit

    def check(self) -> Health:
        with self._channel() as channel:
            version = channel.connection.server_properties.get("version", "unknown")
        return Health(f"{shown(self.settings.broker_url)}, version {version}; {self.depth()} messages waiting")

    def purge(self) -> None:
        for stage in stages.names():
            if self._count(queue_name(stage)):
                with self._channel() as channel:
                    channel.queue_purge(queue_name(stage))

    def _count(self, name: str) -> int:
        """0 for a queue that nobody declared yet, which closes the channel; so it is asked on one of its own."""
        with self._channel() as channel:
            own = channel.connection.channel()
            try:
                return int(own.queue_declare(name, passive=True).message_count)
            except NotFound:
                return 0
            finally:
                if own.is_open:
                    own.close()
