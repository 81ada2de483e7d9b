"""Owns where readings of containers stopped: a tape has no directory, so the next batch goes on from there."""

from collections import OrderedDict
from collections.abc import Set
from threading import Lock
from typing import Protocol

MOST_PLACES = 2
"""So many containers stay open in a process, each with an open file and what decompresses it."""


class StoppedReading(Protocol):
    """One pass over a container, stopped somewhere."""

    def goes_on_to(self, wanted: Set[str]) -> bool:
        """Whether all that is wanted lies before it in the same file; what was wanted before is forgotten then."""


class Places:
    """Readings by their container's URI, each for one who takes it at a time."""

    def __init__(self) -> None:
        self._readings: OrderedDict[str, StoppedReading] = OrderedDict()
        self._lock = Lock()

    def leave(self, container: str, reading: StoppedReading) -> None:
        """For whoever wants the container next; of too many the oldest is closed."""
        with self._lock:
            self._readings[container] = reading
            self._readings.move_to_end(container)
            while len(self._readings) > MOST_PLACES:
                self._readings.popitem(last=False)

    def take(self, container: str, wanted: Set[str]) -> StoppedReading | None:
        """The reading that reaches all of these, if there is one."""
        with self._lock:
            found = self._readings.pop(container, None)
        return found if found is not None and found.goes_on_to(wanted) else None
