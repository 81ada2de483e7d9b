"""Runtimes for the threads of a process: each has its own while it is at work, and they share what may be shared."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

from embedmill.shared.errors import UsageError
from embedmill.shared.homes import prepare_home
from embedmill.shared.presence import RUN, Presence
from embedmill.shared.runtime import Runtime
from embedmill.shared.settings import Settings
from embedmill.workers.runtime import WorkerRuntime

THREADS = 8
"""So many threads need not wait for each other's database sessions on a server."""


class Runtimes:
    """As many runtimes as threads ask for at the same time, under one name that others see alive."""

    def __init__(self, settings: Settings) -> None:
        self._lock = threading.Lock()
        self._free: list[WorkerRuntime] = []
        self._made = 0
        self._is_closed = False
        self._stack = ExitStack()
        with ExitStack() as opening:
            alive = opening.enter_context(Presence(prepare_home(settings) / RUN))
            runtime = WorkerRuntime(settings, process_id=alive.id, slots=THREADS)
            self._first = opening.enter_context(closing(runtime))
            self._stack = opening.pop_all()

    @contextmanager
    def lend(self) -> Iterator[Runtime]:
        """A runtime for this thread until the block ends; raises UsageError when all are closed."""
        runtime = self._take()
        try:
            yield runtime
        finally:
            self._give_back(runtime)

    def close(self) -> None:
        """Close what is not lent now, and the rest when it comes back."""
        with self._lock:
            self._is_closed, free, self._free = True, self._free, []
        for runtime in free:
            self._end(runtime)
        self._close_last()

    def _take(self) -> WorkerRuntime:
        with self._lock:
            if self._is_closed:
                raise UsageError("it was closed", hint="Open it again, or use it within its `with` block.")
            if not self._free:
                self._made += 1
                self._free.append(self._first.for_thread(self._made))
            runtime = self._free.pop()
        # What another process changed of a collection holds from the next call on.
        runtime.forget_collections()
        return runtime

    def _give_back(self, runtime: WorkerRuntime) -> None:
        with self._lock:
            if not self._is_closed:
                self._free.append(runtime)
                return
        self._end(runtime)
        self._close_last()

    def _end(self, runtime: WorkerRuntime) -> None:
        runtime.close()
        with self._lock:
            self._made -= 1

    def _close_last(self) -> None:
        """Whoever brings the last one back closes what all shared."""
        with self._lock:
            stack = self._stack.pop_all() if self._made == 0 else ExitStack()
        stack.close()
