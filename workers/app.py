"""The Celery app: queues, and the settings under which the broker is only a doorbell (facts/queues.md 1.14)."""

import importlib.util
from typing import Any

from celery import Celery
from kombu import Queue
from kombu.transport import TRANSPORT_ALIASES

from shared.errors import MissingExtra, SettingsError
from shared.settings import Settings, load_settings
from shared.states import Stage

# After this Redis hands an unacknowledged message out again; what it was about was sent again long before.
VISIBILITY_SECONDS = 900

TRANSPORT_ALIASES["embedded"] = "workers.embedded_transport:Transport"


def queue_name(stage: Stage) -> str:
    """The queue of a stage."""
    return f"embedmill-{stage}"


def task_name(stage: Stage) -> str:
    """The stable name of a stage's task, which is not its function's path."""
    return f"embedmill.{stage}"


def configuration(settings: Settings) -> dict[str, Any]:
    """Celery's settings; raises SettingsError for a broker that this release does not have, or MissingExtra."""
    return _transport(settings) | {
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        # A publication that fails is made again by the dispatcher, from the database.
        "task_publish_retry": False,
        "task_queues": [Queue(queue_name(stage), routing_key=queue_name(stage)) for stage in Stage],
        "task_default_queue": queue_name(Stage.CHUNK),
        "task_create_missing_queues": False,
        "task_acks_late": True,
        "task_reject_on_worker_lost": False,
        "task_ignore_result": True,
        "task_serializer": "json",
        "accept_content": ["json"],
        "worker_prefetch_multiplier": 1,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "worker_send_task_events": False,
        "worker_enable_remote_control": False,
        "worker_pool": "solo",
        "worker_concurrency": 1,
    }


def _transport(settings: Settings) -> dict[str, Any]:
    scheme = settings.broker_url.split("://", 1)[0]
    match scheme:
        case "embedded":
            path = str(settings.home_path / "queue.db")
            return {"broker_url": "embedded://", "broker_transport_options": {"path": path}}
        case "redis" | "rediss":
            return _redis(settings)
    raise SettingsError(f"EMBEDMILL_BROKER_URL: {scheme}:// comes with a later release; use embedded:// or redis://")


def _redis(settings: Settings) -> dict[str, Any]:
    """Bounded sockets, because a half-open one blocks for ever otherwise (facts/queues.md 1.2)."""
    if importlib.util.find_spec("redis") is None:
        raise MissingExtra("EMBEDMILL_BROKER_URL: redis:// needs the extra: pip install 'embedmill[redis]'")
    return {
        "broker_url": settings.broker_url,
        "broker_transport_options": {
            "global_keyprefix": "embedmill:",
            "visibility_timeout": VISIBILITY_SECONDS,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            "socket_timeout": 30,
            "socket_connect_timeout": 5,
            "socket_keepalive": True,
            "health_check_interval": 25,
        },
        "worker_consumer": "workers.celery_compat:ResilientConsumer",
    }


app = Celery("embedmill", include=["workers.tasks"], set_as_current=False)
app.add_defaults(lambda: configuration(load_settings()))
