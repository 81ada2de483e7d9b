"""Submission: sources become a job for workers, under rules that hold whoever submits."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from embedmill.console.listening import NOBODY, Listener, Notice, Severity
from embedmill.console.services.jobs import JobReport, describe_job
from embedmill.console.services.kept_here import tell_kept_elsewhere
from embedmill.console.services.lanes import costs_money, require_prices, tell_obstacles
from embedmill.console.services.owning import require_shown
from embedmill.console.services.progress import tell_unstaffed
from embedmill.console.services.reach import in_collection
from embedmill.console.services.serving import serves
from embedmill.shared.access.labels import Labels
from embedmill.shared.access.principals import Right, require_level, require_name
from embedmill.shared.collections import read_collection_settings
from embedmill.shared.db import jobs, scans, spending
from embedmill.shared.db.collections import Collection
from embedmill.shared.errors import ScanTakenOver
from embedmill.shared.ledger import Lane
from embedmill.shared.notes import Note, Reason
from embedmill.shared.runtime import Runtime

if TYPE_CHECKING:
    from embedmill.producers.sources.base import Source
    from embedmill.producers.submission import Submitted

# The oldest sources of a collection that are compared with those of a submission.
SPELLINGS = 1000


@dataclass(frozen=True, slots=True)
class JobOptions:
    """How sources are read and their job is served; what is None stays as it is, or is the usual."""

    allow_deletes: bool = False
    retry_dead: bool = False
    priority: int | None = None
    weight: int | None = None
    lane: Lane | None = None
    name: str | None = None
    limit: int | None = None
    access: str | None = None
    owner: str | None = None

    @property
    def labels(self) -> Labels:
        """What the sources say from now on of who may see their documents; empty takes back what they said."""
        return Labels(
            self.access and require_level(self.access),
            self.owner and require_name(self.owner),
        )


USUAL = JobOptions()


def recall_options(kept: Mapping[str, Any]) -> JobOptions:
    """Options as a timetable keeps them."""
    lane = kept.get("lane")
    return replace(JobOptions(**kept), lane=Lane(lane) if lane else None)


@dataclass(frozen=True, slots=True)
class SubmittedJob:
    """A job that workers will do: how many documents there are, and what was passed over."""

    job: int
    problems: int
    notes: list[Note]
    reasons: list[Reason]
    sources: list[str]
    documents: int


@serves("submit", Right.OPERATE, in_collection(), told=("sources",))
def submit(
    runtime: Runtime,
    sources: "Sequence[Source]",
    *,
    collection: str,
    options: JobOptions = USUAL,
    listener: Listener = NOBODY,
) -> SubmittedJob:
    """Record a job for the workers of this home; returns when everything is durable. Raises UserError."""
    from embedmill.workers.brokers.table import require_broker

    require_broker(runtime.settings)
    tell_kept_elsewhere(runtime, listener)
    submission = JobSubmission(runtime, sources, collection, options, listener)
    submitted = submission.open()
    if submission.scan(submitted):
        # Where nothing has changed there is nothing to wait for, and perhaps no worker that would say so.
        runtime.database.transact(jobs.complete_jobs)
    report = describe_job(runtime, submitted.job_id)
    tell_unstaffed(runtime, [submitted.job_id], listener)
    return _as_submitted(report)


def _as_submitted(report: JobReport) -> SubmittedJob:
    return SubmittedJob(
        report.job, report.problems, report.notes, report.reasons, report.sources, report.documents.total
    )


def _ignore_batch(_job: int, _seen: int, _queued: int) -> None:
    pass


class JobSubmission:
    """Sources on their way into a collection, which is made on first use; raises UserError where a rule forbids it.

    `on_batch` is told the job, how many documents were seen and how many are queued so far.
    """

    def __init__(
        self,
        runtime: Runtime,
        sources: "Sequence[Source]",
        collection: str,
        options: JobOptions,
        listener: Listener,
        *,
        on_batch: Callable[[int, int, int], None] = _ignore_batch,
    ) -> None:
        labels = options.labels
        jobs.check_service(priority=options.priority, weight=options.weight, lane=options.lane, name=options.name)
        self._runtime = runtime
        self._labels = labels
        self._options = options
        self._listener = listener
        self._on_batch = on_batch
        self._job = 0
        from embedmill.producers.submission import Submitter, called, ensure_collection

        self._submitter = Submitter(runtime, on_batch=self._tell_batch)
        self._collection = ensure_collection(runtime, collection)
        self._sources = called(runtime.database, self._collection.id, sources)
        require_shown(labels.owner, read_collection_settings(self._collection.settings).redact)
        require_prices(runtime, read_collection_settings(self._collection.settings))
        tell_obstacles(runtime, self._collection, options.lane, listener)
        tell_spellings(runtime, self._collection, self._sources, listener)

    def open(self) -> "Submitted":
        """Create the job, or take up the unfinished one of the same sources; with the urgency that was asked for."""
        options = self._options
        submitted = self._submitter.open(
            self._sources,
            self._collection,
            options={"allow_deletes": options.allow_deletes},
            limit=options.limit,
            labels=self._labels,
        )
        self._job = submitted.job_id
        urgency = {name: getattr(options, name) for name in ("priority", "weight", "lane", "name")}
        if any(value is not None for value in urgency.values()):
            self._runtime.database.transact(lambda c: jobs.update_job(c, submitted.job_id, **urgency))
        if submitted.resumed:
            text = f"taking up job {submitted.job_id} of the same sources, which is not finished"
            self._listener.on_notice(Notice(text, Severity.INFO))
        return submitted

    def scan(self, submitted: "Submitted") -> bool:
        """Read the sources if that is for this process to do; False when another process does it."""
        if not submitted.to_scan:
            text = f"another process reads the sources of job {submitted.job_id} at this moment; this one follows it"
            self._listener.on_notice(Notice(text, Severity.INFO))
            return False
        deletes, retry = self._options.allow_deletes, self._options.retry_dead
        try:
            self._submitter.enumerate(
                submitted,
                self._sources,
                self._collection,
                allow_deletes=deletes,
                retry_dead=retry,
                limit=self._options.limit,
            )
        except ScanTakenOver as error:
            self._listener.on_notice(Notice(f"{error}; this one follows it"))
            return False
        self._store_estimate(submitted.job_id)
        return True

    def is_abandoned(self, job_id: int) -> bool:
        """Whether nobody reads a job's sources any more."""
        return self._submitter.is_abandoned(job_id)

    def _tell_batch(self, seen: int, queued: int) -> None:
        self._on_batch(self._job, seen, queued)

    def _store_estimate(self, job_id: int) -> None:
        if not costs_money(self._runtime, read_collection_settings(self._collection.settings)):
            return
        from embedmill.console.services.estimates import estimate_job

        estimate = estimate_job(self._runtime, job_id, self._collection, lane=self._options.lane or Lane.LIVE)
        self._runtime.database.transact(lambda connection: spending.store_estimate(connection, job_id, estimate))


def tell_spellings(runtime: Runtime, collection: Collection, sources: "Sequence[Source]", listener: Listener) -> None:
    """Say which sources on record are the same places under other names: their documents are in the index twice."""
    from embedmill.producers.sources.open import find_other_spellings

    for source in sources:
        if source.name:
            text = f"this is on record as {source.name}, and its documents go on under that name"
            listener.on_notice(Notice(text, Severity.INFO))
        for uri in source.namesakes:
            listener.on_notice(Notice(_tell_namesake(uri, str(source.spec["uri"]))))
    known = runtime.database.query(lambda c: scans.list_oldest_specs(c, collection.id, limit=SPELLINGS))
    for uri, kinds in _find_other_kinds(known, sources).items():
        listener.on_notice(Notice(f"{uri} is on record as {kinds} too: {_TWICE}; {_CLOSE}"))
    for uri in find_other_spellings([str(spec.get("uri", "")) for spec in known], sources):
        listener.on_notice(
            Notice(
                f"an earlier release recorded this source as {uri} too, and its documents stay under that name; "
                f"close that one: embedmill sources remove {uri}"
            )
        )


_TWICE = "its documents are in the index twice"
_CLOSE = "close one of them: embedmill sources list, and remove"


def _find_other_kinds(known: Sequence[Mapping[str, Any]], sources: "Sequence[Source]") -> dict[str, str]:
    """As what else sources are on record that are one file or folder, as a maildir that was read as a folder."""
    ours = {str(source.spec["uri"]): source.kind for source in sources}
    found = {(str(spec.get("uri")), str(spec.get("kind"))) for spec in known}
    return {uri: f"a {kind}" for uri, kind in sorted(found) if ours.get(uri, kind) != kind}


def _tell_namesake(uri: str, own: str) -> str:
    if uri == own:
        return f"{uri} is on record twice, with --id and without; {_CLOSE}"
    return f"{uri} is on record too and is the same as {own}: {_TWICE}; close one: embedmill sources remove {uri}"
