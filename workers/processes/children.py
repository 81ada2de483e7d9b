"""The worker processes of a supervisor, as it remembers them, and how starting them goes."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from embedmill.shared.errors import InternalError
from embedmill.shared.states import WorkerState
from embedmill.workers.processes.launching import WorkerProcess
from embedmill.workers.processes.pools import Group

# A worker that dies sooner than this after its start is started again more slowly.
EARLY_SECONDS = 5.0
# So many in a row that never got as far as saying their name: another start would not help.
STILLBORN = 5
# After a worker could not write to a database server, so long until another is started.
STORAGE_WAIT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Recycling:
    """When a worker process ends itself to be replaced: after so many batches, above so much memory; 0 is never."""

    max_batches: int = 0
    max_memory_mb: int = 0


@dataclass(slots=True, eq=False)
class Child:
    """One worker process; `leaving` is when it was told to go."""

    group: Group
    slots: int
    process: WorkerProcess
    started: float
    leaving: float | None = None
    row: Mapping[str, Any] = field(default_factory=dict)
    progressed: float = 0.0

    @property
    def stays(self) -> bool:
        """Whether nobody told it to go."""
        return self.leaving is None

    @property
    def is_up(self) -> bool:
        """Whether it has said that it takes messages."""
        return bool(self.row) and self.row["state"] != WorkerState.STARTING

    def send_away(self) -> None:
        """Note that it was told to go."""
        if self.leaving is None:
            self.leaving = time.monotonic()


@dataclass(slots=True)
class Starts:
    """How starting goes for one group of processes."""

    stillborn: int = 0
    wait_until: float = 0.0

    @property
    def are_due(self) -> bool:
        """Whether another may be started now."""
        return time.monotonic() >= self.wait_until

    def wait_for_storage(self) -> None:
        """A database server comes back."""
        self.wait_until = time.monotonic() + STORAGE_WAIT_SECONDS

    def note_death(self, child: Child, status: int, *, was_born: bool) -> None:
        """Start the next one more slowly after an early death; raises InternalError when none stays up."""
        self.stillborn = 0 if was_born else self.stillborn + 1
        if self.stillborn >= STILLBORN:
            raise InternalError(f"workers end with status {status} before they are ready; see stderr")
        early = time.monotonic() - child.started < EARLY_SECONDS
        self.wait_until = time.monotonic() + (0.2 if early else 0.0)


def least_missed(children: Sequence[Child]) -> list[Child]:
    """Those that are ending anyway, idle workers before busy ones, and young before old."""

    def missed(child: Child) -> tuple[bool, int, float]:
        return child.row.get("stopped_at") is None, child.row.get("busy", 0), -child.started

    return sorted(children, key=missed)
