"""The slots of one process: how many batches may run in it at once, and when one has to be alone."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Gate:
    """Lets batches in up to a number of slots that may change at any time.

    One that asks to be alone waits until everybody has left, and nobody enters beside it; those who came later wait
    for it, so that it does get its turn. A closed gate lets nobody in and sends away those who wait.
    """

    def __init__(self, slots: int) -> None:
        self._changed = threading.Condition()
        self._slots = slots
        self._inside = 0
        self._suspects_waiting = 0
        self._is_exclusive = False
        self._is_closed = False

    @property
    def slots(self) -> int:
        """How many may be inside."""
        return self._slots

    @property
    def inside(self) -> int:
        """How many are inside."""
        return self._inside

    @property
    def is_shut(self) -> bool:
        """Whether nobody else gets in before one of those inside has left."""
        return self._is_exclusive or self._inside >= self._slots or self._suspects_waiting > 0

    def resize(self, slots: int) -> None:
        """Change the number of slots; those inside stay."""
        with self._changed:
            self._slots = slots
            self._changed.notify_all()

    def close(self) -> None:
        """Let nobody in any more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    @contextmanager
    def entered(self, *, alone: bool) -> Iterator[bool]:
        """Wait for a place and hold it until the block ends; False, without a place, when the gate is closed."""
        admitted = self._admit(alone=alone)
        try:
            yield admitted
        finally:
            if admitted:
                self._leave()

    def _admit(self, *, alone: bool) -> bool:
        with self._changed:
            self._suspects_waiting += alone
            self._changed.wait_for(lambda: self._is_closed or self._has_room(alone=alone))
            self._suspects_waiting -= alone
            if not self._is_closed:
                self._inside += 1
                self._is_exclusive = alone
            self._changed.notify_all()
            return not self._is_closed

    def _has_room(self, *, alone: bool) -> bool:
        if self._is_exclusive or self._slots < 1:
            return False
        return self._inside == 0 if alone else self._inside < self._slots and not self._suspects_waiting

    def _leave(self) -> None:
        with self._changed:
            self._inside -= 1
            self._is_exclusive = False
            self._changed.notify_all()
