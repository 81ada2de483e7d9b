"""What a process may have got from whoever started it and cannot work with: closed streams, and SIGCHLD ignored."""

import os
import signal
import sys


def begin_as_usual() -> None:
    """Before anything is opened or started: what is opened later must not become a stream, and children end as ours."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            # The lowest that is free is this one, as those below it are open. Processes that we start have it too.
            os.open(os.devnull, os.O_WRONLY if number else os.O_RDONLY)
            os.set_inheritable(number, True)  # noqa: FBT003 - positional only
        if getattr(sys, name) is None:
            mode = "w" if number else "r"
            stream = open(number, mode, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
            # Libraries write to the original too.
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
    # The system throws away how the children of one that ignores it have ended.
    if signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
