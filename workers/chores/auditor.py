"""The auditor: shows samples to the model beside the path; whatever goes wrong there holds no document."""

from embedmill.shared.db.samples import has_due_samples
from embedmill.shared.runtime import Runtime
from embedmill.workers.chores.background import BackgroundChore

ROUND = 64
"""Samples that are looked at together."""
QUIET_SECONDS = 15.0
"""After a provider could not be had."""


class Auditor(BackgroundChore):
    """Runs rounds while there is something to look at. An audit is beside the path: it holds nothing up."""

    name = "auditor"
    quiet_seconds = QUIET_SECONDS

    def __init__(self, runtime: Runtime) -> None:
        super().__init__()
        self._runtime = runtime

    def has_work(self) -> bool:
        return self._runtime.database.query(has_due_samples)

    def work(self) -> None:
        from embedmill.workers.chores.audits import audit

        while not self._ended.is_set():
            done = audit(self._runtime, limit=ROUND)
            if done.trouble:
                self.rest()
            if done.trouble or not done.taken:
                return
