"""What our loggers say, for a test to look at."""

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

from structlog.testing import LogCapture

from embedmill.shared.logs import PROCESSORS


@contextmanager
def captured_logs() -> Iterator[list[MutableMapping[str, Any]]]:
    """Every event within, at any level, and nowhere else."""
    capture, before = LogCapture(), list(PROCESSORS)
    PROCESSORS[:] = [capture]
    try:
        yield capture.entries
    finally:
        PROCESSORS[:] = before
