"""Runs the chores of this process in turn, while it holds the lease on them."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pkgutil import resolve_name
from types import TracebackType

from embedmill.shared.db import collection_changes, jobs, presence, queueing, receipts, tallies
from embedmill.shared.db.agenda import Agenda, read_agenda
from embedmill.shared.db.changes import Changes
from embedmill.shared.db.engine import PAUSE_SECONDS, Connection
from embedmill.shared.errors import BrokerUnavailable, DatabaseAway, EmbedmillError, StorageFailed, TransactionLost
from embedmill.shared.logs import get_logger
from embedmill.shared.presence import is_gone
from embedmill.shared.runtime import Runtime
from embedmill.workers.brokers.base import Broker
from embedmill.workers.brokers.outage import Outage
from embedmill.workers.chores.archivist import Archivist
from embedmill.workers.chores.auditor import Auditor
from embedmill.workers.chores.batcher import Batcher
from embedmill.workers.chores.bookkeeper import close_entries, wake_affordable
from embedmill.workers.chores.cleaner import clean, forget_queries
from embedmill.workers.chores.dispatcher import dispatch
from embedmill.workers.chores.eraser import Eraser
from embedmill.workers.chores.reconciler import reconcile
from embedmill.workers.chores.registrar import tidy
from embedmill.workers.chores.rescuer import FETCHED_SECONDS, Rescuer
from embedmill.workers.messages import BatchMessage

log = get_logger()

TICK_SECONDS = 0.1
# How often it is looked, between two turns, whether a job of a file has ended: whoever started it waits for that.
GLANCE_SECONDS = 0.01
# What time alone makes due is found this late where nobody commits anything meanwhile.
QUIET_SECONDS = 0.5
RECONCILE_SECONDS = 15.0
ADD_UP_SECONDS = 5.0
CLEAN_SECONDS = 600.0
PRUNE_SECONDS = 300.0
SWEEP_SECONDS = 10.0
ERASE_SECONDS = 15.0
COUNT_SECONDS = 30.0
# A session that wrote nothing for so long has ended; nobody asks for its receipt any more.
RECEIPT_SECONDS = 86400.0
# How long the end of a process waits for an audit in hand; what is cut off is taken up by the next process.
CLOSE_SECONDS = 2.0


@dataclass(slots=True)
class Chore:
    """Something to do every `seconds`, or `quiet` ones later while the database does not change.

    What has an entry on the agenda is left out while there is nothing for it.
    """

    name: str
    run: Callable[[], object]
    seconds: float
    due: float = 0.0
    quiet: float = 0.0
    asks: Callable[[Agenda], bool] | None = None
    has_news: bool = True

    def is_due(self, now: float) -> bool:
        """Whether its time has come."""
        return now >= self.due + (0.0 if self.has_news else self.quiet)


def later(name: str, runtime: Runtime) -> Callable[[], object]:
    """A function of another module of workers, which is loaded when it is called: most commands end before that."""
    return lambda: resolve_name(f"embedmill.workers.{name}")(runtime)


class ChoreRunner:
    """A thread that dispatches, rescues, completes jobs and cleans until the block ends."""

    def __init__(self, runtime: Runtime, broker: Broker) -> None:
        settings = runtime.settings
        self._runtime = runtime
        self._broker = broker
        self._outage = Outage()
        self._changes = Changes(runtime.database)
        self._changes_between_turns = Changes(runtime.database)
        self._ended = threading.Event()
        self._woken = threading.Event()
        # Set whenever jobs were completed here; whoever waits for one clears it before looking.
        self.completed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="chores", daemon=True)
        self._lease_seconds = max(2.0, settings.lease_seconds / 3)
        self._holds_until = 0.0
        self._agenda: Agenda | None = None
        self._agenda_until = 0.0
        self.rescuer = Rescuer(runtime.database, settings, run_folder=runtime.run_folder)
        self.auditor = Auditor(runtime)
        self.batcher = Batcher(runtime)
        self.eraser = Eraser(runtime)
        self.archivist = Archivist(runtime)
        anchor_seconds = 60 * settings.audit_anchor_minutes
        self.failure: StorageFailed | None = None
        self._failing_since: float | None = None
        look = min(1.0, settings.lease_seconds / 6)
        now = time.monotonic()
        self._chores = [
            Chore("dispatch", self._dispatch, TICK_SECONDS, quiet=QUIET_SECONDS, asks=lambda agenda: agenda.ready),
            Chore("complete", self._complete_jobs, TICK_SECONDS, quiet=QUIET_SECONDS, asks=lambda agenda: agenda.ended),
            Chore("rescue", self.rescuer.rescue_lost, look, asks=lambda agenda: agenda.leases),
            Chore(
                "tidy",
                lambda: tidy(runtime.database, settings, run_folder=runtime.run_folder),
                settings.silent_seconds,
                due=now + settings.silent_seconds,
            ),
            Chore("requeue", self._requeue_lost_messages, look, due=now + look, asks=lambda agenda: agenda.queued),
            *self._fetched(broker.dead_fetch_seconds),
            Chore("reconcile", self._reconcile, RECONCILE_SECONDS, due=now + look),
            Chore("add_up", self._add_up, ADD_UP_SECONDS, due=now + ADD_UP_SECONDS),
            Chore("audit", self.auditor.poke, 0.5, asks=lambda agenda: agenda.samples),
            Chore(
                "batches", self.batcher.poke, min(1.0, settings.bulk_poll_seconds), asks=lambda agenda: agenda.batches
            ),
            Chore("wake", lambda: wake_affordable(runtime.database), 1.0, asks=lambda agenda: agenda.refusals),
            Chore(
                "close_entries",
                lambda: close_entries(runtime.database, runtime.run_folder),
                look,
                asks=lambda agenda: agenda.reservations,
            ),
            Chore("sweep", later("chores.sweeper:sweep", runtime), SWEEP_SECONDS, due=now + SWEEP_SECONDS),
            Chore("erase", self.eraser.poke, ERASE_SECONDS, due=now + ADD_UP_SECONDS),
            Chore(
                "count_words",
                later("word_counts:count_everywhere", runtime),
                COUNT_SECONDS,
                due=now + COUNT_SECONDS,
                asks=lambda _: runtime.must_count_words,
            ),
            Chore("cut_anew", later("chores.recutter:cut_everywhere", runtime), COUNT_SECONDS, due=now + COUNT_SECONDS),
            Chore(
                "forget_queries",
                lambda: forget_queries(runtime.database, days=settings.record_days),
                CLEAN_SECONDS,
                due=now + ADD_UP_SECONDS,
            ),
            Chore("anchor", self.archivist.anchor, anchor_seconds, due=now + anchor_seconds),
            Chore("let_go", self.archivist.let_go, CLEAN_SECONDS, due=now + ADD_UP_SECONDS),
            Chore("clean", self._clean, CLEAN_SECONDS, due=now + CLEAN_SECONDS),
            Chore("prune", self._prune, PRUNE_SECONDS, due=now + PRUNE_SECONDS),
        ]

    def __enter__(self) -> "ChoreRunner":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self.wake()
        self._thread.join()
        self.auditor.close(seconds=CLOSE_SECONDS)
        self.batcher.close(seconds=CLOSE_SECONDS)
        self.eraser.close(seconds=CLOSE_SECONDS)
        self._free()

    def wake(self) -> None:
        """Dispatch now, and see what has ended: there is something new, or sources were read to their end."""
        self._hurry("dispatch", "complete")
        self._woken.set()

    def _hurry(self, *names: str) -> None:
        for chore in self._chores:
            if chore.name in names:
                chore.due, chore.has_news = 0.0, True

    @property
    def are_done_here(self) -> bool:
        """Whether this process has the lease on the chores, so that `completed` tells of every job that ends."""
        return time.monotonic() < self._holds_until

    def _run(self) -> None:
        while not self._is_over():
            try:
                with self._runtime.database.impatient():
                    if self._hold():
                        self._tick()
                self._failing_since = None
            except (DatabaseAway, TransactionLost) as error:
                self._wait_for_database(error)
            except StorageFailed as error:
                self._note_failure(error, chore="hold")

    def _is_over(self) -> bool:
        """Wait for the next turn, which comes at once when a job has ended; whether there is one."""
        turn = time.monotonic() + TICK_SECONDS
        pause = GLANCE_SECONDS if self._runtime.database.is_sqlite else TICK_SECONDS
        while not self._woken.wait(pause) and time.monotonic() < turn and not self._sees_end():
            pass
        self._woken.clear()
        return self._ended.is_set()

    def _sees_end(self) -> bool:
        """Whether a job of a file has ended, which this process is to complete."""
        database = self._runtime.database
        if not (database.is_sqlite and self.are_done_here and self._changes_between_turns.are_there()):
            return False
        try:
            with database.glancing() as connection:
                if not jobs.may_complete(connection):
                    return False
        except StorageFailed:
            # The turn that follows meets it too, and says so.
            return True
        self._hurry("complete")
        return True

    def _wait_for_database(self, error: StorageFailed) -> None:
        """Chores come back anyway; only an outage that lasts longer than it is waited for ends this process."""
        self._failing_since = self._failing_since or time.monotonic()
        if time.monotonic() - self._failing_since > self._runtime.database.outage_seconds:
            self.failure = error
        self._ended.wait(PAUSE_SECONDS)

    def _tick(self) -> None:
        has_news = self._changes.are_there()
        for chore in self._chores:
            chore.has_news |= has_news
        if has_news or time.monotonic() >= self._agenda_until:
            self._agenda = None
        for chore in self._chores:
            if not chore.is_due(time.monotonic()):
                continue
            chore.has_news = False
            if chore.asks is None or chore.asks(self._read_agenda()):
                self._do(chore)
            chore.due = time.monotonic() + chore.seconds

    def _read_agenda(self) -> Agenda:
        """The agenda as it is; for a while as it was, if nobody has committed anything since."""
        if self._agenda is None:
            self._agenda_until = time.monotonic() + QUIET_SECONDS
            self._agenda = self._runtime.database.query(read_agenda)
        return self._agenda

    def _do(self, chore: Chore) -> None:
        """A chore that fails keeps no other from its turn, and waits for its own next one.

        Nor does it end the thread: without that, work would stop and nobody would know. Without a database none runs.
        """
        try:
            chore.run()
        except (DatabaseAway, TransactionLost):
            raise
        except StorageFailed as error:
            self._note_failure(error, chore=chore.name)
        except Exception as error:  # noqa: BLE001
            log.error("chores.failed", chore=chore.name, error_class=type(error).__name__, error=str(error))

    def _note_failure(self, error: StorageFailed, *, chore: str) -> None:
        self.failure = error
        log.error("chores.storage_failed", chore=chore, error=str(error))

    def _hold(self) -> bool:
        if self.are_done_here:
            return True
        with self._runtime.database.write() as connection:
            held = presence.seize_chore(
                connection,
                presence.CHORES,
                holder=self._runtime.process_id,
                seconds=self._lease_seconds,
                is_gone=partial(is_gone, self._runtime.run_folder),
            )
        self._holds_until = time.monotonic() + self._lease_seconds / 2 if held else 0.0
        if not held:
            self._ended.wait(0.5)
        return held

    def _free(self) -> None:
        try:
            with self._runtime.database.impatient(), self._runtime.database.write() as connection:
                presence.end_chore(connection, presence.CHORES, holder=self._runtime.process_id)
        except EmbedmillError as error:
            log.warning("chores.not_freed", error=str(error))

    def _add_up(self) -> None:
        def add_up(connection: Connection) -> None:
            tallies.add_up_tallies(connection)
            collection_changes.add_up_changes(connection)
            receipts.forget_receipts(connection, older_than_seconds=RECEIPT_SECONDS)

        self._runtime.database.transact(add_up)

    def _dispatch(self) -> None:
        with self._broker_at_work() as is_due:
            if not is_due:
                return
            if self._outage.is_on:
                # A look at the broker first: nothing is marked as sent while it is away.
                self._broker.depths()
            messages = dispatch(self._runtime.database, self._runtime.settings)
            if messages:
                self._publish(messages)

    def _publish(self, messages: Sequence[BatchMessage]) -> None:
        try:
            self._broker.publish_many(messages)
        except BrokerUnavailable:
            self._runtime.database.transact(
                lambda connection: [queueing.put_back(connection, message.stage, message.work) for message in messages]
            )
            raise

    def _requeue_lost_messages(self) -> None:
        with self._broker_at_work() as is_due:
            if is_due:
                depths = self._broker.depths()
                self.rescuer.requeue_lost_messages(depths, settled_seconds=self._broker.settled_seconds)

    def _fetched(self, reach_seconds: float | None) -> list[Chore]:
        """The chore that looks for what dead processes took, where the broker does not say."""
        if reach_seconds is None:
            return []
        requeue = partial(self.rescuer.requeue_fetched, reach_seconds=reach_seconds)
        return [Chore("fetched", requeue, FETCHED_SECONDS / 3)]

    def _reconcile(self) -> None:
        with self._broker_at_work() as is_due:
            if is_due:
                reconcile(self._runtime.database, self._broker)

    @contextmanager
    def _broker_at_work(self) -> Iterator[bool]:
        """Whether the broker should be talked to now; an outage ends with the first time that nothing is raised."""
        is_due = self._outage.is_due
        try:
            yield is_due
        except BrokerUnavailable as error:
            self._outage.failed(error)
        else:
            if is_due:
                self._outage.succeeded()

    def _clean(self) -> None:
        """What a blob store refuses now is cleaned later: a bucket that may not be listed stops no work."""
        try:
            clean(self._runtime.database, self._runtime.blobs)
        except (DatabaseAway, TransactionLost):
            raise
        except EmbedmillError as error:
            log.warning("cleaner.failed", error=str(error))

    def _prune(self) -> None:
        from embedmill.workers.chores.pruner import PrunePolicy, prune

        prune(self._runtime, PrunePolicy.from_settings(self._runtime.settings), seconds=1.0)

    def _complete_jobs(self) -> None:
        with self._runtime.database.write() as connection:
            for job_id in jobs.complete_jobs(connection):
                log.info("job.completed", job=job_id)
        self.completed.set()
