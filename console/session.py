"""A command's session: settings, presence, runtime, and the running of work in this process until it is done."""

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import FrameType

import structlog

from console.output import print_warning
from shared.db import work
from shared.logs import configure_logs
from shared.presence import Presence, sweep
from shared.runtime import Runtime, prepare_home
from shared.settings import Settings, load_settings, unknown_variables

log = structlog.get_logger()

POLL_SECONDS = 0.1
# How long a command that worked waits for audits in the end; what is left is for the next one, or for the workers.
AUDIT_SECONDS = 60.0


def read_settings() -> Settings:
    """The settings, with a warning for variables that mean nothing."""
    settings = load_settings()
    configure_logs(settings.log_level)
    for name in unknown_variables():
        print_warning(f"{name} is no setting of Embedmill; see docs/configuration.md")
    return settings


@contextmanager
def opened(settings: Settings | None = None) -> Iterator[Runtime]:
    """A runtime for one command."""
    settings = settings or read_settings()
    home = prepare_home(settings)
    with Presence(home / "run") as presence:
        runtime = Runtime(settings, process_id=presence.id)
        try:
            yield runtime
        finally:
            runtime.close()


@contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM ends a block as Ctrl-C does, so that workers are stopped in good order."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


class Workshop:
    """The workers and chores of one command; workers are started when there is work for them."""

    def __init__(self, runtime: Runtime, slots: Sequence[tuple[str, ...]]) -> None:
        from workers.broker import EmbeddedBroker
        from workers.chores.runner import ChoreRunner
        from workers.supervisor import Supervisor

        self._runtime = runtime
        self._broker = EmbeddedBroker(runtime.settings)
        self._stack = ExitStack()
        self._recover()
        self._chores = ChoreRunner(runtime, self._broker)
        self._supervisor = Supervisor(runtime.settings, slots, on_death=self._chores.rescuer.rescue_worker)
        self._started = False

    def __enter__(self) -> "Workshop":
        self._stack.callback(self._broker.close)
        self._stack.enter_context(self._chores)
        return self

    def __exit__(self, *error: object) -> None:
        from workers.tasks import process

        self._stack.close()
        log.info("process.ended", statements=self._runtime.database.statements, messages=process.published)

    def start_workers(self) -> None:
        """Start the worker processes, once."""
        if not self._started:
            self._started = True
            self._stack.enter_context(self._supervisor)

    def poll(self) -> None:
        """Replace dead workers; raises StorageFailed when this home cannot be written any more."""
        if self._chores.failure is not None:
            raise self._chores.failure
        if self._started:
            self._supervisor.poll()

    def finish_audits(self) -> None:
        """Give what is due for an audit a moment; documents have not waited for it."""
        self._chores.auditor.finish(seconds=AUDIT_SECONDS)

    def run_until(self, is_done: Callable[[], bool]) -> None:
        """Work until `is_done`; it is asked less often the longer it takes to answer."""
        while True:
            self.poll()
            asked = time.monotonic()
            if is_done():
                return
            time.sleep(max(POLL_SECONDS, 10 * (time.monotonic() - asked)))

    def _recover(self) -> None:
        """When no other process is at work here, whatever was out is known to be lost."""
        if sweep(self._runtime.run_folder) > 1:
            return
        self._broker.purge()
        with self._runtime.database.write() as connection:
            lost = work.requeue_all(connection)
        if lost:
            log.info("session.recovered", work=lost)
