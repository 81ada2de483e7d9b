"""The eraser: goes on with erasures that are not done, and begins those of documents whose time has come."""

import time

from embedmill.shared.db import erasures
from embedmill.shared.runtime import Runtime
from embedmill.workers.chores.background import BackgroundChore

QUIET_SECONDS = 30.0
RETAIN_SECONDS = 600.0
"""So often somebody looks whose time has come."""


class Eraser(BackgroundChore):
    """Writes whole files anew, for which the other chores must not wait; loads what does so when there is something."""

    name = "eraser"
    quiet_seconds = QUIET_SECONDS

    def __init__(self, runtime: Runtime) -> None:
        super().__init__()
        self._runtime = runtime
        self._retained_at = -float("inf")

    @property
    def _must_retain(self) -> bool:
        return time.monotonic() >= self._retained_at + RETAIN_SECONDS

    def has_work(self) -> bool:
        return self._must_retain or self._has_open

    @property
    def _has_open(self) -> bool:
        return bool(self._runtime.database.query(erasures.list_open))

    def work(self) -> None:
        if self._must_retain:
            from embedmill.workers.chores.retainer import retain

            self._retained_at = time.monotonic()
            retain(self._runtime)
        if self._has_open:
            from embedmill.workers.erasing.eraser import take_up

            take_up(self._runtime)
