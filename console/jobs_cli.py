"""`embedmill jobs`: list, show, watch, pause, resume, cancel, retry."""

from typing import Annotated

import typer

from console.output import print_json, print_line, print_table

app = typer.Typer(no_args_is_help=True, help="Look at jobs and control them.")

JobId = Annotated[int, typer.Argument(metavar="JOB", help="The job's number.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List jobs, newest first."""
    from console.running import describe_job
    from console.session import opened
    from shared.db import jobs

    with opened() as runtime:
        with runtime.database.read() as connection:
            found = [job.id for job in jobs.list_jobs(connection)]
        rows = [describe_job(runtime, job_id) for job_id in found]
    for row in rows:
        row.pop("notes")
    if as_json:
        print_json({"jobs": rows})
        return
    flat = [{**row, **row["documents"]} for row in rows]
    columns = ("job", "collection", "state", "total", "completed", "unchanged", "skipped", "deleted", "dead", "seconds")
    print_table(flat, columns, empty="no jobs yet: embedmill ingest FOLDER")


@app.command()
def show(job: JobId, as_json: AsJson = False) -> None:
    """Show one job: documents, chunks, spend, and what its work waits for."""
    from console.running import describe_job, print_report
    from console.session import opened
    from shared.db import jobs

    with opened() as runtime:
        report = describe_job(runtime, job)
        with runtime.database.read() as connection:
            waiting = jobs.list_waiting(connection, job)
        if as_json:
            print_json({**report, "waiting": waiting})
            return
        print_report(runtime, report)
    for stage, states in report["active"].items():
        print_line(f"{stage}: " + ", ".join(f"{count} {state}" for state, count in states.items()))
    print_table(waiting, ("stage", "reason", "documents", "next_in_seconds", "last_error"), empty="nothing waits")


@app.command()
def watch(job: JobId) -> None:
    """Show progress until the job ends."""
    import time

    from console.progress import Display
    from console.running import FINAL, describe_job, exit_status
    from console.session import opened
    from shared.db import jobs

    with opened() as runtime, Display(quiet=False) as display:
        while True:
            with runtime.database.read() as connection:
                found = jobs.get_job(connection, job)
                progress = jobs.measure_progress(connection, found)
            if found.state in FINAL:
                break
            if display.is_due():
                display.show(found, progress)
            time.sleep(0.3)
        report = describe_job(runtime, job)
    print_line(f"job {job} {report['state']}")
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
    as_json: AsJson = False,
) -> None:
    """Replay every dead letter of a job."""
    from console.dlq_cli import replay_matching
    from shared.db.dead_letters import Filter

    raise typer.Exit(replay_matching(Filter(job=job), dry_run=False, work=work, as_json=as_json))


def _control(function: str, job: int, *, as_json: bool) -> None:
    from console.session import opened
    from shared.db import jobs

    with opened() as runtime, runtime.database.write() as connection:
        getattr(jobs, function)(connection, job)
        state = str(jobs.get_job(connection, job).state)
    if as_json:
        print_json({"job": job, "state": state})
    else:
        print_line(f"job {job} {state}")
