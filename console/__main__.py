"""The entry of `embedmill` and of `python -m console`: an interruption prints a line, whenever it comes."""

import os
import signal
import sys
from types import FrameType
from typing import NoReturn


def main() -> None:
    """Load the command line and run it; exits with the command's status."""
    # A shell has its background jobs ignore Ctrl-C, and they should.
    heard = signal.getsignal(signal.SIGINT) != signal.SIG_IGN
    if heard:
        signal.signal(signal.SIGINT, _leave)
    from console.cli import main as run

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


def _leave(_number: int = signal.SIGINT, _frame: FrameType | None = None) -> NoReturn:
    """End at once: nothing has begun yet, or all is done."""
    os.write(2, b"error: interrupted\n")
    os._exit(1)


if __name__ == "__main__":
    main()
