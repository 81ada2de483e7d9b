"""Finds workers that hang: liveness is what a worker does, not that its process is there.

Everything is measured by this process's own clock and its own looks, so a machine that slept, or a clock that was set,
makes nobody look hung.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from embedmill.shared import stages
from embedmill.shared.logs import get_logger
from embedmill.workers.processes.children import Child
from embedmill.workers.processes.pools import Group

log = get_logger()

# A time that a worker tells as an age comes back a little different each time.
SAME_MESSAGE_SECONDS = 0.5
MOST_PATIENCE = 32.0


class Liveness:
    """Knows since when each queue has work, and for how much longer than usual each group is waited for."""

    def __init__(self, hung_seconds: float, depths: Callable[[], Mapping[str, int]]) -> None:
        self._hung_seconds = hung_seconds
        self._depths = depths
        self._backlog_since: dict[str, float] = {}
        self._patience: dict[Group, float] = {}

    def note(self, child: Child, row: Mapping[str, Any]) -> None:
        """Compare what a worker says with what it said at the last look."""
        if _has_progressed(child.row, row):
            child.progressed = time.monotonic()
            self._patience[child.group] = 1.0
        child.row = row

    def find_hung(self, children: Sequence[Child], queued: set[str]) -> list[Child]:
        """Those that made no progress although messages waited for them; `queued` are the stages that have work.

        If a successor fares no better, the fault is elsewhere, and restarting it all the time would not help: each is
        waited for twice as long as the one before.
        """
        now = time.monotonic()
        self._backlog_since = {stage: self._backlog_since.get(stage, now) for stage in queued}
        present = [child for child in children if child.row and child.stays]
        late = [(child, owed) for child in present if (owed := self._find_owed(child, now))]
        # Work is queued, but where no message waits, they are all with others, and nobody is hung.
        waiting = self._find_waiting() if late else set()
        hung = [child for child, owed in late if owed & waiting]
        for child in hung:
            self._patience[child.group] = min(2 * self._patience.get(child.group, 1.0), MOST_PATIENCE)
        return hung

    def _find_waiting(self) -> set[str]:
        """The stages in whose queues messages wait."""
        try:
            return {stage for stage, count in self._depths().items() if count}
        # Whatever it is, a broker that cannot be asked now may be just what the worker did not survive.
        except Exception as error:  # noqa: BLE001
            log.warning("supervisor.no_broker", error_class=type(error).__name__)
            return set(stages.names())

    def _find_owed(self, child: Child, now: float) -> set[str]:
        """The queues that had work for too long while this worker, which serves them, did nothing."""
        limit = self._hung_seconds * self._patience.get(child.group, 1.0)
        if now - child.progressed <= limit:
            return set()
        return {q for q in child.group.queues if now - self._backlog_since.get(q, now) > limit}


def _has_progressed(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether a worker took a message between two looks at it, or is at work and said so."""
    if not before or not now:
        return bool(now) and not before
    taken = (now["last_message_at"] or 0.0) - (before["last_message_at"] or 0.0)
    at_work = now["busy"] > 0 and now["heartbeat_at"] > before["heartbeat_at"]
    return at_work or now["batches"] > before["batches"] or taken > SAME_MESSAGE_SECONDS
