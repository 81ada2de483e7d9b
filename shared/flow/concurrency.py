"""How many requests one process has out at once to a model: as many as were borne when one was refused, then more.

One more is tried after as many answers as are allowed at once. What a provider bears hardly changes from one moment to
the next: each try in vain doubles the answers after which one more is tried, and two more in a row undo that.
"""

import threading

LONGEST_PATIENCE = 32
"""The answers after which one more is tried, in times of what is allowed at once."""


class Concurrency:
    """What is out and what may be; safe between threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._allowed = most
        self._out = 0
        self._answers = 0
        self._patience = 1
        self._tried = 0
        self._lock = threading.Lock()

    @property
    def allowed(self) -> int:
        """Requests that may be out at once, at least 1."""
        return self._allowed

    def began(self) -> None:
        """A request goes out."""
        with self._lock:
            self._out += 1

    def ended(self) -> None:
        """It is out no longer."""
        with self._lock:
            self._out -= 1

    def refused(self) -> bool:
        """The provider said of one that is out that it is too much; returns whether no other was out with it."""
        with self._lock:
            others = self._out - 1
            if others < 1:
                return True
            if self._tried:
                self._patience = min(2 * self._patience, LONGEST_PATIENCE)
            self._allowed, self._answers, self._tried = min(self._allowed, others), 0, 0
            return False

    def answered(self) -> None:
        """A request went through."""
        with self._lock:
            self._answers += 1
            if self._allowed >= self._most or self._answers < self._patience * self._allowed:
                return
            self._allowed, self._answers, self._tried = self._allowed + 1, 0, self._tried + 1
            if self._tried > 1:
                self._patience = 1
