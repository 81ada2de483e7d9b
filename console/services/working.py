"""Working on jobs in this process, and waiting for those that others work on."""

import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from embedmill.console.listening import NOBODY, Listener, Notice, Severity, Teller
from embedmill.console.services.bulk import tell_batches_out
from embedmill.console.services.jobs import JobReport, describe_job
from embedmill.console.services.kept_here import tell_kept_elsewhere
from embedmill.console.services.progress import (
    FINAL,
    Hindrance,
    JobProgress,
    find_hindrances,
    measure_job_progress,
    read_staffing,
    scanning,
)
from embedmill.console.services.reach import in_collection, in_job
from embedmill.console.services.running import Workshop, WorkshopOptions
from embedmill.console.services.serving import Trace, serves
from embedmill.console.services.submitting import USUAL, JobOptions, JobSubmission
from embedmill.shared import stages
from embedmill.shared.access.principals import Right
from embedmill.shared.db import bulk_waits, claims, jobs, tallies, waits
from embedmill.shared.db.collections import get_collection
from embedmill.shared.db.engine import Connection
from embedmill.shared.errors import EmbedmillError
from embedmill.shared.runtime import Runtime
from embedmill.shared.states import JobState, WaitReason

if TYPE_CHECKING:
    from embedmill.producers.sources.base import Source
    from embedmill.producers.submission import Submitted

NOTICE_SECONDS = 3.0
WATCH_SECONDS = 0.3
HERE = frozenset(stages.names())
"""The queues whose workers this process brings."""


@serves("ingest", Right.OPERATE, in_collection(), told=("sources",))
def ingest(
    runtime: Runtime,
    sources: "Sequence[Source]",
    *,
    collection: str,
    options: JobOptions = USUAL,
    listener: Listener = NOBODY,
) -> JobReport:
    """Submit sources and work here until they are done. Raises UserError, StorageFailed."""
    tell_kept_elsewhere(runtime, listener)
    teller = Teller(listener)

    def on_batch(job_id: int, seen: int, queued: int) -> None:
        if queued:
            workshop.start_workers()
        workshop.poll()
        teller.tell(lambda: scanning(job_id, seen, expected))

    expected = 0
    submission = JobSubmission(runtime, sources, collection, options, listener, on_batch=on_batch)
    with Workshop(runtime, options=WorkshopOptions(collection=collection), listener=listener) as workshop:
        while True:
            submitted = submission.open()
            expected = count_expected(runtime, submitted)
            submission.scan(submitted)
            workshop.look()
            work = Work(runtime, workshop, submitted.job_id, listener, is_abandoned=submission.is_abandoned)
            if work.do():
                report = describe_job(runtime, submitted.job_id)
                if report.documents.unchanged:
                    tell_lost(runtime, collection, listener)
                return report


def tell_lost(runtime: Runtime, collection: str, listener: Listener) -> None:
    """Say which shards lack what the records say: nothing was asked of the store for documents that are unchanged.

    So it is where the store was changed for another, as after a rehearsal at a simulator.
    """
    from embedmill.console.services.lost_shards import LOST
    from embedmill.console.services.shards import find_lost

    found = runtime.database.query(lambda connection: get_collection(connection, collection))
    with suppress(EmbedmillError):  # a store that is away is told of by whoever needs it
        for shard, reason in find_lost(runtime, found, found.reading_shards).items():
            if reason == LOST:
                text = f"shard {shard} of collection {collection}: {reason}"
                listener.on_notice(Notice(f"{text}: embedmill verify --collection {collection} --repair"))


def count_expected(runtime: Runtime, submitted: "Submitted") -> int:
    """How many documents the sources of a job had when they were read before."""
    ids = [scan.source_id for scan in submitted.scans]
    return runtime.database.query(lambda connection: sum(claims.count_claims(connection, id_) for id_ in ids))


@serves("jobs.work", Right.OPERATE, in_job(), trace=Trace.NOTHING)
def work_on_job(runtime: Runtime, job_id: int, listener: Listener = NOBODY) -> None:
    """Run workers here until a job that exists already has ended."""
    with Workshop(runtime, listener=listener) as workshop:
        Work(runtime, workshop, job_id, listener).do()


def _is_never(_job_id: int) -> bool:
    return False


class Work:
    """The work on one job until it has ended, as far as the workers and the batcher of this process can do it."""

    def __init__(
        self,
        runtime: Runtime,
        workshop: Workshop,
        job_id: int,
        listener: Listener,
        *,
        is_abandoned: Callable[[int], bool] = _is_never,
    ) -> None:
        self._runtime = runtime
        self._workshop = workshop
        self._job_id = job_id
        self._listener = listener
        self._teller = Teller(listener)
        self._waits = LongWaits(listener)
        self._is_abandoned = is_abandoned
        self._abandoned = self._stuck = False

    def do(self) -> bool:
        """Work on; False when whoever was reading the job's sources is gone before they were read to their end.

        It ends too when all that is left waits for a key that this process does not have: that cannot change here.
        Then it says so, and the job stays as it is.
        """
        self._workshop.run_until(self._is_done)
        if self._stuck:
            self._tell_stuck()
        elif not self._abandoned:
            self._workshop.let_workers_go()
            self._workshop.finish_audits()
            self._stop_batches()
        return not self._abandoned

    def _stop_batches(self) -> None:
        """Of a job that was cancelled: afterwards there may be nobody who would tell the vendor."""
        if self._runtime.database.query(jobs.get_job, self._job_id).state is JobState.CANCELLED:
            self._workshop.stop_batches()
            tell_batches_out(self._runtime, self._job_id, self._listener)

    def _is_done(self) -> bool:
        left = self._runtime.database.query(tallies.measure_left, self._job_id)
        if left.state in FINAL:
            return True
        if left.waiting:
            self._workshop.start_workers()
        self._stuck = self._is_stuck(left)
        if self._stuck:
            return True
        self._teller.tell(self._measure)
        self._waits.tell_if_due(self._runtime, self._job_id)
        self._abandoned = not left.is_read and self._is_abandoned(self._job_id)
        return self._abandoned

    def _measure(self) -> JobProgress:
        job = self._runtime.database.query(jobs.get_job, self._job_id)
        return measure_job_progress(self._runtime, job, served=HERE)

    def _is_stuck(self, left: tallies.WorkLeft) -> bool:
        """Whether all that is left waits for keys which the workers and the batcher of this process lack."""
        if left.state != JobState.RUNNING or not left.is_read or not left.waiting:
            return False
        unfinished = left.waiting
        refused = self._workshop.refused_batches
        if unfinished.keys() - {WaitReason.KEY, WaitReason.BULK} or (WaitReason.BULK in unfinished and not refused):
            return False

        def look(connection: Connection) -> bool:
            here = WaitReason.KEY not in unfinished or waits.was_refused_here(
                connection, self._job_id, supervisor=self._workshop.supervisor_id
            )
            lane = (
                WaitReason.BULK not in unfinished
                or bulk_waits.find_providers(connection, self._job_id) <= refused.keys()
            )
            return here and lane

        return self._runtime.database.query(look)

    def _tell_stuck(self) -> None:
        """Say which key is missing, and how much waits for it."""
        waiting = self._runtime.database.query(lambda c: waits.list_waiting(c, jobs.get_job(c, self._job_id)))
        causes = [row["last_error"] for row in waiting if row["reason"] == WaitReason.KEY and row["last_error"]]
        if any(row["reason"] == WaitReason.BULK for row in waiting):
            causes += [str(error) for error in self._workshop.refused_batches.values()]
        count = sum(row["documents"] for row in waiting)
        what = "document waits" if count == 1 else "documents wait"
        text = f"{'; '.join(dict.fromkeys(causes))}; {count} {what} for that"
        hint = "correct it and run the same command again: it takes up what is left"
        self._listener.on_notice(Notice(text, Severity.ERROR, hint))


LONG_WAITS = {
    WaitReason.BUDGET: "work waits for money: {cause}; it goes on when there is some (embedmill budget show has the "
    "limits that you set)",
    WaitReason.BULK: "work waits for a vendor's batches (embedmill bulk list), which may take a day; "
    "interrupt this at will, and run it again to take it up",
    WaitReason.KEY: "work waits for a key: {cause}; correct it, and restart the workers that have the old one",
}


class LongWaits:
    """Says once that work waits for long: a command that only waits looks like one that hangs."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._due = time.monotonic() + NOTICE_SECONDS
        self._left = list(LONG_WAITS)

    def tell_if_due(self, runtime: Runtime, job_id: int) -> None:
        """Look again every few seconds, until it was said."""
        if time.monotonic() < self._due:
            return
        found = runtime.database.query(lambda c: {reason: waits.find_cause(c, job_id, reason) for reason in self._left})
        self._left = [reason for reason in self._left if found[reason] is None]
        self._due = time.monotonic() + NOTICE_SECONDS if self._left else math.inf
        for reason, cause in found.items():
            if cause is not None:
                self._listener.on_notice(Notice(LONG_WAITS[reason].format(cause=cause or "there is none")))


class Hindrances:
    """Says once of each thing that keeps a job's work from moving what it is and what mends it."""

    def __init__(self, runtime: Runtime, listener: Listener) -> None:
        self._runtime = runtime
        self._listener = listener
        self._due = time.monotonic() + NOTICE_SECONDS
        self._said: set[tuple[str, str | None]] = set()

    def tell_if_due(self, job: jobs.Job) -> None:
        """Look again every few seconds."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + NOTICE_SECONDS
        for found in self._runtime.database.query(lambda connection: self._find(connection, job)):
            if (found.reason, found.stage) not in self._said:
                self._said.add((found.reason, found.stage))
                self._listener.on_notice(Notice(f"{found.says}: {found.command}"))

    def _find(self, connection: Connection, job: jobs.Job) -> list[Hindrance]:
        progress, staffing = tallies.measure_progress(connection, job), read_staffing(self._runtime, connection, [job])
        return find_hindrances(job, progress, staffing, waits.list_waiting(connection, job))


@serves("jobs.show", Right.READ, in_job(), filters=True, trace=Trace.NOTHING)
def wait(runtime: Runtime, job_id: int, *, seconds: float = math.inf, listener: Listener = NOBODY) -> JobReport:
    """The report of a job when it has ended, or after so many seconds as it stands then; raises NotFound.

    Who reads some access levels only waits for the documents that they see, and is told of nothing meanwhile.
    """
    is_whole = runtime.principal.reads_every_level
    deadline = time.monotonic() + seconds
    hindrances, teller = Hindrances(runtime, listener), Teller(listener)
    while True:
        runtime.require_caller()
        job = runtime.database.query(lambda connection: jobs.get_job(connection, job_id))
        state = job.state if is_whole else describe_job(runtime, job_id).state
        if state in FINAL or time.monotonic() >= deadline:
            return describe_job(runtime, job_id)
        if is_whole:
            hindrances.tell_if_due(job)
            teller.tell(lambda job=job: measure_job_progress(runtime, job))  # type: ignore[misc]
        time.sleep(min(WATCH_SECONDS, max(deadline - time.monotonic(), 0.0)))
