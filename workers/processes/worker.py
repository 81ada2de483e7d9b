"""One worker process: a Celery consumer with its entry in the tracking database, ended by SIGTERM."""

import argparse
import os
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from celery.exceptions import SecurityWarning
from celery.signals import worker_ready

from embedmill.shared import stages
from embedmill.shared.configuration import load_settings
from embedmill.shared.db import pools
from embedmill.shared.db import presence as registry
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.presence import Report
from embedmill.shared.errors import BrokerUnavailable, EmbedmillError, StorageFailed
from embedmill.shared.logs import configure_logs, get_logger
from embedmill.shared.presence import RUN, Presence
from embedmill.shared.settings import Settings
from embedmill.shared.states import WorkerState
from embedmill.workers.app import app
from embedmill.workers.brokers.embedded import EmbeddedBroker
from embedmill.workers.brokers.refusals import refusals
from embedmill.workers.consuming.process import process
from embedmill.workers.heartbeat import Heartbeat
from embedmill.workers.processes.ending import Ending
from embedmill.workers.processes.exits import EXIT_SPENT, EXIT_STORAGE
from embedmill.workers.processes.parents import Parents
from embedmill.workers.processes.pools import THREADS_PER_PROCESS, PoolKind
from embedmill.workers.processes.resident import measure_resident
from embedmill.workers.queues import queue_name
from embedmill.workers.runtime import WorkerRuntime

log = get_logger()

MIB = 1024 * 1024
# How often a worker looks what it is told; it says how it is less often.
LOOK_SECONDS = 1.0


def run(arguments: Sequence[str]) -> int:
    """Work until told to stop; returns the exit status."""
    options = _parse(arguments)
    settings = load_settings()
    configure_logs(settings.log_level)
    parents = Parents(options.parent, options.command)
    parents.heed()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Presence(settings.home_path / RUN) as presence:
        runtime = WorkerRuntime(settings, process_id=presence.id, slots=_sessions(options))
        is_shared = options.kind == PoolKind.THREADS
        may_go_on = _may_go_on(settings, options.queue or stages.names())
        process.begin(
            runtime, slots=options.slots, is_shared=is_shared, max_batches=options.max_batches, may_go_on=may_go_on
        )
        try:
            Worker(runtime, options, parents).run()
        finally:
            process.close()
    if process.failure:
        return EXIT_STORAGE
    return EXIT_SPENT if process.is_spent else 0


def _may_go_on(settings: Settings, served: Sequence[str]) -> Callable[[str], bool] | None:
    """Whether a batch goes on here: into a stage that is served here, and for which no other message waits.

    Only the embedded broker tells that for nothing, and loses a message with the process that took it anyway.
    """
    if not settings.broker_url.startswith("embedded:"):
        return None
    broker = EmbeddedBroker(settings)

    def may_go_on(stage: str) -> bool:
        try:
            return stage in served and not broker.depths()[stage]
        except BrokerUnavailable:
            return False

    return may_go_on


def _sessions(options: argparse.Namespace) -> int:
    """Batches that may run at once here, each of which needs a session with the database."""
    return max(THREADS_PER_PROCESS, options.slots) if options.kind == PoolKind.THREADS else 1


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="embedmill.workers.processes.entry", description=__doc__)
    parser.add_argument("--queue", action="append", choices=stages.names(), help="serve a queue; all when left out")
    parser.add_argument("--kind", choices=list(PoolKind), default=PoolKind.PREFORK, help="processes or threads")
    parser.add_argument("--slots", type=int, default=1, help="batches at once, with threads")
    parser.add_argument("--max-batches", type=int, default=0, help="end after so many batches")
    parser.add_argument("--max-memory-mb", type=int, default=0, help="end when this process takes more memory")
    parser.add_argument("--grace", type=float, default=45.0, help="seconds to finish what is in hand")
    parser.add_argument("--supervisor", default=None, help="name of the supervisor")
    parser.add_argument("--parent", type=int, default=0, help="process id of who started it; end when it does")
    parser.add_argument("--command", type=int, default=0, help="process id of who may take that one's place")
    return parser.parse_args(arguments)


class Worker:
    """A Celery consumer with its entry in the tracking database."""

    def __init__(self, runtime: WorkerRuntime, options: argparse.Namespace, parents: Parents) -> None:
        self._runtime = runtime
        self._options = options
        self._stages = options.queue or stages.names()
        self._is_threaded = options.kind == PoolKind.THREADS
        self._is_ready = False
        self._told: tuple[WorkerState, int] | None = None
        self._looks_until_beat = 0.0
        self._look_seconds = min(LOOK_SECONDS, runtime.settings.lease_seconds / 8)
        self._ending = Ending(process, runtime, parents, grace_seconds=options.grace, leave=self._sign_off)

    def run(self) -> None:
        """Consume until told to stop."""
        # Until Celery takes over: one that is told to go before it began says goodbye, too.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        self._register()
        try:
            self._consume()
        finally:
            self._sign_off()
        log.info("process.ended", statements=self._runtime.database.statements, messages=process.published)

    def _consume(self) -> None:
        self._celery = self._make_celery_worker()
        worker_ready.connect(self._on_ready)
        if self._is_threaded:
            threading.Thread(target=self._prepare, name="preparing", daemon=True).start()
        with Heartbeat(self._look, interval=self._look_seconds):
            self._celery.start()
            self._ending.finish()

    def _prepare(self) -> None:
        """Load what asking for vectors needs while there is no message yet; what fails now is said by who needs it."""
        with suppress(EmbedmillError):
            self._runtime.embedder(self._runtime.settings.embedding).prepare()

    def _register(self) -> None:
        settings, host = self._runtime.settings, socket.gethostname()

        def register(connection: Connection) -> None:
            registry.require_one_host(connection, host, silent_seconds=settings.silent_seconds)
            registry.register_worker(
                connection,
                self._runtime.process_id,
                host=host,
                pid=os.getpid(),
                queues=self._stages,
                kind=self._options.kind,
                slots=self._options.slots,
                supervisor_id=self._options.supervisor,
            )
            # Within the transaction: whoever sees the registration can read the name, and a worker that cannot open
            # its database never said one. Saying it twice, when the transaction is run again, does no harm.
            _announce(self._runtime.process_id)

        self._runtime.database.transact(register)

    def _make_celery_worker(self) -> Any:
        # Celery warns root of pickles; only JSON is accepted here.
        warnings.filterwarnings("ignore", category=SecurityWarning)
        # One batch at a time on the embedded broker needs no second thread; a network's heartbeats do.
        is_solo = not self._is_threaded and self._runtime.settings.broker_url.startswith("embedded:")
        worker = app.Worker(
            pool="solo" if is_solo else "threads",
            concurrency=_sessions(self._options),
            queues=[queue_name(stage) for stage in self._stages],
            hostname=self._runtime.process_id,
            quiet=True,
            loglevel="CRITICAL",
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
        )
        worker.consumer.initial_prefetch_count = max(1, self._options.slots)
        return worker

    def _on_ready(self, **_: object) -> None:
        self._ending.listen()
        self._is_ready = True
        self._report(self._state(paused=False))

    def _look(self) -> None:
        """Do as ordered, and say how things are when that changed or was last said a while ago."""

        def read(connection: Connection) -> tuple[registry.Orders, bool]:
            paused = len(pools.find_paused(connection, self._stages)) == len(self._stages)
            return registry.read_orders(connection, self._runtime.process_id), paused

        orders, paused = self._runtime.database.query(read)
        if self._is_ready and not self._ending.has_begun:
            self._follow(orders)
        state = self._state(paused=paused)
        self._looks_until_beat -= self._look_seconds
        if self._looks_until_beat <= 0 or self._told != (_lasting(state), process.gate.slots):
            self._report(state)

    def _follow(self, orders: registry.Orders) -> None:
        if self._is_threaded and orders.slots not in (None, process.gate.slots):
            self._resize(orders.slots)
        if orders.drain:
            process.end()
        elif process.done.batches and 0 < self._options.max_memory_mb < self._rss_bytes / MIB:
            log.info("worker.too_large", rss_mb=self._rss_bytes // MIB)
            process.retire()

    def _resize(self, slots: int) -> None:
        """Change the number of slots, and of the messages that this process takes in advance with it."""
        more = slots - process.gate.slots
        process.gate.resize(slots)
        consumer = self._celery.consumer
        consumer.initial_prefetch_count = max(1, slots)
        if consumer.qos is not None:
            change = consumer.qos.increment_eventually if more > 0 else consumer.qos.decrement_eventually
            change(abs(more))

    def _state(self, *, paused: bool) -> WorkerState:
        if not self._is_ready:
            return WorkerState.STARTING
        if self._ending.has_begun:
            return WorkerState.DRAINING
        if process.is_busy:
            return WorkerState.BUSY
        return WorkerState.PAUSED if paused else WorkerState.IDLE

    @property
    def _rss_bytes(self) -> int:
        return measure_resident()

    def _report(self, state: WorkerState) -> None:
        done = process.done
        report = Report(
            state=state,
            slots=process.gate.slots,
            busy=process.gate.inside,
            batches=done.batches,
            documents=done.documents,
            rate=done.rate,
            rss_bytes=self._rss_bytes,
            message_age=done.message_age,
            claim_age=done.claim_age,
        )

        def tell(connection: Connection) -> None:
            registry.report_worker(connection, self._runtime.process_id, report)
            if refusals.permanent:
                registry.note_refusals(
                    connection, self._runtime.process_id, count=refusals.permanent, last=refusals.last_permanent
                )

        self._runtime.database.transact(tell)
        self._told = (_lasting(state), process.gate.slots)
        self._looks_until_beat = self._runtime.settings.beat_seconds

    def _sign_off(self) -> None:
        try:
            with self._runtime.database.impatient(), self._runtime.database.write() as connection:
                registry.stop_worker(connection, self._runtime.process_id)
        except StorageFailed as error:
            # Its heartbeats have ended; that says the same, later.
            log.warning("worker.not_signed_off", error=str(error))


def _lasting(state: WorkerState) -> WorkerState:
    """Busy or idle is told with the next beat only: it changes with every batch."""
    return WorkerState.IDLE if state is WorkerState.BUSY else state


def _announce(process_id: str) -> None:
    """Tell the supervisor under which name this process holds leases; one that has ended meanwhile needs no worker."""
    try:
        print(process_id, flush=True)
    except BrokenPipeError:
        # What could not be written is not tried again at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
