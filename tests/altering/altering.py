"""For a sitecustomize: does something in worker processes, whether they are interpreters or forks."""

import os
import sys
from collections.abc import Callable

COMMAND = os.getpid()


def in_workers(act: Callable[[], object]) -> None:
    """A worker is an interpreter of its own, or a fork of a fork of its command."""
    if "embedmill.workers.processes.entry" in sys.orig_argv:
        act()
    else:
        os.register_at_fork(after_in_child=lambda: os.getppid() == COMMAND or act())
