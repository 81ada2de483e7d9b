"""For a sitecustomize: alters worker processes, whether they are interpreters or forks."""

import os
import sys
from collections.abc import Callable

COMMAND = os.getpid()
IS_WORKER = "embedmill.workers.processes.entry" in sys.orig_argv
# A fork server that was started from nothing.
IS_SERVER = "embedmill.workers.processes.renewed" in sys.orig_argv


def in_workers(act: Callable[[], object]) -> None:
    """Before they load what they work with; where they are forks, in what they are forked from."""
    if IS_WORKER or IS_SERVER:
        act()
    else:
        os.register_at_fork(after_in_child=lambda: act() if os.getppid() == COMMAND else None)


def in_each_worker(act: Callable[[], object]) -> None:
    """At the start of each."""
    if IS_WORKER:
        act()
    else:
        os.register_at_fork(after_in_child=lambda: act() if IS_SERVER or os.getppid() != COMMAND else None)
