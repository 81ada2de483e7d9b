"""`embedmill dlq`: dead letters, found by filter, replayed or discarded."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console.output import DONE, print_json, print_line, print_table

if TYPE_CHECKING:
    from shared.db.dead_letters import Filter

app = typer.Typer(no_args_is_help=True, help="Work with dead letters.")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Ids = Annotated[list[int], typer.Argument(metavar="[ID]...", help="Dead letters by number.")]
JobOption = Annotated[int | None, typer.Option("--job", help="Only of this job.")]
CollectionOption = Annotated[str | None, typer.Option("--collection", "-c", help="Only of this collection.")]
StageOption = Annotated[str | None, typer.Option("--stage", help="Only of this stage.")]
ClassOption = Annotated[str | None, typer.Option("--error-class", help="Only of this error class.")]
FingerprintOption = Annotated[str | None, typer.Option("--fingerprint", help="Only with this root cause.")]
OlderOption = Annotated[float | None, typer.Option("--older-than", help="Only older than this many seconds.")]
NewerOption = Annotated[float | None, typer.Option("--newer-than", help="Only newer than this many seconds.")]
AllOption = Annotated[bool, typer.Option("--all", help="Every dead letter.")]


@app.command("list")
def list_(
    job: JobOption = None,
    collection: CollectionOption = None,
    stage: StageOption = None,
    error_class: ClassOption = None,
    fingerprint: FingerprintOption = None,
    older_than: OlderOption = None,
    newer_than: NewerOption = None,
    limit: Annotated[int, typer.Option(min=1, help="Most rows.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List dead letters that were neither replayed nor discarded."""
    from console.session import opened
    from shared.db.dead_letters import Filter, count_letters, list_letters

    wanted = Filter(None, job, collection, stage, error_class, fingerprint, older_than, newer_than)
    with opened() as runtime, runtime.database.read() as connection:
        letters = [_public(letter) for letter in list_letters(connection, wanted, limit=limit)]
        total = count_letters(connection, wanted)
    if as_json:
        print_json({"total": total, "dead_letters": letters})
        return
    columns = ("id", "job", "stage", "error_class", "fingerprint", "attempts", "uri", "error")
    print_table(letters, columns, empty="no dead letters")
    if total > len(letters):
        print_line(f"… and {total - len(letters)} more")


@app.command()
def show(letter: Annotated[int, typer.Argument(metavar="ID")], as_json: AsJson = False) -> None:
    """Explain one dead letter, with every attempt."""
    from console.session import opened
    from shared.db.dead_letters import show_letter

    with opened() as runtime, runtime.database.read() as connection:
        found = show_letter(connection, letter)
    public = _public(found) | {"history": [_attempt(row) for row in found["history"]]}
    if as_json:
        print_json(public)
        return
    for name in ("uri", "stage", "error_class", "error", "hint", "attempts", "crashes", "fingerprint", "resolution"):
        print_line(f"{name:12} {public[name] if public[name] is not None else '-'}")
    columns = ("stage", "epoch", "attempt", "outcome", "error_class", "error", "worker")
    print_table(public["history"], columns, empty="no attempts recorded")


@app.command()
def replay(
    ids: Ids = [],  # noqa: B006 - typer copies defaults
    job: JobOption = None,
    collection: CollectionOption = None,
    stage: StageOption = None,
    error_class: ClassOption = None,
    fingerprint: FingerprintOption = None,
    older_than: OlderOption = None,
    newer_than: NewerOption = None,
    all_: AllOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be replayed.")] = False,
    work: Annotated[bool, typer.Option("--work", help="Work in this process until the jobs end.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send dead letters back to the stage that failed; history stays, and what was paid for is not paid again."""
    from shared.db.dead_letters import Filter

    wanted = Filter(ids or None, job, collection, stage, error_class, fingerprint, older_than, newer_than)
    _require_selection(wanted, all_=all_)
    raise typer.Exit(replay_matching(wanted, dry_run=dry_run, work=work, as_json=as_json))


@app.command()
def discard(
    reason: Annotated[str, typer.Option("--reason", help="Why; it is kept.")],
    ids: Ids = [],  # noqa: B006
    job: JobOption = None,
    collection: CollectionOption = None,
    stage: StageOption = None,
    error_class: ClassOption = None,
    fingerprint: FingerprintOption = None,
    older_than: OlderOption = None,
    newer_than: NewerOption = None,
    all_: AllOption = False,
    as_json: AsJson = False,
) -> None:
    """Give dead letters up."""
    from console.session import opened
    from shared.db.dead_letters import Filter, discard_letters

    wanted = Filter(ids or None, job, collection, stage, error_class, fingerprint, older_than, newer_than)
    _require_selection(wanted, all_=all_)
    with opened() as runtime, runtime.database.write() as connection:
        discarded = discard_letters(connection, wanted, reason=reason)
    _report({"discarded": len(discarded), "ids": discarded}, f"{len(discarded)} discarded", as_json=as_json)


@app.command()
def export(
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write; - is stdout.")] = Path("-"),
    job: JobOption = None,
    as_json: AsJson = False,
) -> None:
    """Write dead letters as JSONL."""
    import sys

    import orjson

    from console.session import opened
    from shared.db.dead_letters import Filter, list_letters

    with opened() as runtime, runtime.database.read() as connection:
        letters = list_letters(connection, Filter(job=job), limit=1_000_000_000)
    lines = b"".join(orjson.dumps(_public(letter)) + b"\n" for letter in letters)
    if str(output) == "-":
        sys.stdout.buffer.write(lines)
    else:
        output.write_bytes(lines)
        _report({"exported": len(letters)}, f"{len(letters)} exported to {output}", as_json=as_json)


def replay_matching(wanted: "Filter", *, dry_run: bool, work: bool, as_json: bool) -> int:
    """Replay what matches; with `work`, work on it until its jobs end. Returns the exit status."""
    from console.running import describe_job, exit_status, work_on_job
    from console.session import opened
    from shared.db.dead_letters import list_letters, replay_letters

    with opened() as runtime:
        with runtime.database.read() as connection:
            matching = list_letters(connection, wanted, limit=1_000_000_000)
        if dry_run:
            rows = [_public(letter) for letter in matching]
            _report(
                {"would_replay": len(rows), "dead_letters": rows}, f"{len(rows)} would be replayed", as_json=as_json
            )
            return DONE
        with runtime.database.write() as connection:
            replayed = replay_letters(connection, wanted)
        jobs = sorted({letter["job_id"] for letter in matching})
        for job_id in jobs if work else ():
            work_on_job(runtime, job_id, quiet=as_json)
        reports = [describe_job(runtime, job_id) for job_id in jobs]
    _report({"replayed": len(replayed), "ids": replayed, "jobs": reports}, f"{len(replayed)} replayed", as_json=as_json)
    return max((exit_status(report) for report in reports), default=DONE) if work else DONE


def _left_alone(count: int) -> str:
    return f"; {count} left alone, because their job was cancelled: ingest the source again" if count else ""


def _require_selection(wanted: "Filter", *, all_: bool) -> None:
    from shared.db.dead_letters import Filter

    if wanted == Filter() and not all_:
        raise typer.BadParameter("say which dead letters: numbers, a filter, or --all")


def _public(letter: dict[str, Any]) -> dict[str, Any]:
    names = (
        "id job_id collection document uri stage error_class error hint fingerprint attempts crashes code_version "
        "created_at resolved_at resolution resolution_reason"
    )
    return {{"job_id": "job"}.get(name, name): letter[name] for name in names.split()}


def _attempt(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("id", "work_id")}


def _report(document: dict[str, Any], line: str, *, as_json: bool) -> None:
    if as_json:
        print_json(document)
    else:
        print_line(line)
