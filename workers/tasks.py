"""The four Celery tasks, thin over the stages; their names are part of the wire format."""

import os
import signal
from typing import Any

import structlog
from celery.exceptions import Reject

from shared.db import work
from shared.errors import BrokerUnavailable, StorageFailed
from shared.messages import BatchMessage, UnreadableMessage, decode
from shared.settings import load_settings
from shared.states import Stage
from workers import unreadable
from workers.app import app
from workers.brokers.envelopes import as_text
from workers.brokers.outage import Outage
from workers.brokers.remote import ANSWER_SECONDS, translated
from workers.executor import StageFunction, execute
from workers.queues import queue_name, task_name
from workers.runtime import WorkerRuntime

log = structlog.get_logger()


class Process:
    """The one runtime of this process, and the failure that ends it."""

    def __init__(self) -> None:
        self.runtime: WorkerRuntime | None = None
        self.failure: StorageFailed | None = None
        self.busy = False
        self.published = 0
        self.outage = Outage()

    def require_runtime(self) -> WorkerRuntime:
        """The runtime; made here when a stock `celery worker` runs the tasks."""
        if self.runtime is None:
            from shared.presence import Presence

            settings = load_settings()
            presence = Presence(settings.home_path / "run")
            presence.__enter__()
            self.runtime = WorkerRuntime(settings, process_id=presence.id)
        return self.runtime


process = Process()


def send(message: BatchMessage, **options: Any) -> None:
    """Send a wake-up; raises what the broker's library raises."""
    app.send_task(
        task_name(message.stage),
        args=[message.encode()],
        queue=queue_name(message.stage),
        retry=False,
        confirm_timeout=ANSWER_SECONDS,
        **options,
    )
    process.published += 1


def publish(message: BatchMessage) -> None:
    """Send a wake-up after its work was committed; when the broker is away the work goes back to the dispatcher."""
    try:
        with translated():
            send(message)
    except BrokerUnavailable as error:
        process.outage.failed(error)
        _give_back(message)
    else:
        process.outage.succeeded()


def _give_back(message: BatchMessage) -> None:
    try:
        with process.require_runtime().database.write() as connection:
            work.requeue(connection, message.stage, message.work)
    except StorageFailed as error:
        # Then it stays queued, and the rescuer finds out that its message is not there.
        log.warning("batch.not_returned", stage=message.stage, error=str(error))


def run(stage: Stage, arguments: tuple[Any, ...], function: StageFunction) -> None:
    """Decode a message and work on it; one that cannot be read is kept in the database."""
    body = arguments[0] if len(arguments) == 1 else arguments
    try:
        message = decode(body)
    except UnreadableMessage as error:
        if not unreadable.record(queue_name(stage), str(error), as_text(body), {"task": task_name(stage)}):
            raise Reject(requeue=True) from None
        return
    process.busy = True
    try:
        execute(process.require_runtime(), message, function, publish)
    except StorageFailed as error:
        log.error("worker.storage_failed", error=str(error))
        process.failure = error
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        process.busy = False


@app.task(name=task_name(Stage.CHUNK))
def chunk(*arguments: Any) -> None:
    """Load, parse and split."""
    from workers.stages.chunk import chunk as stage

    run(Stage.CHUNK, arguments, stage)


@app.task(name=task_name(Stage.VALIDATE))
def validate(*arguments: Any) -> None:
    """Judge chunks."""
    from workers.stages.validate import validate as stage

    run(Stage.VALIDATE, arguments, stage)


@app.task(name=task_name(Stage.EMBED))
def embed(*arguments: Any) -> None:
    """Turn chunks into vectors."""
    from workers.stages.embed import embed as stage

    run(Stage.EMBED, arguments, stage)


@app.task(name=task_name(Stage.INDEX))
def index(*arguments: Any) -> None:
    """Write, confirm, switch, delete."""
    from workers.stages.index import index as stage

    run(Stage.INDEX, arguments, stage)
