"""What each of our processes does before it loads anything large."""

import atexit
import gc
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def unheard(number: signal.Signals) -> Iterator[None]:
    """What is started within never hears a signal: a Ctrl-C is its parent's to act upon, from its first moment on."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def start_lightly() -> None:
    """Leave out what a start would spend a fifth of its time on for nothing; files are made for their owner only."""
    os.umask(0o077)
    # Starting makes a hundred thousand objects that all stay; looking through them again and again is a tenth of it.
    gc.set_threshold(50_000)
    # Nor are they taken apart one by one at the end, which took a sixth of a short command.
    atexit.register(gc.freeze)
    # structlog would load rich, for tracebacks in colours, which are never printed here.
    modules: dict[str, Any] = sys.modules
    modules.setdefault("rich", None)
