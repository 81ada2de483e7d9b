"""A command's session: settings, runtime, and who listens while a service works; signals are the command line's."""

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

from embedmill.console.cli.output import print_told, print_warning
from embedmill.console.cli.progress import Display
from embedmill.console.listening import HandBack, Listener, Notice, Severity
from embedmill.console.services.opening import open_runtime, open_to_read
from embedmill.shared.configuration import load_settings, unknown_variables
from embedmill.shared.errors import DatabaseAway
from embedmill.shared.logs import configure_logs
from embedmill.shared.runtime import Runtime
from embedmill.shared.settings import Settings

READING_SECONDS = 5.0
"""At most so long a command that reads and answers at once waits for a database server that is away."""
BRING_BACK = "Bring the database server back, or correct EMBEDMILL_DATABASE_URL; embedmill doctor tries it"
WORKERS_WAIT = "what works, writes or takes long waits EMBEDMILL_DATABASE_OUTAGE_SECONDS"


def read_settings() -> Settings:
    """The settings, with a warning for variables that mean nothing."""
    settings = load_settings()
    configure_logs(settings.log_level)
    for name, meant in unknown_variables().items():
        print_warning(f"{name} is no setting of Embedmill; {meant or 'see docs/configuration.md'}")
    return settings


@contextmanager
def opened(settings: Settings | None = None) -> Iterator[Runtime]:
    """A runtime for one command."""
    with open_runtime(settings or read_settings()) as runtime:
        yield runtime


@contextmanager
def opened_to_work() -> Iterator[Runtime]:
    """A runtime for a command that works on jobs itself: its workers are forks of what it was with nothing open."""
    from embedmill.workers.processes.launching import forking

    with forking() as forks, opened() as runtime:
        yield runtime
        if forks is not None:
            forks.dismiss()


@contextmanager
def opened_to_read(*, takes_long: bool = False) -> Iterator[Runtime]:
    """A runtime for a command that only reads: a home that cannot be written is read as it stands.

    Whoever asks is there to hear that the database is away, and asks again: it is not waited for as workers do. What
    takes long, or was paid for, is not thrown away for a restart of the server.
    """
    settings = read_settings()
    seconds = settings.database_outage_seconds
    if not takes_long:
        seconds = min(seconds, READING_SECONDS)
    impatient = settings.model_copy(update={"database_outage_seconds": seconds})
    try:
        with open_to_read(impatient, Listener(on_notice=print_told)) as runtime:
            yield runtime
    except DatabaseAway as away:
        raise DatabaseAway(str(away), hint=f"{BRING_BACK} (waited {seconds:g} s; {WORKERS_WAIT}).") from None


@contextmanager
def heard(*, quiet: bool) -> Iterator[Listener]:
    """A listener for a service that works for long; while it does, signals stop it in good order.

    When `quiet` there is no progress, and of notices only what is wrong.
    """

    def tell(notice: Notice) -> None:
        if not quiet or notice.severity is not Severity.INFO:
            print_told(notice)

    with interruptible(), Display() as display:
        show = None if quiet else display.show
        yield Listener(tell, show, every_seconds=display.every_seconds, while_stopping=hurried)


@contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM and SIGQUIT end a block as Ctrl-C does, so that workers are stopped in good order.

    Only the first SIGTERM or SIGQUIT does: another must not interrupt the stopping itself (see `hurried`).
    """

    def stop(number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGQUIT, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        raise HandBack if number == signal.SIGQUIT else KeyboardInterrupt

    # A shell has its background jobs ignore Ctrl-C, and they should.
    heard = [number for number in _STOPPING if signal.getsignal(number) != signal.SIG_IGN]
    with _handled(dict.fromkeys(heard, stop)):
        yield


@contextmanager
def hurried(hurry: Callable[[], object]) -> Iterator[None]:
    """While workers stop: another SIGTERM changes nothing, another Ctrl-C or a SIGQUIT calls `hurry`."""

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        hurry()

    with _handled({signal.SIGTERM: signal.SIG_IGN, signal.SIGINT: on_signal, signal.SIGQUIT: on_signal}):
        yield


@contextmanager
def _handled(handlers: Mapping[signal.Signals, Any]) -> Iterator[None]:
    previous = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


_STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
