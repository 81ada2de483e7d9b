"""What people read of a job: its outcome, what was passed over, what died, what waits; and the status that it gives."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from embedmill.console.cli.estimates import describe_cost
from embedmill.console.cli.output import (
    DEAD_LETTERS,
    DONE,
    FAILED,
    print_json,
    print_line,
    print_table,
    print_warning,
    print_wrapped,
)
from embedmill.console.cli.passed_over import name_place, print_passed_over
from embedmill.console.dollars import format_usd
from embedmill.console.rendering import counted, documents_of
from embedmill.shared.durations import format_duration, format_time
from embedmill.shared.ledger import BatchState
from embedmill.shared.states import JobState

if TYPE_CHECKING:
    from embedmill.console.services.jobs import (
        BatchLane,
        DeadDocument,
        JobExplanation,
        JobReport,
        JobSummary,
        WaitingDocuments,
    )
    from embedmill.console.services.submitting import SubmittedJob
    from embedmill.shared.runtime import Runtime

SHOWN = 20
COUNTS = ("total", "completed", "unchanged", "skipped", "deleted", "dead", "cancelled")


def exit_status(report: "JobReport") -> int:
    """0 done, 3 finished with dead letters, 1 failed, or something that was asked for was not there or was refused.

    Where there are dead letters too, they are what there is more to do about. Documents that were passed over because
    they had died before count among them where another try may help (decision 0033).
    """
    if report.state != JobState.COMPLETED:
        return FAILED
    if report.documents.dead or report.dead_before.failed:
        return DEAD_LETTERS
    return FAILED if report.problems or report.took_nothing else DONE


def worst_status(runtime: "Runtime", jobs: "Iterable[int]") -> int:
    """The status of several jobs: the greatest that one of them has."""
    from embedmill.console.services.jobs import describe_job

    return max((exit_status(describe_job(runtime, job)) for job in jobs), default=DONE)


def show_report(runtime: "Runtime", report: "JobReport", *, as_json: bool) -> None:
    """The outcome of a job for whoever asked."""
    from embedmill.console.services.jobs import list_dead
    from embedmill.shared.access.principals import Right

    if as_json:
        print_json(report)
        return
    tells_dead = report.documents.dead and runtime.principal.may(Right.OPERATE)
    print_report(report, list_dead(runtime, report.job, limit=SHOWN) if tells_dead else [])


def print_report(report: "JobReport", dead: "Sequence[DeadDocument]") -> None:
    """The outcome for people: counts, what was passed over, what died and what to do about it."""
    print_line(f"{name_job(report)}: {describe_documents(report)}")
    _print_spend(report)
    if report.redactions:
        print_line(f"hidden: {describe_counts(report.redactions)}")
    print_passed_over(report)
    if report.state == JobState.FAILED:
        print_warning(f"nothing could be read: {report.error}")
    elif report.took_nothing:
        print_warning("nothing was indexed: all of it was skipped")
    _print_noted(report)
    _print_dead(report, dead)
    print_held(report)


def print_held(report: "JobReport") -> None:
    """How many documents stay though they were not met, why, and what to do about it."""
    if not (held := report.held_deletions):
        return
    print_warning(
        f"{held} {'document was' if held == 1 else 'documents were'} not met and {'is' if held == 1 else 'are'} kept"
    )
    if report.problems:
        print_warning("  what could not be read may hold documents that were there; they stay until it can be read")
    print_warning("  where more than a fifth of a source is gone, nothing is removed but with --allow-deletes")
    print_warning("  what is left out as hidden counts as gone too; --hidden keeps it")


def name_job(report: "JobSummary") -> str:
    """A job with its name and what it does, as `job 3 “manuals” running, waiting for workers`."""
    name = f" “{report.name}”" if report.name else ""
    activity = "" if report.activity == report.state else f", {report.activity}"
    in_part = " in part" if report.noted and report.state == JobState.COMPLETED else ""
    return f"job {report.job}{name} {report.state}{in_part}{activity}"


def describe_documents(report: "JobReport") -> str:
    """A job's documents by their ends, as `10 documents (8 completed, 2 unchanged), 1 deleted`."""
    from embedmill.console.services.progress import FINAL

    documents = report.documents
    # What left is no part of the total.
    ends = [name for name in COUNTS if name not in {"total", "deleted"}]
    told = ", ".join(f"{count} {_name_end(report, name)}" for name in ends if (count := getattr(documents, name)))
    left = f", {documents.deleted} deleted" if documents.deleted else ""
    none = "none done yet" if documents.total and report.state not in FINAL else "none"
    return f"{documents_of(documents.total)} ({told or none}){left}"


def _name_end(job: "JobSummary", name: str) -> str:
    """What people call a count of a job."""
    if is_rewriting(job) and name == "completed":
        return "written anew"
    # Work that ends as cancelled in a job that was not was discarded with its dead letter.
    return "discarded" if name == "cancelled" and job.state != JobState.CANCELLED else name


def is_rewriting(job: "JobSummary") -> bool:
    """Whether a job writes stored documents anew, and makes none."""
    from embedmill.console.services.jobs import RE_ENCRYPTING_SOURCE

    return not job.sources and job.source == RE_ENCRYPTING_SOURCE


def describe_counts(counts: Mapping[str, int]) -> str:
    """How many values of each type were hidden."""
    return ", ".join(f"{count:,} {type_}" for type_, count in counts.items())


def _print_spend(report: "JobReport") -> None:
    chunks, spend = report.chunks, report.spend
    if is_rewriting(report):
        print_line(f"nothing is asked of a model; {report.seconds:.1f} s")
        return
    print_line(
        f"chunks: {chunks.indexed} indexed, {chunks.rejected} rejected, {chunks.embedded} embedded anew; "
        f"{spend.tokens_in} tokens, {format_usd(spend.usd)}, {report.seconds:.1f} s"
    )
    if spend.reserved_usd:
        print_line(f"{format_usd(spend.reserved_usd)} of these dollars are reserved for calls that are not settled")
    if spend.units:
        print_line(f"the vector store billed {spend.units:g} units, which are in these dollars")
    if spend.unpriced_calls:
        print_line(f"and {counted(spend.unpriced_calls, 'call')} without a known price; add it: docs/spend.md")
    if chunks.split:
        print_line(f"{chunks.split} chunks were too long for the model and were cut")
    if report.estimate and report.estimate["usd"]:
        print_line(f"estimated beforehand: {_describe_estimate(report.estimate)}")


def _describe_estimate(kept: Mapping[str, Any]) -> str:
    """The JSON that is kept with a job; an older release kept no dollars at most."""
    return describe_cost(kept["usd"], kept.get("usd_at_most"), kept["basis"])


def _print_noted(report: "JobReport") -> None:
    """What was read in part or by a guess."""
    noted = [note for note in report.notes if note.kind == "noted"]
    if report.noted:
        print_warning(f"documents that were read in part or by a guess: {report.noted}")
    for note in noted[:SHOWN]:
        print_warning(f"  {name_place(note.uri, report.sources)}: {note.reason}")
    if len(noted) > SHOWN:
        print_warning(f"  all of them: embedmill documents list --job {report.job} --noted")


def _print_dead(report: "JobReport", dead: "Sequence[DeadDocument]") -> None:
    for letter in dead:
        print_wrapped(f"dead letter {letter.id}: {letter.uri}: {letter.stage}: {letter.error}")
        print_wrapped(f"  next: {letter.hint}")
    if report.documents.dead > len(dead):
        print_line(f"… and {report.documents.dead - len(dead)} more: embedmill dlq list --job {report.job}")


def print_submitted(report: "SubmittedJob") -> None:
    """What was recorded, for people."""
    print_line(f"job {report.job}: {documents_of(report.documents)} submitted; embedmill jobs show {report.job}")
    print_passed_over(report)


def print_jobs(jobs: "Sequence[JobSummary]") -> None:
    """Jobs for people: what none of them has gets no column."""
    rows = [_row(job) for job in jobs]
    fixed = {"job", "created", "collection", "state", "total"}
    columns = ("job", "name", "created", "collection", "state", *COUNTS, "discarded", "in part", "seconds", "source")
    shown = [column for column in columns if column in fixed or any(row[column] for row in rows)]
    print_table(rows, shown, empty="no jobs: embedmill ingest FOLDER")


def _row(job: "JobSummary") -> dict[str, Any]:
    discarded = _name_end(job, "cancelled") == "discarded"
    counts = {name: getattr(job.documents, name) or None for name in COUNTS}
    return {
        "job": job.job,
        "name": job.name,
        "created": format_time(job.created.timestamp()),
        "collection": job.collection,
        "state": job.state if job.activity == "working" else job.activity,
        **counts,
        **({"cancelled": None, "discarded": counts["cancelled"]} if discarded else {"discarded": None}),
        "in part": job.noted or None,
        "seconds": job.seconds,
        "source": job.source,
    }


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


def print_waiting(report: "JobExplanation") -> None:
    """What a job's work waits for, for people."""
    for stage, states in report.active.items():
        print_line(f"{stage}: " + ", ".join(f"{count} {state}" for state, count in states.items()))
    rows = [
        {
            "stage": found.stage,
            "documents": found.documents,
            "reason": found.reason,
            "waits for": WAITS_FOR.get(found.reason),
            "next_in_seconds": found.next_in_seconds,
            "last_error": found.last_error,
        }
        for found in report.waiting
    ]
    columns = ("stage", "documents", "reason", "waits for", "next_in_seconds", "last_error")
    if rows or not is_rewriting(report):
        print_table(rows, columns, empty="nothing waits")
    if report.bulk:
        print_lane(report.bulk)
    if report.rate and report.seconds_left is not None:
        print_line(f"{report.rate:.1f} documents a second, {format_duration(report.seconds_left)} left")
    for circuit in report.circuits:
        left = "left alone; it is tried again in " + format_duration(circuit.seconds_left)
        print_wrapped(
            f"{circuit.name} does not answer and is {left if circuit.seconds_left >= 1 else 'tried again now'}"
        )
    for hindrance in report.hindrances:
        print_warning(f"{hindrance.says}: {hindrance.command}")


def print_lane(lane: "BatchLane") -> None:
    """What a job has in the batch lane."""
    from embedmill.console.cli.bulk import print_batches

    for stage, why in lane.live.items():
        print_wrapped(f"lane bulk, but {stage} goes live: {why}")
    newest = max(lane.batches, key=lambda batch: batch.batch, default=None)
    was_refused = newest is not None and newest.state == BatchState.RELEASED and newest.error
    empty = "no open batch" + (f"; the last one was not made: {newest.error}" if newest and was_refused else "")
    print_batches([batch for batch in lane.batches if batch.ended_at is None][:SHOWN], empty=empty)


def print_waiting_documents(found: "WaitingDocuments", *, limit: int) -> None:
    """A job's unfinished documents, and how to see more of them."""
    columns = "work stage state reason due_in_seconds attempt crashes worker uri last_error".split()
    rows = [{name: getattr(document, name) for name in columns} for document in found.waiting]
    print_table(rows, columns, empty="nothing waits")
    if len(rows) == limit:
        print_line(f"the next ones: --after {found.waiting[-1].work}")
