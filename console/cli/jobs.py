"""`embedmill jobs`: list, show, watch, update, pause, resume, cancel, retry."""

from typing import TYPE_CHECKING, Annotated

import typer

from embedmill.console.cli.options import AsJson
from embedmill.console.cli.output import print_json, print_line, print_warning
from embedmill.shared.durations import parse_since
from embedmill.shared.ledger import Lane
from embedmill.shared.states import JobState

if TYPE_CHECKING:
    from embedmill.console.services.controlling import JobControl

app = typer.Typer(no_args_is_help=True, help="List jobs; pause, resume, cancel or watch one.")

JobId = Annotated[int, typer.Argument(metavar="JOB", help="The job's number.")]


@app.command("list")
def list_(
    state: Annotated[JobState | None, typer.Option(help="Only jobs in this state.")] = None,
    collection: Annotated[str | None, typer.Option("--collection", "-c", help="Only of this collection.")] = None,
    since: Annotated[str | None, typer.Option(help="Only from a date on, or of a span such as 12h or 7d.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most jobs.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first."""
    from embedmill.console.cli.reports import print_jobs
    from embedmill.console.cli.session import opened_to_read
    from embedmill.console.services.jobs import list_jobs

    begin = parse_since(since) if since else None
    with opened_to_read() as runtime:
        found = list_jobs(runtime, state=state, collection=collection, since=begin, limit=limit)
    if as_json:
        print_json(found)
    else:
        print_jobs(found.jobs)


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
    from embedmill.console.cli.reports import print_waiting, print_waiting_documents, show_report
    from embedmill.console.cli.session import opened_to_read
    from embedmill.console.services.jobs import explain_job, list_waiting

    with opened_to_read() as runtime:
        if waiting:
            documents = list_waiting(runtime, job, limit=limit, after=after)
        else:
            report = explain_job(runtime, job)
            show_report(runtime, report, as_json=as_json)
    if waiting and as_json:
        print_json(documents)
    elif waiting:
        print_waiting_documents(documents, limit=limit)
    elif not as_json:
        print_waiting(report)


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
    from embedmill.console.cli.session import heard, opened
    from embedmill.console.services import controlling

    if (priority, weight, lane, name) == (None, None, None, None):
        raise typer.BadParameter("give --priority, --weight, --lane, --name, or several")
    with opened() as runtime, heard(quiet=True) as listener:
        found = controlling.update(
            runtime, job, priority=priority, weight=weight, lane=lane, name=name, listener=listener
        )
    if as_json:
        print_json(found)
    else:
        print_line(f"job {job}: priority {found.priority}, weight {found.weight}, lane {found.lane}")


@app.command()
def watch(job: JobId, as_json: AsJson = False) -> None:
    """Show progress until a job ends.

    It ends with the report and the status that `ingest` would have had.
    """
    from embedmill.console.cli.reports import exit_status, show_report
    from embedmill.console.cli.session import heard, opened
    from embedmill.console.services.working import wait

    with opened() as runtime:
        with heard(quiet=as_json) as listener:
            report = wait(runtime, job, listener=listener)
        show_report(runtime, report, as_json=as_json)
    raise typer.Exit(exit_status(report))


@app.command()
def pause(job: JobId, as_json: AsJson = False) -> None:
    """Stop sending a job's work; what runs is finished."""
    from embedmill.console.cli.session import opened
    from embedmill.console.services import controlling

    with opened() as runtime:
        _say(controlling.pause(runtime, job), as_json=as_json)


@app.command()
def resume(job: JobId, as_json: AsJson = False) -> None:
    """Let a paused job go on."""
    from embedmill.console.cli.session import heard, opened
    from embedmill.console.services import controlling

    with opened() as runtime, heard(quiet=True) as listener:
        _say(controlling.resume(runtime, job, listener=listener), as_json=as_json)


@app.command()
def cancel(job: JobId, as_json: AsJson = False) -> None:
    """End a job; what is indexed stays."""
    from embedmill.console.cli.session import heard, opened
    from embedmill.console.services import controlling

    with opened() as runtime, heard(quiet=True) as listener:
        _say(controlling.cancel(runtime, job, listener=listener), as_json=as_json)


@app.command()
def retry(
    job: JobId,
    work: Annotated[bool, typer.Option("--work", help="Work in this process until the job ends.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the workers are through with it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Replay every dead letter of a job."""
    from embedmill.console.cli.dlq import send_again
    from embedmill.shared.letters import LetterFilter

    raise typer.Exit(send_again(LetterFilter(job=job), rate=None, work=work, wait=wait, as_json=as_json))


def _say(found: "JobControl", *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    print_line(f"job {found.job} {found.state}")
    if found.state == JobState.RUNNING and not found.read:
        print_warning("its sources were not read to their end: run the same command again, it takes the job up")
