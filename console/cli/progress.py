"""Progress on stderr: documents done, per-stage counts, rate and time left."""

import sys
import time
from shutil import get_terminal_size
from types import TracebackType
from typing import TYPE_CHECKING, Self

from embedmill.console.durations import format_duration
from embedmill.shared.harmless import harmless

if TYPE_CHECKING:
    from embedmill.console.services.standing import Pace
    from embedmill.shared.db.jobs import Job
    from embedmill.shared.db.tallies import Progress

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

    def show(self, job: "Job", progress: "Progress", pace: "Pace") -> None:
        """Show where a job stands."""
        documents = progress.documents
        ended = sum(documents[name] for name in ("completed", "unchanged", "skipped", "dead", "cancelled"))
        stages = "  ".join(f"{stage} {sum(states.values())}" for stage, states in sorted(progress.active.items()))
        self._write(f"job {job.id}: {ended}/{documents['total']} documents  {stages}  {format_pace(pace)}")

    def _write(self, line: str) -> None:
        shown = harmless(line)
        if self._terminal:
            # A line that is longer than the terminal would be repeated instead of rewritten.
            shown = f"\r{shown[: get_terminal_size().columns - 1]}\x1b[K"
        sys.stderr.write(shown if self._terminal else f"{shown}\n")
        sys.stderr.flush()
        self._due = time.monotonic() + (TERMINAL_SECONDS if self._terminal else PIPE_SECONDS)


def format_pace(pace: "Pace") -> str:
    """`40/s, 12 min left`; what a job waits for while it has no pace."""
    if pace.seconds_left is None:
        return pace.activity
    quick = pace.rate >= 1
    rate = f"{pace.rate:.0f}/s" if quick else f"{60 * pace.rate:.0f}/min" if pace.rate >= 1 / 60 else "slowly"
    return f"{rate}, {format_duration(pace.seconds_left)} left"
