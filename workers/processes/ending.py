"""How a worker process ends: warm after SIGTERM or without parents, and by handing back late or on SIGQUIT.

Late is when the grace time is over. Signals are read from a pipe by a thread, because Python's own handlers wait for
the main thread, which may be deep in a stage. What the stage of a handed-back claim still does has no effect: its lease
is gone.
"""

import os
import signal
import socket
import threading
from collections.abc import Callable
from types import FrameType

from celery.exceptions import WorkerShutdown
from celery.worker import state
from kombu.transport.virtual import Transport

from embedmill.shared.logs import get_logger
from embedmill.workers.consuming.process import Process
from embedmill.workers.executor import hand_back
from embedmill.workers.processes.parents import PARENT_ENDED, Parents
from embedmill.workers.runtime import WorkerRuntime

log = get_logger()

NUDGE_SECONDS = 0.05


class Ending:
    """Ends a process at most `grace_seconds` after it was told to; `leave` says goodbye for one that cannot finish."""

    def __init__(
        self,
        process: Process,
        runtime: WorkerRuntime,
        parents: Parents,
        *,
        grace_seconds: float,
        leave: Callable[[], None],
    ) -> None:
        self._process = process
        self._runtime = runtime
        self._parents = parents
        self._grace_seconds = grace_seconds
        self._leave = leave
        self._begun = threading.Event()
        self._over = threading.Event()

    @property
    def has_begun(self) -> bool:
        """Whether this process takes no more work."""
        return self._begun.is_set()

    def listen(self) -> None:
        """Take over SIGTERM and SIGQUIT; to be called in the main thread when the consumer is ready."""
        reader, writer = socket.socketpair()
        writer.settimeout(0)
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        # The thread keeps both ends for as long as the process lives.
        threading.Thread(target=self._listen, args=(reader, writer), name="signals", daemon=True).start()
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGQUIT, self._on_signal)

    def begin(self) -> None:
        """Take no more work; what runs may go on until the grace time is over."""
        if self._begun.is_set():
            return
        self._begun.set()
        self._process.gate.close()
        threading.Thread(target=self._nudge, name="nudge", daemon=True).start()
        timer = threading.Timer(self._grace_seconds, self.end_at_once)
        timer.daemon = True
        timer.start()

    def finish(self) -> None:
        """Note that the consumer has left."""
        self._over.set()

    def end_at_once(self) -> None:
        """Hand back whatever is held and end this process."""
        try:
            self._process.gate.close()
            claims = self._runtime.held.claims()
            for claim in claims:
                hand_back(self._runtime, claim)
            log.warning("worker.handed_back", batches=len(claims), work=sum(len(claim.items) for claim in claims))
            self._leave()
        finally:
            os._exit(0)

    def _listen(self, reader: socket.socket, _writer: socket.socket) -> None:
        while received := reader.recv(64):
            if signal.SIGQUIT in received:
                self.end_at_once()
            if signal.SIGTERM in received or (PARENT_ENDED in received and self._parents.are_gone):
                self.begin()

    def _nudge(self) -> None:
        """Signal again until the consumer has left: it may only be interrupted where it holds no message."""
        while not self._over.wait(NUDGE_SECONDS):
            if not self._process.is_busy:
                os.kill(os.getpid(), signal.SIGTERM)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        """A consumer that polls leaves between two polls instead of at the end of its patience.

        Anywhere else it might have taken a message that nobody would hear of again; it sees by itself that it should
        stop, before it takes the next.
        """
        if number == signal.SIGTERM:
            state.should_stop = 0
            if frame is not None and frame.f_code is Transport.drain_events.__code__:
                raise WorkerShutdown(0)
