"""What a worker process has done: batches, documents, and documents a second over the last minute."""

import threading
import time
from collections import deque
from collections.abc import Callable

WINDOW_SECONDS = 60.0


class Throughput:
    """Counters that any thread may add to; ages in seconds by a clock that nobody sets."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._began = monotonic()
        self._recent: deque[tuple[float, int]] = deque()
        self._last_message: float | None = None
        self._last_claim: float | None = None
        self.batches = 0
        self.documents = 0

    def note_message(self) -> None:
        """A message was taken."""
        self._last_message = self._monotonic()

    def note_batch(self, documents: int) -> None:
        """A batch ended; one that had nothing to claim has no documents."""
        with self._lock:
            self.batches += 1
            self.documents += documents
            if documents:
                self._last_claim = self._monotonic()
                self._recent.append((self._last_claim, documents))
                self._drop_old()

    @property
    def rate(self) -> float:
        """Documents a second over the last minute, or over the life of a younger process."""
        with self._lock:
            self._drop_old()
            lived = max(1.0, min(WINDOW_SECONDS, self._monotonic() - self._began))
            return sum(documents for _, documents in self._recent) / lived

    @property
    def message_age(self) -> float | None:
        """Since the last message was taken; None before the first."""
        return None if self._last_message is None else self._monotonic() - self._last_message

    @property
    def claim_age(self) -> float | None:
        """Since the last batch with something to claim ended; None before the first."""
        return None if self._last_claim is None else self._monotonic() - self._last_claim

    def _drop_old(self) -> None:
        while self._recent and self._recent[0][0] < self._monotonic() - WINDOW_SECONDS:
            self._recent.popleft()
