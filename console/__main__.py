"""The entry of `embedmill` and of `python -m embedmill.console`: an interruption prints a line, whenever it comes."""

import os
import signal
import sys
import threading
from types import FrameType
from typing import NoReturn


def main() -> None:
    """Load the command line and run it; exits with the command's status."""
    # A shell has its background jobs ignore Ctrl-C, and they should.
    heard = signal.getsignal(signal.SIGINT) != signal.SIG_IGN
    if heard:
        signal.signal(signal.SIGINT, _leave)
        sys.unraisablehook = _interrupt_again
    from embedmill.console.cli.app import main as run

    if heard:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        status = run()
        if heard:
            # What the interpreter does at its end is not worth a traceback.
            signal.signal(signal.SIGINT, _leave)
    except KeyboardInterrupt:
        # Before the command line took care of it, or after.
        _leave()
    sys.exit(status)


def _interrupt_again(swallowed: "sys.UnraisableHookArgs") -> None:
    """An interruption that came while an object was being taken apart is lost there, and wanted all the same."""
    if isinstance(swallowed.exc_value, KeyboardInterrupt):
        # In a moment: here it would be lost again.
        threading.Timer(0.01, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT)).start()
    else:
        sys.__unraisablehook__(swallowed)


def _leave(_number: int = signal.SIGINT, _frame: FrameType | None = None) -> NoReturn:
    """End at once: nothing has begun yet, or all is done."""
    os.write(2, b"error: interrupted\n")
    os._exit(1)


if __name__ == "__main__":
    main()
