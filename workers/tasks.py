"""A Celery task for each stage of the table; their names are part of the wire format."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pkgutil import resolve_name
from typing import Any

from celery.exceptions import Reject

from embedmill.shared import stages
from embedmill.shared.errors import BrokerUnavailable, StorageFailed
from embedmill.shared.logs import get_logger
from embedmill.shared.settings import load_settings
from embedmill.workers import unreadable
from embedmill.workers.app import app
from embedmill.workers.brokers.envelopes import as_text
from embedmill.workers.brokers.outage import Outage
from embedmill.workers.brokers.remote import ANSWER_SECONDS, translated
from embedmill.workers.executor import StageFunction, execute, give_back
from embedmill.workers.messages import BatchMessage, UnreadableMessage, decode
from embedmill.workers.processes.gate import Gate
from embedmill.workers.processes.throughput import Throughput
from embedmill.workers.queues import queue_name, task_name
from embedmill.workers.runtime import WorkerRuntime

log = get_logger()


class Process:
    """This process as its tasks see it: a runtime for each thread, the gate, and what was done so far."""

    def __init__(self) -> None:
        self.runtime: WorkerRuntime | None = None
        self.failure: StorageFailed | None = None
        self.gate = Gate(1)
        # Whether several batches may run here at once; then none is sure to be alone unless it asked to be.
        self.is_shared = False
        self.max_batches = 0
        self.is_spent = False
        self.published = 0
        self.outage = Outage()
        self.in_hand = 0
        self.done = Throughput()
        self._threads = threading.local()
        self._made: list[WorkerRuntime] = []
        self._lock = threading.RLock()

    @property
    def is_busy(self) -> bool:
        """Whether a message was taken and not dealt with yet."""
        return self.in_hand > 0

    @contextmanager
    def having_in_hand(self) -> Iterator[None]:
        """Count a message as taken until the block ends."""
        with self._lock:
            self.in_hand += 1
        try:
            yield
        finally:
            with self._lock:
                self.in_hand -= 1

    def work(self, message: BatchMessage, stage: StageFunction) -> None:
        """Run a batch when there is a place for it, or give its work back when this process is about to end."""
        runtime = self._thread_runtime()
        self.done.note_message()
        with self.gate.entered(alone=message.alone and self.is_shared) as admitted:
            if not admitted:
                give_back(runtime, message)
                return
            company = 1 if self.is_shared and not message.alone else 0
            self.done.note_batch(execute(runtime, message, stage, publish, company=company))
        if self.max_batches and self.done.batches >= self.max_batches:
            self.retire()

    def retire(self) -> None:
        """End this process in good order, because another is to take its place."""
        self.is_spent = True
        self.end()

    def fail(self, failure: StorageFailed) -> None:
        """End this process, because nothing can be written any more."""
        self.failure = failure
        self.end()

    @staticmethod
    def end() -> None:
        """Finish what runs and end, as after a SIGTERM from outside."""
        os.kill(os.getpid(), signal.SIGTERM)

    def close(self) -> None:
        """Release every thread's runtime."""
        for runtime in self._made:
            runtime.close()
        if self.runtime is not None:
            self.runtime.close()

    def _thread_runtime(self) -> WorkerRuntime:
        main = self.require_runtime()
        if not self.is_shared:
            return main
        if not hasattr(self._threads, "runtime"):
            with self._lock:
                self._threads.runtime = main.for_thread(len(self._made) + 1)
                self._made.append(self._threads.runtime)
        runtime: WorkerRuntime = self._threads.runtime
        return runtime

    def require_runtime(self) -> WorkerRuntime:
        """The runtime; made here when a stock `celery worker` runs the tasks."""
        with self._lock:
            if self.runtime is None:
                from embedmill.shared.presence import Presence

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
        give_back(process.require_runtime(), message)
    else:
        process.outage.succeeded()


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
        process.work(message, resolve_name(stages.find_stage(stage).function))
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
