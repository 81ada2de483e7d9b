"""A chore that is done in a thread of its own, because it waits for providers and the other chores must not."""

import threading
import time
from abc import ABC, abstractmethod

from embedmill.shared.errors import EmbedmillError
from embedmill.shared.logs import get_logger

log = get_logger()

LOOK_SECONDS = 0.05


class BackgroundChore(ABC):
    """Works, once at a time, when it is poked and there is something to do."""

    name: str
    quiet_seconds: float
    """How long it rests after trouble."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._poking = threading.Lock()
        self._ended = threading.Event()
        self._quiet_until = 0.0

    @abstractmethod
    def has_work(self) -> bool:
        """Whether there is something to do."""

    @abstractmethod
    def work(self) -> None:
        """Do it, and look at whether `close` was called between two steps."""

    def poke(self) -> None:
        """Start the thread, if it is not at work and there is something to do; it ends by itself.

        Who is poked by two at once starts one thread: of another nobody would know that it is at work.
        """
        with self._poking:
            if self.is_busy or self._ended.is_set() or time.monotonic() < self._quiet_until:
                return
            if self.has_work():
                self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
                self._thread.start()

    @property
    def is_busy(self) -> bool:
        """Whether the thread is at work."""
        return self._thread is not None and self._thread.is_alive()

    def finish(self, *, seconds: float) -> None:
        """Do what there is to do by now, for at most `seconds`."""
        deadline = time.monotonic() + seconds
        self._wait_until(deadline)  # what it does already may have begun before that
        self.poke()
        self._wait_until(deadline)

    def _wait_until(self, deadline: float) -> None:
        while self.is_busy and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)

    def close(self, *, seconds: float) -> None:
        """Stop after the step in hand, and wait for that, but no longer than `seconds`."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(seconds)

    def rest(self) -> None:
        """Do nothing for a while."""
        self._quiet_until = time.monotonic() + self.quiet_seconds

    def _run(self) -> None:
        try:
            self.work()
        # Nothing that happens here may end the process: it comes back to it, and says what is wrong.
        except Exception as error:  # noqa: BLE001
            self.rest()
            message = str(error) if isinstance(error, EmbedmillError) else ""
            log.error("chore.failed", chore=self.name, error_class=type(error).__name__, error=message)
