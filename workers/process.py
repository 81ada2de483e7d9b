"""One worker process: `python -m workers.process [--queue STAGE]…`, ended by SIGTERM after the batch in hand."""

import argparse
import ctypes
import os
import signal
import socket
import sys
import warnings
from collections.abc import Sequence
from types import FrameType
from typing import Any

import structlog
from celery.exceptions import SecurityWarning, WorkerShutdown
from celery.signals import worker_ready
from celery.worker import state

from shared.db import presence as registry
from shared.errors import EmbedmillError, HomeInUse, StorageFailed
from shared.logs import configure_logs
from shared.presence import Presence
from shared.settings import load_settings
from shared.states import Stage
from workers.app import app, queue_name
from workers.heartbeat import Heartbeat
from workers.runtime import WorkerRuntime
from workers.supervisor import EXIT_STORAGE
from workers.tasks import process

log = structlog.get_logger()

HEARTBEAT_SECONDS = 10.0
PR_SET_PDEATHSIG = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Work until told to stop; returns the exit status."""
    options = _parse(arguments)
    settings = load_settings()
    configure_logs(settings.log_level)
    _end_with(options.parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Presence(settings.home_path / "run") as presence:
        runtime = WorkerRuntime(settings, process_id=presence.id)
        process.runtime = runtime
        try:
            _work(runtime, [Stage(stage) for stage in options.queue or list(Stage)])
        finally:
            runtime.close()
    return EXIT_STORAGE if process.failure else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="One Embedmill worker process.")
    parser.add_argument("--queue", action="append", choices=[str(stage) for stage in Stage])
    parser.add_argument("--parent", type=int, default=0, help="end when this process does")
    return parser.parse_args(arguments)


def _work(runtime: WorkerRuntime, stages: Sequence[Stage]) -> None:

    def register(connection: Any) -> None:
        registry.register_worker(
            connection, runtime.process_id, host=socket.gethostname(), pid=os.getpid(), queues=stages
        )
        # Within the transaction: whoever sees the registration can read the name, and a worker that cannot open its
        # database never said one. Saying it twice, when the transaction is run again, does no harm.
        _announce(runtime.process_id)

    runtime.database.transact(register)
    # Celery warns root of pickles; only JSON is accepted here.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    worker = app.Worker(
        pool="solo",
        concurrency=1,
        queues=[queue_name(stage) for stage in stages],
        hostname=runtime.process_id,
        quiet=True,
        loglevel="CRITICAL",
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    worker_ready.connect(_end_promptly)
    with Heartbeat(lambda: _beat(runtime), interval=HEARTBEAT_SECONDS):
        worker.start()
    runtime.database.transact(lambda connection: registry.stop_worker(connection, runtime.process_id))
    log.info("process.ended", statements=runtime.database.statements, messages=process.published)


def _end_promptly(**_: object) -> None:
    """On SIGTERM an idle worker leaves at once instead of at the end of a poll; a busy one after its batch."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        state.should_stop = 0
        if not process.busy:
            raise WorkerShutdown(0)

    signal.signal(signal.SIGTERM, stop)


def _beat(runtime: WorkerRuntime) -> None:
    runtime.database.transact(lambda connection: registry.beat(connection, runtime.process_id))


def _announce(process_id: str) -> None:
    """Tell the supervisor under which name this process holds leases."""
    print(process_id, flush=True)


def _end_with(parent: int) -> None:
    """Finish the batch in hand and stop when the supervisor dies, however it dies."""
    if parent and sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            sys.exit(0)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except EmbedmillError as error:
        print(f"worker: {error}", file=sys.stderr)
        sys.exit(EXIT_STORAGE if isinstance(error, HomeInUse | StorageFailed) else 1)
