"""The embedded broker: a queue file in the home folder. What only sends needs neither Celery nor kombu for it."""

import base64
import json
import os
import socket
import sqlite3
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from embedmill.shared import stages
from embedmill.shared.settings import Settings
from embedmill.workers.brokers.base import Broker, Health, unavailable
from embedmill.workers.brokers.queue_file import QueueFile
from embedmill.workers.messages import BatchMessage
from embedmill.workers.queues import queue_name, task_name


class EmbeddedBroker(Broker):
    """The broker of one home; whoever finds no other process at work there may purge it."""

    is_local = True
    pool = "solo"

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._file = QueueFile(_path(settings))

    @classmethod
    def configure(cls, settings: Settings) -> dict[str, Any]:
        from kombu import Queue

        return {
            "broker_url": "embedded://",
            "broker_transport": "embedmill.workers.brokers.embedded_transport:EmbeddedTransport",
            "broker_transport_options": {"path": _path(settings)},
            "task_queues": [Queue(queue_name(stage), routing_key=queue_name(stage)) for stage in stages.names()],
        }

    def publish_many(self, messages: Sequence[BatchMessage]) -> None:
        with _translated():
            self._file.put((queue_name(message.stage), json.dumps(as_task(message))) for message in messages)
        self.published += len(messages)

    def depths(self) -> dict[str, int]:
        with _translated():
            counts = self._file.depths()
        return {stage: counts.get(queue_name(stage), 0) for stage in stages.names()}

    def check(self) -> Health:
        return Health(f"embedded://; {self.depth()} messages waiting")

    def purge(self) -> None:
        with _translated():
            self._file.purge()

    def close(self) -> None:
        self._file.close()


def as_task(message: BatchMessage) -> dict[str, Any]:
    """A wake-up as Celery puts it into kombu's virtual queues: protocol 2 of tasks."""
    id_, queue = str(uuid.uuid4()), queue_name(message.stage)
    body = [[message.encode()], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]
    return {
        "body": base64.b64encode(json.dumps(body).encode()).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {
            "lang": "py",
            "task": task_name(message.stage),
            "id": id_,
            "root_id": id_,
            "retries": 0,
            "timelimit": [None, None],
            "origin": f"{os.getpid()}@{socket.gethostname()}",
        },
        "properties": {
            "correlation_id": id_,
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": queue},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": str(uuid.uuid4()),
        },
    }


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise unavailable(error) from error


def _path(settings: Settings) -> str:
    return str(settings.home_path / "queue.db")
