"""This worker process as its tasks see it: who may run in it, with what, and what was done so far."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from embedmill.shared.configuration import load_settings
from embedmill.shared.errors import BrokerUnavailable, StorageFailed
from embedmill.workers.app import app
from embedmill.workers.brokers.outage import Outage
from embedmill.workers.brokers.sending import send, translated
from embedmill.workers.consuming.gate import Gate
from embedmill.workers.consuming.throughput import Throughput
from embedmill.workers.executor import StageFunction, execute, give_back
from embedmill.workers.messages import BatchMessage
from embedmill.workers.runtime import WorkerRuntime


class Process:
    """A runtime for each thread, the gate, and what was done so far."""

    def __init__(self) -> None:
        self._runtime: WorkerRuntime | None = None
        self.failure: StorageFailed | None = None
        self.gate = Gate(1)
        # Whether several batches may run here at once; then none is sure to be alone unless it asked to be.
        self._is_shared = False
        self._max_batches = 0
        self.is_spent = False
        self.published = 0
        self._may_go_on: Callable[[str], bool] = _never
        self._next: BatchMessage | None = None
        self._outage = Outage()
        self._in_hand = 0
        self.done = Throughput()
        self._threads = threading.local()
        self._made: list[WorkerRuntime] = []
        self._lock = threading.RLock()

    def begin(
        self,
        runtime: WorkerRuntime,
        *,
        slots: int = 1,
        is_shared: bool = False,
        max_batches: int = 0,
        may_go_on: Callable[[str], bool] | None = None,
    ) -> None:
        """What this process is, said once, before its first message.

        With one slot, `may_go_on` says whether what is ready for a stage now may be worked on here at once, unsent.
        """
        self._runtime = runtime
        self.gate = Gate(slots)
        runtime.streams.is_full = lambda: self.gate.is_shut
        self._is_shared = is_shared
        self._max_batches = max_batches
        self._may_go_on = _never if is_shared or may_go_on is None else may_go_on

    @property
    def is_busy(self) -> bool:
        """Whether a message was taken and not dealt with yet."""
        return self._in_hand > 0

    @contextmanager
    def having_in_hand(self) -> Iterator[None]:
        """Count a message as taken until the block ends."""
        with self._lock:
            self._in_hand += 1
        try:
            yield
        finally:
            with self._lock:
                self._in_hand -= 1

    def work_through(self, message: BatchMessage, find_stage: Callable[[str], StageFunction]) -> None:
        """Run a batch, and what follows from it while this process may go on with that, as if it had been sent."""
        with self._thread_runtime().handed_on.through_stages():
            following: BatchMessage | None = message
            while following:
                self.work(following, find_stage(following.stage))
                following, self._next = self._next, None

    def work(self, message: BatchMessage, stage: StageFunction) -> None:
        """Run a batch when there is a place for it, or give its work back when this process is about to end."""
        runtime = self._thread_runtime()
        self.done.note_message()
        with self.gate.entered(alone=message.alone and self._is_shared) as admitted:
            if not admitted:
                give_back(runtime, message)
                return
            company = 1 if self._is_shared and not message.alone else 0
            self.done.note_batch(execute(runtime, message, stage, self._pass_on, company=company))
        if self._max_batches and self.done.batches >= self._max_batches:
            self.retire()

    def _pass_on(self, message: BatchMessage) -> None:
        """Keep one message in hand, which is worked on next; where more stages follow, the others are sent.

        So no message waits here, where it would be lost with this process.
        """
        if self._next is None and not self.is_spent and self._may_go_on(message.stage):
            self._next = message
        else:
            self.publish(message)

    def publish(self, message: BatchMessage) -> None:
        """Send a wake-up after its work was committed; when the broker is away the work goes back to the dispatcher."""
        try:
            with translated(app):
                send(app, message)
        except BrokerUnavailable as error:
            self._outage.failed(error)
            give_back(self.require_runtime(), message)
        else:
            self.published += 1
            self._outage.succeeded()

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
        if self._runtime is not None:
            self._runtime.close()

    def _thread_runtime(self) -> WorkerRuntime:
        main = self.require_runtime()
        if not self._is_shared:
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
            if self._runtime is None:
                from embedmill.shared.presence import RUN, Presence

                settings = load_settings()
                presence = Presence(settings.home_path / RUN)
                presence.__enter__()
                self._runtime = WorkerRuntime(settings, process_id=presence.id)
            return self._runtime


def _never(_: str) -> bool:
    return False


process = Process()
