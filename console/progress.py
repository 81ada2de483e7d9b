"""Progress on stderr: documents done, per-stage counts, rate and time left."""

import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from shared.db.jobs import Job, Progress

TERMINAL_SECONDS = 0.3
PIPE_SECONDS = 10.0


class Display:
    """A line that is rewritten on a terminal and repeated now and then in a log; silent when `quiet`."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._terminal = sys.stderr.isatty()
        self._began = time.monotonic()
        self._due = self._began + (TERMINAL_SECONDS if self._terminal else PIPE_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._terminal and not self._quiet:
            sys.stderr.write("\r\x1b[K")

    def is_due(self) -> bool:
        """Whether it is time to measure progress."""
        return not self._quiet and time.monotonic() >= self._due

    def scanned(self, seen: int) -> None:
        """Show how far the scan of the sources has come."""
        if self.is_due():
            self._write(f"scanning: {seen} documents")

    def show(self, job: "Job", progress: "Progress") -> None:
        """Show where a job stands."""
        documents = progress.documents
        ended = sum(documents[name] for name in ("completed", "unchanged", "skipped", "dead", "cancelled"))
        stages = "  ".join(f"{stage} {sum(states.values())}" for stage, states in sorted(progress.active.items()))
        self._write(f"job {job.id}: {ended}/{documents['total']} documents  {stages}  {self._pace(documents)}")

    def _pace(self, documents: Mapping[str, int]) -> str:
        worked = documents["completed"] + documents["dead"]
        rate = worked / max(time.monotonic() - self._began, 0.001)
        left = documents["total"] - worked - sum(documents[name] for name in ("unchanged", "skipped", "cancelled"))
        return f"{rate:.0f}/s, {left / rate:.0f} s left" if rate >= 0.5 else "starting"

    def _write(self, line: str) -> None:
        sys.stderr.write(f"\r{line}\x1b[K" if self._terminal else f"{line}\n")
        sys.stderr.flush()
        self._due = time.monotonic() + (TERMINAL_SECONDS if self._terminal else PIPE_SECONDS)
