"""kombu's SQS transport, with queues that have dead-letter queues, batched publishing, and receives that may fail."""

import json
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError
from kombu.asynchronous.aws.sqs.message import AsyncMessage
from kombu.transport import SQS
from kombu.utils.json import dumps

from embedmill.shared.paging import pages
from embedmill.workers.brokers import celery_compat
from embedmill.workers.brokers.envelopes import enveloped, read_json
from embedmill.workers.brokers.refusals import refusals
from embedmill.workers.brokers.remote import CONNECT_SECONDS
from embedmill.workers.brokers.sending import ANSWER_SECONDS
from embedmill.workers.brokers.sqs import POLL_SECONDS

# Receives after which SQS gives a message up; see DELIVERY_LIMIT in workers/brokers/rabbitmq.py.
RECEIVE_LIMIT = 20
DEAD_SUFFIX = "-dead"
RETENTION_SECONDS = 14 * 24 * 3600
BATCH_ENTRIES = 10


class PublishBatch:
    """What kombu's `Producer.batch()` asks of a channel: messages kept back and sent ten at a time."""

    def __init__(self, channel: "SqsChannel") -> None:
        self.channel = channel
        self._bodies: dict[str, list[str]] = {}

    def publish(self, message: Any, exchange: str = "", routing_key: str = "", **_: Any) -> None:
        """Encode as the channel would, and keep."""
        self.channel._inplace_augment_message(message, exchange, routing_key)
        self._bodies.setdefault(routing_key, []).append(AsyncMessage().encode(dumps(message)))

    def flush(self) -> None:
        """Send what was kept; raises OSError when SQS refused any of it."""
        bodies, self._bodies = self._bodies, {}
        for queue, kept in bodies.items():
            for some in pages(kept, BATCH_ENTRIES):
                self.channel.send_batch(queue, list(some))

    def discard(self) -> None:
        """Forget what was kept."""
        self._bodies.clear()

    def close(self) -> None:
        """Nothing to release."""


class SqsChannel(SQS.Channel):
    """A channel that makes queues with a redrive policy and outlives receives that fail."""

    def create_publish_batch(self, max_size: int) -> PublishBatch:
        """See `kombu.Producer.batch`."""
        return PublishBatch(self)

    def send_batch(self, queue: str, bodies: list[str]) -> None:
        """One SendMessageBatch; raises OSError when any entry was refused."""
        answer = self.sqs(queue=self.canonical_queue_name(queue)).send_message_batch(
            QueueUrl=self._new_queue(queue),
            Entries=[{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)],
        )
        if refused := answer.get("Failed"):
            raise OSError(f"SQS refused {len(refused)} of {len(bodies)} messages: {refused[0].get('Code')}")

    def _create_queue(self, queue_name: str, attributes: dict[str, str]) -> Any:
        """Make the dead-letter queue first: a queue without one would hand a poison message out for days."""
        attributes["MessageRetentionPeriod"] = str(RETENTION_SECONDS)
        if not queue_name.endswith(DEAD_SUFFIX):
            dead = super()._create_queue(f"{queue_name}{DEAD_SUFFIX}", dict(attributes))
            found = self.sqs().get_queue_attributes(QueueUrl=dead["QueueUrl"], AttributeNames=["QueueArn"])
            policy = {"deadLetterTargetArn": found["Attributes"]["QueueArn"], "maxReceiveCount": RECEIVE_LIMIT}
            attributes["RedrivePolicy"] = json.dumps(policy)
        return super()._create_queue(queue_name, attributes)

    def _prepare_json_payload(self, text: str) -> dict[str, Any]:
        """What is no kombu message gets an envelope without headers."""
        message = enveloped(read_json(text), queue="")
        return message if message["headers"] is not None else {}

    def _message_to_python(self, message: Any, queue_name: str, q_url: str) -> Any:
        """A message that somebody else sent says which queue it came from, as our own do."""
        payload = super()._message_to_python(message, queue_name, q_url)
        payload["properties"]["delivery_info"].setdefault("routing_key", queue_name)
        return payload

    def asynsqs(self, queue: str | None = None) -> Any:
        """The client for receiving, which answers nothing instead of raising when a receive fails."""
        client = super().asynsqs(queue)
        if celery_compat.is_needed() and "_on_list_ready" not in vars(client):
            client._on_list_ready = _forgiving(client._on_list_ready)
            http = client._httpclient
            if "_setup_request" not in vars(http):
                http._setup_request = _bounded(http._setup_request)
        return client

    def _on_messages_ready(self, queue: str, qname: str, messages: Any) -> Any:
        # kombu 5.7.0 turns a 503 into a list, which has no `get`.
        return super()._on_messages_ready(queue, qname, messages or {})

    def _loop1(self, queue: str, messages_fetched: Any = None) -> None:
        if refusals.in_a_row:
            self.hub.call_later(refusals.pause_seconds, self._schedule_queue, queue)
        else:
            super()._loop1(queue, messages_fetched)


def _bounded(set_up: Callable[..., None]) -> Callable[..., None]:
    """Kombu takes time limits for a request and never sets them: it waits for ever on a connection that went silent."""
    import pycurl

    def setup_request(curl: Any, *arguments: Any) -> None:
        set_up(curl, *arguments)
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.CONNECTTIMEOUT, CONNECT_SECONDS)
        curl.setopt(pycurl.TIMEOUT, POLL_SECONDS + ANSWER_SECONDS)

    return setup_request


def _forgiving(answer: Callable[..., Any]) -> Callable[..., Any]:
    def on_list_ready(parent: Any, markers: Any, operation: str, response: Any) -> Any:
        try:
            found = answer(parent, markers, operation, response)
        except Exception as error:  # noqa: BLE001 - kombu raises Exception itself here
            refusals.failed(operation, error)
            return {}
        if isinstance(found, dict):
            refusals.succeeded()
            return found
        refusals.failed(operation, OSError(f"HTTP {response.status}"))
        return {}

    return on_list_ready


class SqsTransport(SQS.Transport):
    """`sqs://`, with our channel."""

    Channel = SqsChannel
    # What SQS refuses, such as a missing right, is the broker's failure and not ours.
    channel_errors = (*SQS.Transport.channel_errors, ClientError)
