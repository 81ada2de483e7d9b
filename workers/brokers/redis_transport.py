"""kombu's Redis transport, with lists that may hold anything: what is no message is handed on instead of raised."""

from typing import Any

from kombu.transport import redis

from workers import celery_compat
from workers.brokers.envelopes import enveloped, read_json

if celery_compat.is_needed():
    # kombu parses an item between taking and delivering it; an error there loses the item and ends the worker.
    redis.loads = read_json


class Transport(redis.Transport):
    """`redis://`, delivering whatever a list holds."""

    def _deliver(self, message: Any, queue: str) -> None:
        super()._deliver(enveloped(message, queue=queue), queue)
