"""Redis as the broker: lists of messages, which may be lost at any time and are sent again from the database."""

from typing import Any

from kombu import Queue

from embedmill.shared import stages
from embedmill.shared.settings import Settings
from embedmill.workers.brokers.base import Health
from embedmill.workers.brokers.remote import (
    COMMON,
    CONNECT_SECONDS,
    RECONNECT,
    VISIBILITY_SECONDS,
    RemoteBroker,
    require_module,
    shown,
)
from embedmill.workers.brokers.sending import ANSWER_SECONDS
from embedmill.workers.queues import queue_name

PREFIX = "embedmill:"


class RedisBroker(RemoteBroker):
    """`redis://` and `rediss://`; the keys of all its lists begin with `embedmill:`."""

    dead_fetch_seconds = 0.0

    @classmethod
    def configure(cls, settings: Settings) -> dict[str, Any]:
        require_module("redis", scheme="redis", extra="redis")
        return COMMON | {
            "broker_url": settings.broker_url,
            "broker_transport": "embedmill.workers.brokers.redis_transport:RedisTransport",
            "broker_transport_options": RECONNECT
            | {
                "global_keyprefix": PREFIX,
                "visibility_timeout": VISIBILITY_SECONDS,
                # The defaults look for lost messages every 100 s only (docs/facts.md).
                "unacked_restore_interval": 5,
                "unacked_restore_throttle": 1,
                # A half-open connection blocks for ever otherwise.
                "socket_timeout": ANSWER_SECONDS,
                "socket_connect_timeout": CONNECT_SECONDS,
                "socket_keepalive": True,
                "health_check_interval": 25,
                "retry_on_timeout": False,
            },
            "task_queues": [Queue(queue_name(stage), routing_key=queue_name(stage)) for stage in stages.names()],
        }

    def depths(self) -> dict[str, int]:
        """By LLEN of every list of a queue; messages that were taken and not acknowledged are not among them."""
        with self._channel() as channel:
            return {stage: int(channel._size(queue_name(stage))) for stage in stages.names()}  # noqa: SLF001 - kombu has no other

    def check(self) -> Health:
        with self._channel() as channel, channel.conn_or_acquire() as client:
            server, memory, persistence = (client.info(s) for s in ("server", "memory", "persistence"))
        version = server.get("valkey_version") or server.get("redis_version")
        warnings = []
        policy = memory.get("maxmemory_policy", "noeviction")
        if policy != "noeviction":
            warnings.append(f"maxmemory-policy is {policy}: messages may be evicted; set noeviction")
        if self.settings.lease_seconds > VISIBILITY_SECONDS:
            warnings.append(
                f"the lease is longer than {VISIBILITY_SECONDS} s, after which messages are handed out again"
            )
        if not persistence.get("aof_enabled"):
            warnings.append("no append-only file: a restart forgets messages, which are then sent again")
        return Health(
            f"{shown(self.settings.broker_url)}, version {version}; {self.depth()} messages waiting", tuple(warnings)
        )

    def purge(self) -> None:
        with self._channel() as channel:
            for stage in stages.names():
                channel.queue_purge(queue_name(stage))
