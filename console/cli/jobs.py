"""`embedmill jobs`: list, show, watch, update, pause, resume, cancel, retry."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from embedmill.console.cli.output import print_json, print_line, print_table, print_warning
from embedmill.shared.ledger import Lane
from embedmill.shared.states import JobState

if TYPE_CHECKING:
    from embedmill.shared.db.engine import Connection
    from embedmill.shared.runtime import Runtime

app = typer.Typer(no_args_is_help=True, help="List jobs; pause, resume, cancel or watch one.")

JobId = Annotated[int, typer.Argument(metavar="JOB", help="The job's number.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]


@app.command("list")
def list_(
    state: Annotated[JobState | None, typer.Option(help="Only jobs in this state.")] = None,
    collection: Annotated[str | None, typer.Option("--collection", "-c", help="Only of this collection.")] = None,
    since: Annotated[str | None, typer.Option(help="Only from a date on, or of a span such as 12h or 7d.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most jobs.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first."""
    from embedmill.console.cli.session import opened
    from embedmill.console.services.ingesting import find_jobs

    with opened() as runtime:
        rows = find_jobs(runtime, state=state, collection=collection, since=since, limit=limit)
    if as_json:
        print_json({"jobs": rows})
        return
    print_jobs(rows)


def print_jobs(rows: list[dict[str, Any]]) -> None:
    """Jobs for people: what none of them has gets no column."""
    flat = [
        {
            **row,
            **{name: count or None for name, count in row["documents"].items()},
            "created": row["created"].replace("T", " ")[:16],
            "state": row["state"] if row["activity"] == "working" else row["activity"],
            "in part": row["noted"] or None,
        }
        for row in rows
    ]
    fixed = {"job", "created", "collection", "state", "total"}
    counts = ("total", "completed", "unchanged", "skipped", "deleted", "dead", "cancelled", "in part")
    columns = ("job", "name", "created", "collection", "state", *counts, "seconds", "source")
    shown = [column for column in columns if column in fixed or any(row[column] for row in flat)]
    print_table(flat, shown, empty="no jobs: embedmill ingest FOLDER")


@app.command()
def show(
    job: JobId,
    waiting: Annotated[bool, typer.Option("--waiting", help="Instead, its unfinished documents one by one.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="Most documents of --waiting.")] = 100,
    after: Annotated[int, typer.Option(help="Only work with a higher number, for --waiting.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Show one job, and what its work waits for.

    Documents, chunks, spend, pace, and queues that nobody serves.
    """
    from embedmill.console.cli.session import opened
    from embedmill.console.services.ingesting import explain_job, print_report, print_waiting

    with opened() as runtime:
        if waiting:
            _show_waiting(runtime, job, limit=limit, after=after, as_json=as_json)
            return
        report = explain_job(runtime, job)
        if as_json:
            print_json(report)
            return
        print_report(runtime, report)
        print_waiting(report)


def _show_waiting(runtime: "Runtime", job: int, *, limit: int, after: int, as_json: bool) -> None:
    from embedmill.shared.db import jobs, waits

    def find(connection: "Connection") -> list[dict[str, Any]]:
        jobs.get_job(connection, job)
        return waits.list_waiting_documents(connection, job, limit=limit, after=after)

    rows = runtime.database.query(find)
    if as_json:
        print_json({"job": job, "waiting": rows})
        return
    columns = (
        "work",
        "stage",
        "state",
        "reason",
        "due_in_seconds",
        "attempt",
        "crashes",
        "worker",
        "uri",
        "last_error",
    )
    print_table(rows, columns, empty="nothing waits")
    if len(rows) == limit:
        print_line(f"the next ones: --after {rows[-1]['work']}")


@app.command()
def update(
    job: JobId,
    priority: Annotated[int | None, typer.Option(help="From -100 to 100; the higher is served first.")] = None,
    weight: Annotated[int | None, typer.Option(help="From 1 to 100; the share among jobs of one priority.")] = None,
    lane: Annotated[
        Lane | None,
        typer.Option(help="Ask models at once, `live`, or in vendors' batches, `bulk`; what is out is called back."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="What to call it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Change a job's name, priority, weight or lane."""
    from embedmill.console.cli.session import opened
    from embedmill.console.services.ingesting import warn_of_obstacles
    from embedmill.shared.db import jobs
    from embedmill.shared.db.collections import get_collection_by_id

    if (priority, weight, lane, name) == (None, None, None, None):
        raise typer.BadParameter("give --priority, --weight, --lane, --name, or several")

    def change(connection: "Connection") -> tuple[jobs.Job, Any]:
        jobs.update_job(connection, job, priority=priority, weight=weight, lane=lane, name=name)
        found = jobs.get_job(connection, job)
        return found, get_collection_by_id(connection, found.collection_id)

    with opened() as runtime:
        found, collection = runtime.database.transact(change)
        warn_of_obstacles(runtime, collection, lane)
    if as_json:
        print_json({"job": job, "priority": found.priority, "weight": found.weight, "lane": str(found.lane)})
    else:
        print_line(f"job {job}: priority {found.priority}, weight {found.weight}, lane {found.lane}")


@app.command()
def watch(job: JobId, as_json: AsJson = False) -> None:
    """Show progress until a job ends.

    It ends with the report and the status that `ingest` would have had.
    """
    from embedmill.console.cli.session import opened
    from embedmill.console.services.ingesting import exit_status, print_report
    from embedmill.console.services.ingesting import watch as run

    with opened() as runtime:
        report = run(runtime, job, quiet=as_json)
        if as_json:
            print_json(report)
        else:
            print_report(runtime, report)
    raise typer.Exit(exit_status(report))


@app.command()
def pause(job: JobId, as_json: AsJson = False) -> None:
    """Stop sending a job's work; what runs is finished."""
    _control("pause_job", job, as_json=as_json)


@app.command()
def resume(job: JobId, as_json: AsJson = False) -> None:
    """Let a paused job go on."""
    _control("resume_job", job, as_json=as_json)


@app.command()
def cancel(job: JobId, as_json: AsJson = False) -> None:
    """End a job; what is indexed stays."""
    _control("cancel_job", job, as_json=as_json)


@app.command()
def retry(
    job: JobId,
    work: Annotated[bool, typer.Option("--work", help="Work in this process until the job ends.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the workers are through with it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Replay every dead letter of a job."""
    from embedmill.console.cli.dlq import replay_matching
    from embedmill.shared.db.dead_letters import Filter

    raise typer.Exit(replay_matching(Filter(job=job), dry_run=False, rate=None, work=work, wait=wait, as_json=as_json))


def _control(function: str, job: int, *, as_json: bool) -> None:
    from embedmill.console.cli.session import opened
    from embedmill.shared.db import jobs

    def change(connection: "Connection") -> jobs.Job:
        getattr(jobs, function)(connection, job)
        return jobs.get_job(connection, job)

    with opened() as runtime:
        found = runtime.database.transact(change)
    if as_json:
        print_json({"job": job, "state": str(found.state), "read": found.is_read})
        return
    print_line(f"job {job} {found.state}")
    if found.state == JobState.RUNNING and not found.is_read:
        print_warning("its sources were not read to their end: run the same command again, it takes the job up")
