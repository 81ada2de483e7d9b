"""The clock of a simulator: real time that can be pushed forward, so that a day at a vendor takes no day."""

import threading
import time
from datetime import UTC, datetime


class Clock:
    """Seconds since the epoch plus whatever it was advanced by."""

    def __init__(self) -> None:
        self._ahead_seconds = 0.0
        self._lock = threading.Lock()

    def now(self) -> float:
        """Seconds since the epoch, as the simulator sees them."""
        return time.time() + self._ahead_seconds

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass at once."""
        with self._lock:
            self._ahead_seconds += seconds

    def stamp(self, seconds: float | None = None) -> str:
        """RFC 3339 in UTC with a Z, of a point in time or of now."""
        moment = datetime.fromtimestamp(self.now() if seconds is None else seconds, UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
