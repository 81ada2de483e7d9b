"""The four Celery tasks, thin over the stages; their names are part of the wire format."""

import os
import signal
from typing import Any

import structlog

from shared.errors import StorageFailed
from shared.messages import BatchMessage, UnreadableMessage, decode
from shared.settings import load_settings
from shared.states import Stage
from workers.app import app, queue_name, task_name
from workers.executor import StageFunction, execute
from workers.runtime import WorkerRuntime

log = structlog.get_logger()


class Process:
    """The one runtime of this process, and the failure that ends it."""

    def __init__(self) -> None:
        self.runtime: WorkerRuntime | None = None
        self.failure: StorageFailed | None = None
        self.busy = False
        self.published = 0

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


def publish(message: BatchMessage) -> None:
    """Send a wake-up; a lost one is sent again by the dispatcher."""
    process.published += 1
    app.send_task(task_name(message.stage), args=[message.encode()], queue=queue_name(message.stage))


def run(body: Any, stage: StageFunction) -> None:
    """Decode a message and work on it."""
    try:
        message = decode(body)
    except UnreadableMessage as error:
        log.warning("message.unreadable", error=str(error))
        return
    process.busy = True
    try:
        execute(process.require_runtime(), message, stage, publish)
    except StorageFailed as error:
        log.error("worker.storage_failed", error=str(error))
        process.failure = error
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        process.busy = False


@app.task(name=task_name(Stage.CHUNK))
def chunk(body: Any) -> None:
    """Load, parse and split."""
    from workers.stages.chunk import chunk as stage

    run(body, stage)


@app.task(name=task_name(Stage.VALIDATE))
def validate(body: Any) -> None:
    """Judge chunks."""
    from workers.stages.validate import validate as stage

    run(body, stage)


@app.task(name=task_name(Stage.EMBED))
def embed(body: Any) -> None:
    """Turn chunks into vectors."""
    from workers.stages.embed import embed as stage

    run(body, stage)


@app.task(name=task_name(Stage.INDEX))
def index(body: Any) -> None:
    """Write, confirm, switch, delete."""
    from workers.stages.index import index as stage

    run(body, stage)
