"""Starts worker processes, puts a new one in the place of one that died, and stops them in good order."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import IO

import structlog

from shared.errors import InternalError, StorageFailed
from shared.settings import Settings

log = structlog.get_logger()

# Exit status of a worker that could not write any more: another start would not help.
EXIT_STORAGE = 75
# A worker that dies sooner than this after its start is started again more slowly.
EARLY_SECONDS = 5.0
# So many in a row that never got as far as saying their name: another start would not help.
STILLBORN = 5


@dataclass(slots=True)
class Slot:
    """A place for one worker process."""

    queues: tuple[str, ...]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    stillborn: int = 0
    wait_until: float = 0.0


class Supervisor:
    """Keeps `len(slots)` workers running until the block ends; `on_death` is told the name of each that died."""

    def __init__(
        self, settings: Settings, slots: Sequence[tuple[str, ...]], *, on_death: Callable[[str], object]
    ) -> None:
        self._settings = settings
        self._slots = [Slot(queues) for queues in slots]
        self._on_death = on_death

    def __enter__(self) -> "Supervisor":
        for slot in self._slots:
            self._start(slot)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers."""
        return [slot.process.pid for slot in self._slots if slot.process is not None]

    def poll(self) -> None:
        """Replace workers that died; raises StorageFailed when one could not write, InternalError if none stays up."""
        for slot in self._slots:
            if slot.process is not None and slot.process.poll() is not None:
                self._bury(slot, slot.process)
            if slot.process is None and time.monotonic() >= slot.wait_until:
                self._start(slot)

    def stop(self, *, grace_seconds: float = 60.0) -> None:
        """Let every worker finish its batch, then end it; one that takes longer than the grace time is killed."""
        running = [slot.process for slot in self._slots if slot.process is not None]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + grace_seconds
        for process in running:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            _close(process.stdout)

    def _start(self, slot: Slot) -> None:
        queues = [argument for queue in slot.queues for argument in ("--queue", queue)]
        # -P: a package named like one of ours in the user's current folder is not ours.
        command = [sys.executable, "-P", "-m", "workers.process", "--parent", str(os.getpid()), *queues]
        slot.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        slot.started = time.monotonic()

    def _bury(self, slot: Slot, process: subprocess.Popen[bytes]) -> None:
        announced = process.stdout.readline().decode().strip() if process.stdout else ""
        _close(process.stdout)
        slot.process = None
        log.warning("worker.died", worker=announced, status=process.returncode)
        if process.returncode == EXIT_STORAGE:
            raise StorageFailed("a worker could not write to the home folder or the database")
        slot.stillborn = 0 if announced else slot.stillborn + 1
        if slot.stillborn >= STILLBORN:
            raise InternalError(f"workers end with status {process.returncode} before they are ready; see stderr")
        early = time.monotonic() - slot.started < EARLY_SECONDS
        slot.wait_until = time.monotonic() + (0.2 if early else 0.0)
        if announced:
            self._on_death(announced)


def _close(stream: IO[bytes] | None) -> None:
    if stream is not None:
        stream.close()
