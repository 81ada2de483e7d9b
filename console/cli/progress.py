"""Progress on stderr: documents done, per-stage counts, rate and time left."""

import sys
from shutil import get_terminal_size
from types import TracebackType
from typing import TYPE_CHECKING, Self

from embedmill.console.rendering import documents_of
from embedmill.shared.durations import format_duration
from embedmill.shared.harmless import harmless

if TYPE_CHECKING:
    from embedmill.console.services.progress import JobProgress, Pace

TERMINAL_SECONDS = 0.3
PIPE_SECONDS = 10.0


class Display:
    """A line that is rewritten on a terminal and repeated now and then in a log."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._has_shown = False
        self.every_seconds = TERMINAL_SECONDS if self._is_terminal else PIPE_SECONDS

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_terminal and self._has_shown:
            sys.stderr.write("\r\x1b[K")

    def show(self, progress: "JobProgress") -> None:
        """Show where a job stands."""
        self._write(format_progress(progress))

    def _write(self, line: str) -> None:
        self._has_shown = True
        shown = harmless(line)
        if self._is_terminal:
            # A line that is longer than the terminal would be repeated instead of rewritten.
            shown = f"\r{shown[: get_terminal_size().columns - 1]}\x1b[K"
        sys.stderr.write(shown if self._is_terminal else f"{shown}\n")
        sys.stderr.flush()


def format_progress(progress: "JobProgress") -> str:
    """`job 3: 12/40 documents  chunk 8  embed 20  40/s, 12 min left`; `scanning: 1200 documents, about 300 left`."""
    if progress.scanned is not None:
        left = max(progress.expected - progress.scanned, 0)
        return f"scanning: {documents_of(progress.scanned)}" + (f", about {left} left" if left else "")
    documents = progress.documents
    stages = "  ".join(f"{stage} {count}" for stage, count in sorted(progress.active.items()))
    return f"job {progress.job}: {documents.ended}/{documents.total} documents  {stages}  {format_pace(progress.pace)}"


def format_pace(pace: "Pace") -> str:
    """`40/s, 12 min left`; what a job waits for while it has no pace."""
    if pace.seconds_left is None:
        return pace.activity
    quick = pace.rate >= 1
    rate = f"{pace.rate:.0f}/s" if quick else f"{60 * pace.rate:.0f}/min" if pace.rate >= 1 / 60 else "slowly"
    return f"{rate}, {format_duration(pace.seconds_left)} left"
