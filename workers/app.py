"""The Celery app: queues, and the settings under which the broker is only a doorbell (docs/facts.md)."""

from typing import Any

from celery import Celery
from kombu.transport import TRANSPORT_ALIASES

from embedmill.shared import stages
from embedmill.shared.settings import Settings, load_settings
from embedmill.workers.brokers.table import broker_class, configure
from embedmill.workers.queues import queue_name, task_name

__all__ = ["app", "configuration", "queue_name", "task_name"]

TRANSPORT_ALIASES["embedded"] = "embedmill.workers.brokers.embedded_transport:Transport"


def configuration(settings: Settings) -> dict[str, Any]:
    """Celery's settings; raises SettingsError for a broker that there is not, MissingExtra for one not installed."""
    return configure(settings) | {
        "broker_connection_retry_on_startup": True,
        "task_default_queue": queue_name(stages.first()),
        "task_create_missing_queues": False,
        "task_acks_late": True,
        "task_reject_on_worker_lost": False,
        "task_ignore_result": True,
        "task_serializer": "json",
        "accept_content": ["json"],
        "worker_consumer": "embedmill.workers.consumer:Consumer",
        "worker_prefetch_multiplier": 1,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "worker_send_task_events": False,
        "worker_enable_remote_control": False,
        "worker_pool": broker_class(settings).pool,
        "worker_concurrency": 1,
    }


app = Celery("embedmill", include=["embedmill.workers.tasks"], set_as_current=False)
app.add_defaults(lambda: configuration(load_settings()))
