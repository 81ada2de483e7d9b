"""How many requests one process has out at once to a model: fewer by half when refused, one more by and by (AIMD)."""

import threading


class Concurrency:
    """Additive increase, multiplicative decrease; safe between threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._allowed = float(most)
        self._lock = threading.Lock()

    @property
    def allowed(self) -> int:
        """Requests that may be out at once, at least 1."""
        return int(self._allowed)

    def refused(self) -> None:
        """The provider said that it is too much."""
        with self._lock:
            self._allowed = max(1.0, self._allowed / 2)

    def answered(self) -> None:
        """A request went through: after as many as are allowed at once, one more is."""
        with self._lock:
            self._allowed = min(float(self._most), self._allowed + 1 / self._allowed)
