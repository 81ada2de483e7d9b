"""The table of brokers by URL scheme."""

from importlib import import_module
from typing import Any

from embedmill.shared.errors import SettingsError
from embedmill.shared.settings import Settings
from embedmill.workers.brokers.base import Broker

BROKERS = {
    "embedded": "embedmill.workers.brokers.embedded:EmbeddedBroker",
    "redis": "embedmill.workers.brokers.redis:RedisBroker",
    "rediss": "embedmill.workers.brokers.redis:RedisBroker",
    "sqs": "embedmill.workers.brokers.sqs:SqsBroker",
    "amqp": "embedmill.workers.brokers.rabbitmq:RabbitBroker",
    "amqps": "embedmill.workers.brokers.rabbitmq:RabbitBroker",
}


def broker_class(settings: Settings) -> type[Broker]:
    """The class that the broker's URL names; raises SettingsError."""
    scheme, separator, _ = settings.broker_url.partition("://")
    if not separator or scheme not in BROKERS:
        known = ", ".join(f"{name}://" for name in BROKERS)
        raise SettingsError(f"EMBEDMILL_BROKER_URL: there is no broker {scheme[:20]!r}; there are {known}")
    module, _, name = BROKERS[scheme].partition(":")
    found: type[Broker] = getattr(import_module(module), name)
    return found


def configure(settings: Settings) -> dict[str, Any]:
    """Celery's settings for the broker; raises SettingsError or MissingExtra."""
    return broker_class(settings).configure(settings)


def open_broker(settings: Settings) -> Broker:
    """The broker that the settings name, not yet connected; raises SettingsError or MissingExtra."""
    found = broker_class(settings)
    found.configure(settings)
    return found(settings)
