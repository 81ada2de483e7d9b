"""The Celery app: queues, and the settings under which the broker is only a doorbell (facts/queues.md 1.14)."""

from typing import Any

from celery import Celery
from kombu import Queue
from kombu.transport import TRANSPORT_ALIASES

from shared.errors import SettingsError
from shared.settings import Settings, load_settings
from shared.states import Stage

TRANSPORT_ALIASES["embedded"] = "workers.embedded_transport:Transport"


def queue_name(stage: Stage) -> str:
    """The queue of a stage."""
    return f"embedmill-{stage}"


def task_name(stage: Stage) -> str:
    """The stable name of a stage's task, which is not its function's path."""
    return f"embedmill.{stage}"


def configuration(settings: Settings) -> dict[str, Any]:
    """Celery's settings; raises SettingsError for a broker that this release does not have."""
    scheme = settings.broker_url.split("://", 1)[0]
    if scheme != "embedded":
        raise SettingsError(f"EMBEDMILL_BROKER_URL: {scheme}:// comes with a later release; use embedded://")
    return {
        "broker_url": "embedded://",
        "broker_transport_options": {"path": str(settings.home_path / "queue.db")},
        "broker_connection_retry_on_startup": True,
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


app = Celery("embedmill", include=["workers.tasks"], set_as_current=False)
app.add_defaults(lambda: configuration(load_settings()))
