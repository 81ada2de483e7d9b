"""SQS as the broker: long polling, batched sending, and a dead-letter queue behind every queue."""

import base64
import importlib.util
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kombu import Queue

from embedmill.shared import stages
from embedmill.shared.errors import SettingsError
from embedmill.shared.settings import Settings
from embedmill.workers.brokers.base import DeadMessage, Health
from embedmill.workers.brokers.envelopes import as_text, enveloped, read_json
from embedmill.workers.brokers.remote import (
    COMMON,
    CONNECT_SECONDS,
    RECONNECT,
    VISIBILITY_SECONDS,
    RemoteBroker,
    require_module,
)
from embedmill.workers.brokers.sending import ANSWER_SECONDS
from embedmill.workers.queues import queue_name

POLL_SECONDS = 15
# How long a dead letter is hidden from another reconciler while it is looked at.
DEAD_SECONDS = 60
WAITING = "ApproximateNumberOfMessages"
IN_HAND = "ApproximateNumberOfMessagesNotVisible"
# Between a poll that brought nothing, or a full worker, and the next look.
IDLE_SECONDS = 0.1


class SqsBroker(RemoteBroker):
    """`sqs://`; region, endpoint and credentials are the AWS SDK's to find."""

    # AWS counts approximately and late.
    settled_seconds = 60.0
    # A poll goes on without whoever asked.
    dead_fetch_seconds = POLL_SECONDS

    @classmethod
    def configure(cls, settings: Settings) -> dict[str, Any]:
        require_module("boto3", scheme="sqs", extra="sqs")
        options: dict[str, Any] = {
            "visibility_timeout": VISIBILITY_SECONDS,
            "wait_time_seconds": POLL_SECONDS,
            "polling_interval": IDLE_SECONDS,
            "client-config": {
                "connect_timeout": CONNECT_SECONDS,
                "read_timeout": ANSWER_SECONDS,
                "retries": {"mode": "standard", "total_max_attempts": 2},
            },
        }
        if settings.sqs_queues:
            options["predefined_queues"] = _predefined(settings.sqs_queues)
        else:
            options["queue_name_prefix"] = settings.sqs_prefix
        return COMMON | {
            "broker_url": settings.broker_url,
            "broker_transport": "embedmill.workers.brokers.sqs_transport:SqsTransport",
            "broker_transport_options": RECONNECT | options,
            "task_queues": [Queue(queue_name(stage), routing_key=queue_name(stage)) for stage in stages.names()],
        }

    def depths(self) -> dict[str, int]:
        """Visible messages, without those in a worker's hands, where they may die."""
        with self._sqs() as (client, urls):
            return {stage: _count(client, url, WAITING) for stage, url in urls.items()}

    def dead_depths(self) -> dict[str, int]:
        with self._sqs() as (client, urls):
            dead = {stage: _dead_url(client, url) for stage, url in urls.items()}
            return {stage: _count(client, url, WAITING, IN_HAND) for stage, url in dead.items() if url}

    def drain_dead(self, handle: Callable[[DeadMessage], object], *, limit: int) -> int:
        """By receiving, handling and deleting: StartMessageMoveTask can neither look nor choose."""
        drained = 0
        with self._sqs() as (client, urls):
            for stage, url in urls.items():
                dead = _dead_url(client, url)
                while dead and drained < limit and (received := _receive(client, dead)):
                    for message in received:
                        handle(_opened(queue_name(stage), message["Body"]))
                        client.delete_message(QueueUrl=dead, ReceiptHandle=message["ReceiptHandle"])
                    drained += len(received)
        return drained

    def check(self) -> Health:
        with self._sqs() as (client, urls):
            region = client.meta.region_name
            attributes = {stage: _attributes(client, url) for stage, url in urls.items()}
        warnings = []
        if importlib.util.find_spec("pycurl") is None:
            warnings.append("workers need pycurl to receive from SQS: pip install 'embedmill[sqs]'")
        for stage, found in attributes.items():
            if "RedrivePolicy" not in found:
                warnings.append(f"{queue_name(stage)} has no redrive policy: a message that nobody can take circles")
            if (seconds := int(found["VisibilityTimeout"])) < self.settings.lease_seconds:
                warnings.append(
                    f"{queue_name(stage)} hands messages out again after {seconds} s, sooner than the lease"
                )
        return Health(
            f"sqs:// in {region} at {client.meta.endpoint_url}; {self.depth()} messages waiting", tuple(warnings)
        )

    def purge(self) -> None:
        with self._sqs() as (client, urls):
            for url in urls.values():
                client.purge_queue(QueueUrl=url)

    @contextmanager
    def _sqs(self) -> Iterator[tuple[Any, dict[str, str]]]:
        """The SDK's client and the URL of each stage's queue, which is made when it is missing."""
        with self._channel() as channel:
            # kombu makes a queue, and finds its URL, in no other way
            urls = {stage: channel._new_queue(queue_name(stage)) for stage in stages.names()}  # noqa: SLF001
            yield channel.sqs(queue=channel.canonical_queue_name(queue_name(stages.first()))), urls


def _predefined(queues: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """The form that kombu wants for EMBEDMILL_SQS_QUEUES; raises SettingsError unless every stage has its URL."""
    if set(queues) != set(stages.names()):
        raise SettingsError(
            f"EMBEDMILL_SQS_QUEUES: name the URL of each of {', '.join(stages.names())}, and nothing else"
        )
    return {queue_name(stage): {"url": url} for stage, url in queues.items()}


def _attributes(client: Any, url: str) -> dict[str, str]:
    found: dict[str, str] = client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return found


def _count(client: Any, url: str, *names: str) -> int:
    found = client.get_queue_attributes(QueueUrl=url, AttributeNames=list(names))["Attributes"]
    return sum(int(found[name]) for name in names)


def _dead_url(client: Any, url: str) -> str | None:
    """The dead-letter queue that a queue's redrive policy names."""
    policy = _attributes(client, url).get("RedrivePolicy")
    if policy is None:
        return None
    *_, account, name = json.loads(policy)["deadLetterTargetArn"].split(":")
    found: str = client.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]
    return found


def _receive(client: Any, url: str) -> list[dict[str, str]]:
    answer = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=DEAD_SECONDS)
    found: list[dict[str, str]] = answer.get("Messages", [])
    return found


def _opened(queue: str, body: str) -> DeadMessage:
    """Out of kombu's wrappings: base64 around JSON around base64."""
    message = enveloped(read_json(_from_base64(body)), queue=queue)
    return DeadMessage(queue, as_text(_from_base64(message["body"])), message["headers"] or {})


def _from_base64(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except ValueError:
        return text
