"""Ingesting in this process: submit, work until the job ends, report."""

import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from embedmill.console.cli.output import (
    DEAD_LETTERS,
    DONE,
    FAILED,
    print_error,
    print_line,
    print_notice,
    print_table,
    print_warning,
)
from embedmill.console.cli.progress import Display
from embedmill.console.cli.session import Workshop, interruptible, opened, read_settings
from embedmill.console.dollars import format_usd
from embedmill.console.durations import format_duration, format_time, parse_since
from embedmill.console.services.passed_over import name_place, print_passed_over, took_nothing
from embedmill.console.services.standing import (
    FINAL,
    Staffing,
    find_hindrances,
    measure_pace,
    name_activity,
    name_command,
    read_staffing,
)
from embedmill.shared import stages
from embedmill.shared.collections import read_collection_settings
from embedmill.shared.db import bulk_batches, bulk_lane, jobs, ledger, scan_notes, scans, tallies, waits
from embedmill.shared.db.collections import Collection, get_collection, get_collection_by_id
from embedmill.shared.db.dead_letters import Filter, count_dead_before, list_letters
from embedmill.shared.db.engine import Connection, read_clock
from embedmill.shared.errors import FlowControl, ScanTakenOver
from embedmill.shared.ledger import Lane
from embedmill.shared.runtime import Runtime
from embedmill.shared.spend.lanes import find_obstacle
from embedmill.shared.states import JobState, WaitReason

if TYPE_CHECKING:
    from embedmill.producers.sources.base import Source
    from embedmill.producers.sources.open import SourceOptions
    from embedmill.producers.submission import Submitted, Submitter

SHOWN = 20
REPORTED_NOTES = 1000
REPORTED_REASONS = 100
# The oldest sources of a collection that are compared with those of a command.
SPELLINGS = 1000
# By the option that such a job has: what it was made by, in the place of a source.
WITHOUT_SOURCE = {"repair": "verify --repair", "revalidation": "review"}
NOTICE_SECONDS = 3.0
WATCH_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Request:
    """What a user asked to ingest."""

    sources: Sequence[str]
    collection: str
    options: "SourceOptions"
    allow_deletes: bool
    priority: int | None = None
    weight: int | None = None
    lane: Lane | None = None
    name: str | None = None
    retry_dead: bool = False
    # Sources on record that are read again, instead of `sources`.
    specs: Sequence[Mapping[str, Any]] = ()

    def open_sources(self) -> "Sequence[Source]":
        """What is to be read; raises SourceError for what cannot be a source."""
        from embedmill.producers.sources.open import open_sources, source_from_spec

        if self.specs:
            return [source_from_spec(dict(spec)) for spec in self.specs]
        return open_sources(self.sources, options=self.options, stdin=sys.stdin.buffer)


def ingest(request: Request, *, quiet: bool) -> tuple[dict[str, Any], int]:
    """Submit and work until done; returns the report and the exit status."""
    settings = read_settings()
    with opened(settings) as runtime, interruptible():
        job_id = _ingest(runtime, request, quiet=quiet)
        report = describe_job(runtime, job_id)
        if not quiet:
            print_report(runtime, report)
    return report, exit_status(report)


def _ingest(runtime: Runtime, request: Request, *, quiet: bool) -> int:
    from embedmill.producers.submission import Submitter, ensure_collection

    sources = request.open_sources()
    collection = ensure_collection(runtime, request.collection)
    require_prices(runtime, collection)
    warn_of_obstacles(runtime, collection, request.lane)
    warn_of_spellings(runtime, collection, sources)
    with Workshop(runtime) as workshop, Display(quiet=quiet) as display:

        def on_batch(seen: int, queued: int) -> None:
            if queued:
                workshop.start_workers()
            workshop.poll()
            display.scanned(seen)

        submitter = Submitter(runtime, on_batch=on_batch)
        while True:
            submitted = submitter.open(sources, collection, options={"allow_deletes": request.allow_deletes})
            _set_urgency(runtime, submitted.job_id, request)
            if submitted.resumed and not quiet:
                print_notice(f"taking up job {submitted.job_id} of the same sources, which is not finished")
            _scan(runtime, submitter, submitted, sources, collection, request)
            if work_until_done(runtime, workshop, submitted.job_id, display, is_abandoned=submitter.is_abandoned):
                return submitted.job_id


def work_until_done(
    runtime: Runtime,
    workshop: Workshop,
    job_id: int,
    display: Display,
    *,
    is_abandoned: Callable[[int], bool] = lambda _: False,
) -> bool:
    """Run workers until a job has ended; False when whoever was scanning its sources is gone before they were done.

    It ends too when all that is left waits for a key that this process does not have: that cannot change here. Then it
    says so, and the job stays as it is.
    """
    abandoned = stuck = False
    notice = Notice()

    def is_done() -> bool:
        nonlocal abandoned, stuck
        job = runtime.database.query(lambda connection: jobs.get_job(connection, job_id))
        if job.state in FINAL:
            return True
        unfinished = runtime.database.query(lambda connection: tallies.count_unfinished(connection, job_id))
        if unfinished:
            workshop.start_workers()
        stuck = _is_stuck(runtime, workshop, job, unfinished)
        if stuck:
            return True
        if display.is_due():
            show_progress(runtime, display, job, served=frozenset(stages.names()))
        runtime.database.query(lambda connection: notice.give_if_due(connection, job_id))
        abandoned = job.enumerated_at is None and is_abandoned(job_id)
        return abandoned

    workshop.run_until(is_done)
    if stuck:
        _print_stuck(runtime, workshop, job_id)
    elif not abandoned:
        workshop.finish_audits()
    return not abandoned


def show_progress(runtime: Runtime, display: Display, job: jobs.Job, *, served: frozenset[str] = frozenset()) -> None:
    """Show where a job stands, and how quickly it moves; `served` are queues whose workers this process brings."""

    def look(connection: Connection) -> tuple[Any, ...]:
        progress, staffing = tallies.measure_progress(connection, job), read_staffing(runtime, connection)
        staffing = replace(staffing, served=staffing.served | served)
        return progress, measure_pace(connection, job, progress, staffing)

    display.show(job, *runtime.database.query(look))


def _is_stuck(runtime: Runtime, workshop: Workshop, job: jobs.Job, unfinished: Mapping[str, int]) -> bool:
    """Whether all that is left of a job waits for keys which the workers and the batcher of this process lack."""
    if job.state != JobState.RUNNING or job.enumerated_at is None or not unfinished:
        return False
    refused = workshop.refused_batches
    if unfinished.keys() - {WaitReason.KEY, WaitReason.BULK} or (WaitReason.BULK in unfinished and not refused):
        return False

    def look(connection: Connection) -> bool:
        here = WaitReason.KEY not in unfinished or waits.was_refused_here(
            connection, job.id, supervisor=workshop.supervisor_id
        )
        lane = WaitReason.BULK not in unfinished or bulk_lane.find_providers(connection, job.id) <= refused.keys()
        return here and lane

    return runtime.database.query(look)


def _print_stuck(runtime: Runtime, workshop: Workshop, job_id: int) -> None:
    """Say which key is missing, and how much waits for it."""

    def look(connection: Connection) -> list[dict[str, Any]]:
        return waits.list_waiting(connection, jobs.get_job(connection, job_id))

    waiting = runtime.database.query(look)
    causes = [row["last_error"] for row in waiting if row["reason"] == WaitReason.KEY and row["last_error"]]
    if any(row["reason"] == WaitReason.BULK for row in waiting):
        causes += [str(error) for error in workshop.refused_batches.values()]
    count = sum(row["documents"] for row in waiting)
    print_error(
        f"{'; '.join(dict.fromkeys(causes))}; {count} {'document waits' if count == 1 else 'documents wait'} for that",
        "correct it and run the same command again: it takes up what is left",
    )


NOTICES = {
    WaitReason.BUDGET: "work waits for money: {cause}; it goes on when there is some (embedmill budget show has the "
    "limits that you set)",
    WaitReason.BULK: "work waits for a vendor's batches (embedmill bulk list), which may take a day; "
    "interrupt this at will, and run it again to take it up",
    WaitReason.KEY: "work waits for a key: {cause}; correct it, and restart the workers that have the old one",
}


class Notice:
    """Says once that work waits for long: a command that only waits looks like one that hangs."""

    def __init__(self) -> None:
        self._due = time.monotonic() + NOTICE_SECONDS
        self._left = list(NOTICES)

    def give_if_due(self, connection: Connection, job_id: int) -> None:
        """Look again every few seconds, until it was said."""
        if time.monotonic() < self._due:
            return
        found = {reason: waits.find_cause(connection, job_id, reason) for reason in self._left}
        self._left = [reason for reason in self._left if found[reason] is None]
        self._due = time.monotonic() + NOTICE_SECONDS if self._left else math.inf
        for reason, cause in found.items():
            if cause is not None:
                print_warning(NOTICES[reason].format(cause=cause or "there is none"))


class Watch:
    """Says once of each thing that keeps a job's work from moving what it is and what mends it."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._due = time.monotonic() + NOTICE_SECONDS
        self._said: set[tuple[str, str | None]] = set()

    def give_if_due(self, connection: Connection, job: jobs.Job, progress: tallies.Progress) -> None:
        """Look again every few seconds."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + NOTICE_SECONDS
        staffing = read_staffing(self._runtime, connection)
        for found in find_hindrances(job, progress, staffing, waits.list_waiting(connection, job)):
            if (found.reason, found.stage) not in self._said:
                self._said.add((found.reason, found.stage))
                print_warning(f"{found.says}: {found.command}")


def watch(runtime: Runtime, job_id: int, *, quiet: bool) -> dict[str, Any]:
    """Show progress until a job ends; the report of `ingest`."""
    notices = Watch(runtime)
    with Display(quiet=quiet) as display:

        def look(connection: Connection) -> jobs.Job:
            job = jobs.get_job(connection, job_id)
            if job.state not in FINAL:
                notices.give_if_due(connection, job, tallies.measure_progress(connection, job))
            return job

        while (job := runtime.database.query(look)).state not in FINAL:
            if display.is_due():
                show_progress(runtime, display, job)
            time.sleep(WATCH_SECONDS)
    return describe_job(runtime, job_id)


def submit(request: Request) -> tuple[dict[str, Any], int]:
    """Record a job for the workers of this home; returns when everything is durable, as `ingest` does."""
    from embedmill.producers.submission import Submitter, ensure_collection

    with opened() as runtime, interruptible():
        sources = request.open_sources()
        collection = ensure_collection(runtime, request.collection)
        require_prices(runtime, collection)
        warn_of_obstacles(runtime, collection, request.lane)
        warn_of_spellings(runtime, collection, sources)
        submitter = Submitter(runtime)
        submitted = submitter.open(sources, collection, options={"allow_deletes": request.allow_deletes})
        _set_urgency(runtime, submitted.job_id, request)
        if _scan(runtime, submitter, submitted, sources, collection, request):
            # Where nothing has changed there is nothing to wait for, and perhaps no worker that would say so.
            runtime.database.transact(jobs.complete_jobs)
        report = describe_job(runtime, submitted.job_id)
    told = {key: report[key] for key in ("job", "problems", "notes", "reasons", "sources")}
    return told | {"documents": report["documents"]["total"]}, FAILED if report["problems"] else DONE


def _scan(
    runtime: Runtime,
    submitter: "Submitter",
    submitted: "Submitted",
    sources: "Sequence[Source]",
    collection: Collection,
    request: Request,
) -> bool:
    """Read a job's sources if that is for this process to do; False when another process does it."""
    if not submitted.to_scan:
        return False
    try:
        submitter.enumerate(
            submitted,
            sources,
            collection,
            allow_deletes=request.allow_deletes,
            retry_dead=request.retry_dead,
        )
    except ScanTakenOver as error:
        print_warning(f"{error}; this one follows it")
        return False
    _store_estimate(runtime, submitted.job_id, collection, request.lane)
    return True


def _set_urgency(runtime: Runtime, job_id: int, request: Request) -> None:
    """What was asked for, before the scan; a job that is taken up may change its urgency, its lane and its name."""
    chosen = {name: getattr(request, name) for name in ("priority", "weight", "lane", "name")}
    if any(value is not None for value in chosen.values()):
        runtime.database.transact(lambda connection: jobs.update_job(connection, job_id, **chosen))


def require_prices(runtime: Runtime, collection: Collection) -> None:
    """Raise UnknownPrice before anything is submitted that could not be paid for."""
    from embedmill.shared.providers.vectorstores.table import find_offer

    settings = read_collection_settings(collection.settings)
    embedder = runtime.embedder(settings.embedding)
    runtime.spender.prices.find(embedder.name.split("/")[0], embedder.model, "embed")
    provider, _, model = settings.validator.partition("/")
    if model:
        runtime.spender.prices.find(provider, model, "message")
    if offer := find_offer(runtime.settings.vector_url):
        for operation in offer.operations:
            runtime.spender.prices.find(offer.provider, offer.model, operation)


def find_obstacles(runtime: Runtime, collection: Collection) -> dict[str, str | None]:
    """By what a collection's jobs call models for, why it goes at once even in the batch lane; None where it does not.

    What a model is asked beside the path, as for audits and terms, always goes at once.
    """
    settings = read_collection_settings(collection.settings)
    prices = runtime.spender.prices
    provider, _, model = settings.embedding.partition("@")[0].partition("/")
    found = {"embed": find_obstacle(prices, provider, model, "embed")}
    provider, _, model = settings.validator.partition("/")
    if model and settings.gates:
        found["validate"] = find_obstacle(prices, provider, model, "message")
    return found


def warn_of_spellings(runtime: Runtime, collection: Collection, sources: "Sequence[Source]") -> None:
    """Say which sources on record are the same places under other names: their documents are in the index twice."""
    from embedmill.producers.sources.open import find_other_spellings

    known = runtime.database.query(lambda c: scans.list_oldest_uris(c, collection.id, limit=SPELLINGS))
    for uri in find_other_spellings(known, sources):
        print_warning(
            f"an earlier release recorded this source as {uri} too, and its documents stay under that name; "
            f"close that one: embedmill sources remove {uri}"
        )


def warn_of_obstacles(runtime: Runtime, collection: Collection, lane: Lane | None) -> None:
    """Say what a job of the batch lane will not send there."""
    if lane is Lane.BULK:
        for stage, obstacle in find_obstacles(runtime, collection).items():
            if obstacle is not None:
                print_warning(f"--lane bulk: {stage} goes live: {obstacle}")


def _store_estimate(runtime: Runtime, job_id: int, collection: Collection, lane: Lane | None) -> None:
    from embedmill.console.services.estimates import estimate_job

    if (estimate := estimate_job(runtime, job_id, collection, lane=lane or Lane.LIVE)) is not None:
        runtime.database.transact(lambda connection: ledger.store_estimate(connection, job_id, estimate))


def work_on_job(runtime: Runtime, job_id: int, *, quiet: bool) -> None:
    """Run workers in this process until a job that exists already has ended."""
    with (
        interruptible(),
        Workshop(runtime) as workshop,
        Display(quiet=quiet) as display,
    ):
        work_until_done(runtime, workshop, job_id, display)


def describe_job(runtime: Runtime, job_id: int) -> dict[str, Any]:
    """A job as `--json` shows it."""

    def look(connection: Connection) -> dict[str, Any]:
        job = jobs.get_job(connection, job_id)
        notes = scan_notes.list_notes(connection, job_id, limit=REPORTED_NOTES)
        reasons = scan_notes.count_notes(connection, job_id, limit=REPORTED_REASONS)
        progress, staffing = tallies.measure_progress(connection, job), read_staffing(runtime, connection)
        summary = _summarise(job, progress, staffing, now=read_clock(connection))
        before = asdict(count_dead_before(connection, job_id))
        return summary | {"notes": notes, "reasons": reasons, "dead_before": before}

    return runtime.database.query(look)


def list_summaries(runtime: Runtime, *, limit: int, wanted: jobs.JobFilter = jobs.EVERY_JOB) -> list[dict[str, Any]]:
    """Jobs without their notes, newest first."""

    def find(connection: Connection) -> list[dict[str, Any]]:
        staffing, now = read_staffing(runtime, connection), read_clock(connection)
        found = jobs.list_jobs(connection, limit=limit, wanted=wanted)
        progress = tallies.measure_each(connection, found)
        return [_summarise(job, progress[job.id], staffing, now=now) for job in found]

    return runtime.database.query(find)


def find_jobs(
    runtime: Runtime, *, state: JobState | None, collection: str | None, since: str | None, limit: int
) -> list[dict[str, Any]]:
    """Jobs that were asked for, newest first; raises NotFound for a collection that there is not, UserError."""
    begin = parse_since(since) if since else None
    known = runtime.database.query(lambda connection: get_collection(connection, collection).id) if collection else None
    return list_summaries(runtime, limit=limit, wanted=jobs.JobFilter(state, known, begin))


def explain_job(runtime: Runtime, job_id: int) -> dict[str, Any]:
    """A job with what its work waits for, how quickly it moves, and what would get it going where it does not."""
    report = describe_job(runtime, job_id)

    def look(connection: Connection) -> dict[str, Any]:
        job = jobs.get_job(connection, job_id)
        progress, staffing = tallies.measure_progress(connection, job), read_staffing(runtime, connection)
        pace, waiting = measure_pace(connection, job, progress, staffing), waits.list_waiting(connection, job)
        return {
            "waiting": waiting,
            "bulk": _describe_lane(runtime, connection, job),
            "rate": pace.rate,
            "seconds_left": pace.seconds_left,
            "hindrances": [found.as_json() for found in find_hindrances(job, progress, staffing, waiting)],
            "queues_without_consumer": [
                {"queue": stage, "documents": sum(states.values()), "start": name_command(stage, staffing)}
                for stage, states in progress.active.items()
                if stage not in staffing.served
            ],
        }

    found = report | runtime.database.query(look)
    is_refused = any(row["reason"] == WaitReason.CIRCUIT for row in found["waiting"])
    return found | {"circuits": _list_circuits(runtime) if is_refused else []}


def _list_circuits(runtime: Runtime) -> list[dict[str, Any]]:
    """The circuits that are not closed; none when those who know cannot be asked."""
    try:
        return runtime.spender.list_circuits()
    except FlowControl:
        return []


def _describe_lane(runtime: Runtime, connection: Connection, job: jobs.Job) -> dict[str, Any] | None:
    """What a job has in the batch lane; None when it never was there."""
    from embedmill.console.services.bulk import describe_batch

    batches = bulk_batches.list_batches(connection, job_id=job.id)
    if job.lane is Lane.LIVE and not batches:
        return None
    collection = get_collection_by_id(connection, job.collection_id)
    return {
        "live": {stage: why for stage, why in find_obstacles(runtime, collection).items() if why is not None},
        "entries": bulk_lane.count_entries(connection, job_id=job.id),
        "batches": [describe_batch(batch) for batch in batches],
    }


def _summarise(job: jobs.Job, progress: tallies.Progress, staffing: Staffing, *, now: float) -> dict[str, Any]:
    """What every command says of a job; `activity` tells what it does, or waits for, while its state is `running`."""
    sources = [str(spec["uri"]) for spec in job.sources]
    return {
        "job": job.id,
        "id": job.id,
        "name": job.name,
        "collection": job.collection,
        "source": ", ".join(sources) or next((why for key, why in WITHOUT_SOURCE.items() if key in job.options), ""),
        "sources": sources,
        "state": str(job.state),
        "activity": name_activity(job, progress, staffing),
        "created": format_time(job.created_at),
        "priority": job.priority,
        "weight": job.weight,
        "lane": str(job.lane),
        "documents": dict(progress.documents),
        "chunks": dict(progress.chunks),
        "spend": dict(progress.spend),
        "estimate": job.options.get("estimate"),
        "seconds": round(max(0.0, (job.finished_at or now) - job.created_at), 3),
        "active": {stage: dict(states) for stage, states in progress.active.items()},
        "problems": job.problems,
        "noted": progress.noted,
        "held_deletions": job.held_deletions,
        "error": job.error,
    }


def exit_status(report: Mapping[str, Any]) -> int:
    """0 done, 3 finished with dead letters, 1 failed, or something that was asked for was not there or was refused.

    Where there are dead letters too, they are what there is more to do about. Documents that were passed over because
    they had died before count among them where another try may help (decision 0033).
    """
    if report["state"] != JobState.COMPLETED:
        return FAILED
    if report["documents"]["dead"] or report["dead_before"]["failed"]:
        return DEAD_LETTERS
    return FAILED if report["problems"] or took_nothing(report) else DONE


def name_job(report: Mapping[str, Any]) -> str:
    """A job with its name and what it does, as `job 3 “manuals” running, waiting for workers`."""
    name = f" “{report['name']}”" if report["name"] else ""
    activity = "" if report["activity"] == report["state"] else f", {report['activity']}"
    in_part = " in part" if report["noted"] and report["state"] == JobState.COMPLETED else ""
    return f"job {report['job']}{name} {report['state']}{in_part}{activity}"


def print_report(runtime: Runtime, report: Mapping[str, Any]) -> None:
    """The outcome for people: counts, what was passed over, what died and what to do about it."""
    from embedmill.console.services.estimates import describe_cost

    documents, chunks = report["documents"], report["chunks"]
    # What left is no part of the total.
    counted = ", ".join(f"{n} {name}" for name, n in documents.items() if n and name not in {"total", "deleted"})
    left = f", {documents['deleted']} deleted" if documents["deleted"] else ""
    print_line(f"{name_job(report)}: {documents['total']} documents ({counted or 'none'}){left}")
    print_line(
        f"chunks: {chunks['indexed']} indexed, {chunks['rejected']} rejected, {chunks['embedded']} embedded anew; "
        f"{report['spend']['tokens_in']} tokens, {format_usd(report['spend']['usd'])}, {report['seconds']:.1f} s"
    )
    if reserved := report["spend"].get("reserved_usd"):
        print_line(f"{format_usd(reserved)} of these dollars are reserved for calls that are not settled")
    if billed := report["spend"].get("units"):
        print_line(f"the vector store billed {billed:g} units, which are in these dollars")
    if unpriced := report["spend"].get("unpriced_calls"):
        print_line(f"and {unpriced} calls without a known price; add it: docs/spend.md")
    if chunks["split"]:
        print_line(f"{chunks['split']} chunks were too long for the model and were cut")
    if report["estimate"] and report["estimate"]["usd"]:
        print_line(f"estimated beforehand: {describe_cost(report['estimate'], report['estimate']['basis'])}")
    letters = runtime.database.query(
        lambda connection: list_letters(connection, Filter(job=report["job"]), limit=SHOWN)
    )
    print_passed_over(report)
    if took_nothing(report):
        print_warning("nothing was indexed: all of it was skipped")
    _print_noted(report)
    for letter in letters:
        print_line(f"dead letter {letter['id']}: {letter['uri']}: {letter['stage']}: {letter['error']}")
        print_line(f"  next: {letter['hint']}")
    if documents["dead"] > len(letters):
        print_line(f"… and {documents['dead'] - len(letters)} more: embedmill dlq list --job {report['job']}")
    if report["held_deletions"]:
        gone = report["held_deletions"]
        print_warning(f"{gone} {'document is' if gone == 1 else 'documents are'} gone: more than a fifth of a source")
        print_warning("  nothing was removed; to remove what is gone, run it again with --allow-deletes")
        print_warning("  what is left out as hidden counts as gone too; --hidden keeps it")


def _print_noted(report: Mapping[str, Any]) -> None:
    """What was read in part or by a guess."""
    noted = [note for note in report["notes"] if note["kind"] == "noted"]
    if report["noted"]:
        print_warning(f"documents that were read in part or by a guess: {report['noted']}")
    for note in noted[:SHOWN]:
        print_warning(f"  {name_place(note['uri'], report['sources'])}: {note['reason']}")
    if len(noted) > SHOWN:
        print_warning(f"  all of them: embedmill documents list --job {report['job']} --noted")


def print_submitted(report: Mapping[str, Any]) -> None:
    """What was recorded, for people."""
    print_line(f"job {report['job']}: {report['documents']} documents submitted; embedmill jobs show {report['job']}")
    print_passed_over(report)


WAITS_FOR = {
    "queue": "a worker to take it",
    "lease": "the worker that holds it; its lease is renewed",
    "scanning": "its sources to be scanned, or a full batch",
    "retry": "its next attempt, after a failure",
    "rate": "its turn: a provider's rate, or the rate of a replay",
    "budget": "money: a budget is used up, or a vendor's credit",
    "circuit": "a provider that fails for everybody",
    "bulk": "a vendor's batch, or one to be sent",
    "key": "a key that its provider accepts: correct it, and restart the workers that have the old one",
    "paused": "somebody to resume it",
    "scaled": "workers: its queue is scaled to 0",
}


def print_lane(lane: Mapping[str, Any]) -> None:
    """What a job has in the batch lane, for people."""
    from embedmill.console.cli.bulk import print_batches

    for stage, why in lane["live"].items():
        print_line(f"lane bulk, but {stage} goes live: {why}")
    print_batches([batch for batch in lane["batches"] if batch.ended_at is None][:SHOWN], empty="no open batch")


def print_waiting(report: Mapping[str, Any]) -> None:
    """What a job's work waits for, for people."""
    for stage, states in report["active"].items():
        print_line(f"{stage}: " + ", ".join(f"{count} {state}" for state, count in states.items()))
    rows = [{**row, "waits for": WAITS_FOR.get(row["reason"])} for row in report["waiting"]]
    columns = ("stage", "documents", "reason", "waits for", "next_in_seconds", "last_error")
    print_table(rows, columns, empty="nothing waits")
    if report["bulk"]:
        print_lane(report["bulk"])
    if report["rate"]:
        print_line(f"{report['rate']:.1f} documents a second, {format_duration(report['seconds_left'])} left")
    for circuit in report["circuits"]:
        left = format_duration(circuit["seconds_left"])
        print_line(f"{circuit['name']} does not answer and is left alone; it is tried again in {left}")
    for found in report["hindrances"]:
        print_warning(f"{found['says']}: {found['command']}")
