"""A Celery task for each stage of the table; their names are part of the wire format."""

from pkgutil import resolve_name
from typing import Any

from celery.exceptions import Reject

from embedmill.shared import stages
from embedmill.shared.errors import StorageFailed
from embedmill.shared.logs import get_logger
from embedmill.workers.app import app
from embedmill.workers.brokers.envelopes import as_text
from embedmill.workers.consuming import unreadable
from embedmill.workers.consuming.process import process
from embedmill.workers.messages import UnreadableMessage, decode
from embedmill.workers.queues import queue_name, task_name

log = get_logger()


def run(stage: str, arguments: tuple[Any, ...]) -> None:
    """Decode a message and work on it; one that cannot be read is kept in the database."""
    body = arguments[0] if len(arguments) == 1 else arguments
    with process.having_in_hand():
        _work(stage, body)


def _work(stage: str, body: Any) -> None:
    try:
        message = decode(body)
    except UnreadableMessage as error:
        if not unreadable.record(queue_name(stage), str(error), as_text(body), {"task": task_name(stage)}):
            raise Reject(requeue=True) from None
        return
    try:
        process.work_through(message, lambda name: resolve_name(stages.find_stage(name).function))
    except StorageFailed as error:
        log.error("worker.storage_failed", error=str(error))
        process.fail(error)
    except Exception as error:
        # Celery's own word on it is silenced, because it quotes. What was claimed comes back when its lease runs out.
        log.error("batch.failed", stage=stage, work=message.work, error_class=type(error).__name__)
        raise


def declare(stage: str) -> None:
    """Make a stage's task known to the app; what it runs is imported when its first message comes."""

    @app.task(name=task_name(stage))
    def task(*arguments: Any) -> None:
        run(stage, arguments)


for name in stages.names():
    declare(name)
