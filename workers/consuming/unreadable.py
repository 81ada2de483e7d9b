"""Keeps what a worker could not read: the message is written to the database before it is taken off its queue."""

from collections.abc import Mapping
from typing import Any

from kombu import Message

from embedmill.shared.db import unreadable
from embedmill.shared.errors import EmbedmillError
from embedmill.shared.logs import get_logger
from embedmill.workers.brokers.base import chosen_headers
from embedmill.workers.brokers.envelopes import as_text
from embedmill.workers.consuming.process import process

log = get_logger()


def keep(message: Message, reason: str) -> None:
    """Record a message and acknowledge it; one that could not be recorded goes back to its queue."""
    queue = str((message.delivery_info or {}).get("routing_key", ""))
    headers = message.headers if isinstance(message.headers, dict) else {}
    given = {**headers, "content_type": message.content_type, "content_encoding": message.content_encoding}
    if record(queue, reason, as_text(message.body), given):
        message.ack_log_error(log, ())
    else:
        message.reject_log_error(log, (), requeue=True)


def record(queue: str, reason: str, body: str, headers: Mapping[str, Any]) -> bool:
    """Write to the database; False when that failed."""
    log.warning("message.unreadable", queue=queue, reason=reason)
    try:
        process.require_runtime().database.transact(
            lambda connection: unreadable.record(
                connection, queue=queue, reason=reason, body=body, headers=chosen_headers(headers)
            )
        )
    except EmbedmillError as error:
        log.error("message.not_kept", queue=queue, error=str(error))
        return False
    return True
