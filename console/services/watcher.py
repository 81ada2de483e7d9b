"""The watcher: reads sources whose time has come, several at once and each by one process only."""

import threading
from collections.abc import Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING

from embedmill.console.listening import NOBODY, Listener
from embedmill.console.services.events import EventReaders
from embedmill.console.services.submitting import JobSubmission, recall_options
from embedmill.shared.db import jobs, schedules
from embedmill.shared.db.clock import read_clock
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.schedules import Claimant, Schedule
from embedmill.shared.errors import EmbedmillError, ScanStopped, StorageFailed
from embedmill.shared.logs import get_logger
from embedmill.shared.presence import is_gone
from embedmill.shared.runtime import Runtime

if TYPE_CHECKING:
    from embedmill.producers.sources.base import Source

log = get_logger()

LOOK_SECONDS = 1.0
LEASE_SECONDS = 60.0
MOST_AT_ONCE = 4
# How long the end of a process waits for the batches in hand; what is cut off is taken up by the next process.
CLOSE_SECONDS = 5.0
# An error that is kept is no longer.
MOST_LETTERS = 1000


class Stopped(Exception):
    """This process ends; whoever comes next reads the source from its beginning."""


class Watcher:
    """A thread that looks what is due until the block ends, and a thread for each source that is being read.

    Missed runs are made up for by one, at once. A source is held by a lease while it is read: a process that is gone
    leaves it to the next. Queues that name objects of sources are read meanwhile.
    """

    def __init__(self, runtime: Runtime, given: "Sequence[Source]" = (), listener: Listener = NOBODY) -> None:
        self._runtime = runtime
        self._queues = EventReaders(runtime, listener)
        # With whatever credentials they were opened, which no schedule has.
        self._given = {source.identity: source for source in given}
        self._ended = threading.Event()
        self._running: dict[int, threading.Thread] = {}
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
        self._claimant = Claimant(runtime.process_id, LEASE_SECONDS, partial(is_gone, runtime.run_folder))

    def __enter__(self) -> "Watcher":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._queues.close()
        for thread in self._running.values():
            thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            try:
                self.look()
                self._queues.look()
            # A database that is away comes back; nothing else may end the thread, or nobody would read anything.
            except Exception as error:  # noqa: BLE001
                log.warning("watcher.failed", error_class=type(error).__name__, error=_told(error))

    def look(self) -> None:
        """Begin to read what is due, as far as there is room."""
        self._running = {id_: thread for id_, thread in self._running.items() if thread.is_alive()}
        room = MOST_AT_ONCE - len(self._running)
        if not room:
            return
        mine = list(self._running)
        due = self._runtime.database.query(lambda c: schedules.list_due(c, limit=room, but=mine))
        for each in due:
            thread = threading.Thread(target=self.read, args=(each.source_id,), name="watch", daemon=True)
            self._running[each.source_id] = thread
            thread.start()

    def read(self, source_id: int) -> None:
        """Read one source if it is due and nobody else does; what comes of it is kept with its schedule."""
        from embedmill.workers.heartbeat import Heartbeat

        database, claimant = self._runtime.database, self._claimant
        begun = database.transact(lambda c: schedules.begin_run(c, source_id, claimant))
        if begun is None:
            return
        renew = partial(schedules.renew_run, source_id=source_id, claimant=claimant)
        try:
            with Heartbeat(lambda: database.transact(renew), interval=LEASE_SECONDS / 6):
                job_id, error = self._read(begun)
        except (Stopped, StorageFailed):
            database.transact(lambda c: schedules.give_up_run(c, source_id, claimant))
            return
        database.transact(lambda c: self._end(c, begun, job_id, error))

    def _read(self, begun: Schedule) -> tuple[int | None, str | None]:
        """The job and what it failed of; raises Stopped, StorageFailed."""
        job_id: int | None = None
        try:
            submission = JobSubmission(
                self._runtime,
                [self._open(begun)],
                begun.collection,
                recall_options(begun.options),
                NOBODY,
                on_batch=self._on_batch,
            )
            submitted = submission.open()
            job_id = submitted.job_id
            if submission.scan(submitted):
                # Where nothing has changed there is nothing to wait for, and perhaps no worker that would say so.
                self._runtime.database.transact(jobs.complete_jobs)
                uri = str(begun.spec.get("uri"))
                return job_id, self._runtime.database.query(lambda c: schedules.find_fault(c, job_id, uri))
        except (Stopped, StorageFailed):
            raise
        except ScanStopped as error:
            log.info("watcher.stopped", source=begun.source_id, error=_told(error))
        except Exception as error:  # noqa: BLE001 - whatever a source raises is this run's failure
            return job_id, _told(error)
        return job_id, None

    def _open(self, begun: Schedule) -> "Source":
        from embedmill.producers.sources.open import source_from_spec

        source = source_from_spec(dict(begun.spec))
        return self._given.get(source.identity, source)

    def _on_batch(self, _job: int, _seen: int, _queued: int) -> None:
        if self._ended.is_set():
            raise Stopped

    def _end(self, connection: Connection, begun: Schedule, job_id: int | None, error: str | None) -> None:
        # Somebody may have given it another timetable meanwhile, or none.
        for now in schedules.list_schedules(connection, [begun.source_id]):
            failures = begun.failures + 1 if error is not None else 0
            due_at = now.timetable.next_after(
                begun.began_at or read_clock(connection), of=begun.source_id, failures=failures
            )
            schedules.end_run(connection, begun.source_id, self._claimant, due_at=due_at, job_id=job_id, error=error)
        if begun.job_id is not None and begun.job_id != job_id and error is None:
            schedules.drop_quiet_job(connection, begun.job_id)
        log.info("watcher.read", source=begun.source_id, job=job_id, failed=error is not None)


def _told(error: Exception) -> str:
    """What is kept of an error: of one that we did not make its class only, as its text may hold anything."""
    return str(error)[:MOST_LETTERS] if isinstance(error, EmbedmillError) else type(error).__name__
