"""The table of brokers by URL scheme, and what each makes of Celery's settings."""

from importlib import import_module
from typing import Any

from embedmill.shared import stages
from embedmill.shared.errors import SettingsError
from embedmill.shared.settings import Settings
from embedmill.workers.brokers.base import Broker
from embedmill.workers.queues import queue_name

BROKERS = {
    "embedded": "embedmill.workers.brokers.embedded:EmbeddedBroker",
    "redis": "embedmill.workers.brokers.redis:RedisBroker",
    "rediss": "embedmill.workers.brokers.redis:RedisBroker",
    "sqs": "embedmill.workers.brokers.sqs:SqsBroker",
    "amqp": "embedmill.workers.brokers.rabbitmq:RabbitBroker",
    "amqps": "embedmill.workers.brokers.rabbitmq:RabbitBroker",
}


def require_broker(settings: Settings) -> str:
    """The scheme of the broker's URL; raises SettingsError for one of which there is no broker."""
    scheme, separator, _ = settings.broker_url.partition("://")
    if not separator or scheme not in BROKERS:
        known = ", ".join(f"{name}://" for name in BROKERS)
        raise SettingsError(f"EMBEDMILL_BROKER_URL: there is no broker {scheme[:20]!r}; there are {known}")
    return scheme


def broker_class(settings: Settings) -> type[Broker]:
    """The class that the broker's URL names; raises SettingsError."""
    module, _, name = BROKERS[require_broker(settings)].partition(":")
    found: type[Broker] = getattr(import_module(module), name)
    return found


def configuration(settings: Settings) -> dict[str, Any]:
    """Celery's settings; raises SettingsError for a broker that there is not, MissingExtra for one not installed."""
    found = broker_class(settings)
    return found.configure(settings) | {
        "broker_connection_retry_on_startup": True,
        "task_default_queue": queue_name(stages.first()),
        "task_create_missing_queues": False,
        "task_acks_late": True,
        "task_reject_on_worker_lost": False,
        "task_ignore_result": True,
        "task_serializer": "json",
        "accept_content": ["json"],
        "worker_consumer": "embedmill.workers.consuming.consumer:Consumer",
        "worker_prefetch_multiplier": 1,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "worker_send_task_events": False,
        "worker_enable_remote_control": False,
        "worker_pool": found.pool,
        "worker_concurrency": 1,
        # After a reconnect Celery would ask for as many messages as there could be threads, not as there are slots.
        "worker_enable_prefetch_count_reduction": False,
    }


def open_broker(settings: Settings) -> Broker:
    """The broker that the settings name, not yet connected; raises SettingsError or MissingExtra."""
    return broker_class(settings).open(settings)
