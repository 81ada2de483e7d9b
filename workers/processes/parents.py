"""Those whom a worker works for: its fork server, and the command, which has its workers when that has ended."""

import os
import signal
import sys
from types import FrameType

from embedmill.shared.death_signal import send_at_parents_end

PARENT_ENDED = signal.SIGURG
"""Nobody else sends it, and whoever does not wait for it does not hear it."""


class Parents:
    """The processes of which one is this one's parent as long as anybody wants its work; 0 is nobody."""

    def __init__(self, *pids: int) -> None:
        self._pids = {pid for pid in pids if pid}

    @property
    def are_gone(self) -> bool:
        """Whether this process was left to somebody else."""
        return bool(self._pids) and os.getppid() not in self._pids

    def heed(self) -> None:
        """Hear of their ends from now on, and end this process as after a SIGTERM when the last of them is gone."""
        if self._pids and sys.platform == "linux":
            signal.signal(PARENT_ENDED, self._on_end)
            send_at_parents_end(PARENT_ENDED)
            if self.are_gone:
                sys.exit(0)

    def _on_end(self, _number: int, _frame: FrameType | None) -> None:
        if self.are_gone:
            os.kill(os.getpid(), signal.SIGTERM)
