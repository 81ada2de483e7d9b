"""How a service speaks while it works: progress now and then, and notices; who listens is the caller's business."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class HandBack(KeyboardInterrupt):
    """End now and hand back what is held, instead of finishing it."""


class Severity(StrEnum):
    """How much a notice matters."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to know that ends nothing, and what to do about it."""

    text: str
    severity: Severity = Severity.WARNING
    hint: str = ""


def _ignore(_told: Any) -> None:
    pass


def _undisturbed(_hurry: Callable[[], object]) -> AbstractContextManager[None]:
    return nullcontext()


@dataclass(frozen=True, slots=True)
class Listener:
    """What a caller wants to hear; nothing, unless it says so.

    Progress is measured only for who wants it, and at most every `every_seconds`. `while_stopping` is entered with what
    hurries workers that are about to stop, so that a second Ctrl-C can do that.
    """

    on_notice: Callable[[Notice], object] = _ignore
    on_progress: Callable[[Any], object] | None = None
    every_seconds: float = 0.3
    while_stopping: Callable[[Callable[[], object]], AbstractContextManager[object]] = _undisturbed


NOBODY = Listener()


class Teller:
    """Tells a listener of progress, which is measured only when it is time for it."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._due = time.monotonic() + listener.every_seconds

    def tell(self, measure: Callable[[], object]) -> None:
        """Tell what `measure` returns, if somebody wants to hear it now."""
        if self._listener.on_progress is not None and time.monotonic() >= self._due:
            self._listener.on_progress(measure())
            self._due = time.monotonic() + self._listener.every_seconds
