"""The entry of `embedmill` and of `python -m embedmill.console`: an interruption prints a line, whenever it comes."""

import atexit
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

from embedmill.shared.inherited import begin_as_usual
from embedmill.shared.roomy import with_room


def enter() -> NoReturn:
    """Be the command, to the end of its process."""
    try:
        with_room(main)
    except SystemExit as left:
        _end(left)


def _end(left: SystemExit) -> NoReturn:
    """Do what is to be done at an end, and leave the rest to the system: a twentieth of a short command was that.

    An interpreter takes apart all of its modules, one object at a time. What it says of an end that is not as usual is
    its own: a message in the place of a status, and streams that nobody reads any more.
    """
    if left.code is None or isinstance(left.code, int):
        threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001 - what an interpreter begins its end with
        atexit._run_exitfuncs()  # noqa: SLF001 - the same
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(left.code or 0)
    raise left


def main() -> NoReturn:
    """Load the command line and run it; exits with the command's status."""
    begin_as_usual()
    # A shell has its background jobs ignore Ctrl-C, and they should.
    heard = signal.getsignal(signal.SIGINT) != signal.SIG_IGN
    if heard:
        signal.signal(signal.SIGINT, _leave)
        sys.unraisablehook = _interrupt_again
    try:
        with _forking_first(sys.argv[1:]):
            from embedmill.console.cli.app import main as run

            if heard:
                signal.signal(signal.SIGINT, signal.default_int_handler)
            status = run()
        if heard:
            # What the interpreter does at its end is not worth a traceback.
            signal.signal(signal.SIGINT, _leave)
    except KeyboardInterrupt:
        # Before the command line took care of it, or after.
        _leave()
    sys.exit(status)


@contextmanager
def _forking_first(arguments: Sequence[str]) -> Iterator[None]:
    """An ingest has what its workers need be loaded before its options are known: a small job waits for that."""
    if arguments[:1] != ["ingest"] or not {"-h", "--help", "--dry-run"}.isdisjoint(arguments):
        yield
        return
    from embedmill.shared.starting import start_lightly

    start_lightly()
    from embedmill.workers.processes.launching import forking

    with forking():
        yield


def _interrupt_again(swallowed: "sys.UnraisableHookArgs") -> None:
    """An interruption that came while an object was being taken apart is lost there, and wanted all the same."""
    if isinstance(swallowed.exc_value, KeyboardInterrupt):
        threading.Thread(target=_interrupt_outside, daemon=True).start()
    else:
        sys.__unraisablehook__(swallowed)


def _interrupt_outside() -> None:
    """Interrupt the main thread once it has left the hook: in there an interruption would be lost again."""
    main = threading.main_thread().ident
    assert main is not None
    while _runs_hook(sys._current_frames().get(main)):  # noqa: SLF001 - documented, and the only way to know
        time.sleep(0.001)
    signal.pthread_kill(main, signal.SIGINT)


def _runs_hook(frame: FrameType | None) -> bool:
    while frame is not None and frame.f_code is not _interrupt_again.__code__:
        frame = frame.f_back
    return frame is not None


def _leave(_number: int = signal.SIGINT, _frame: FrameType | None = None) -> NoReturn:
    """End at once: nothing has begun yet, or all is done."""
    os.write(2, b"error: interrupted\n")
    os._exit(1)


if __name__ == "__main__":
    enter()
