"""`embedmill dlq`: dead letters, by root cause or one by one, replayed or discarded; and unreadable messages."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from embedmill.console.cli.output import DONE, json_line, print_json, print_line
from embedmill.console.durations import parse_duration
from embedmill.shared import stages

if TYPE_CHECKING:
    from embedmill.shared.db.dead_letters import Filter

app = typer.Typer(no_args_is_help=True, help="Look at what failed for good; try again or give up.")


def _duration(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _stage(name: str) -> str:
    if name not in stages.names():
        raise typer.BadParameter(f"{name!r} is not one of {', '.join(stages.names())}")
    return name


AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Ids = Annotated[list[int], typer.Argument(metavar="ID", help="Dead letters by number.")]
NamedIds = Annotated[
    list[str], typer.Argument(metavar="ID", help="Dead letters by number, unreadable messages as m1, m2, …")
]
JobOption = Annotated[int | None, typer.Option("--job", help="Only of this job.")]
CollectionOption = Annotated[str | None, typer.Option("--collection", "-c", help="Only of this collection.")]
StageOption = Annotated[
    str | None,
    typer.Option("--stage", parser=_stage, metavar=f"[{'|'.join(stages.names())}]", help="Only of this stage."),
]
ClassOption = Annotated[str | None, typer.Option("--error-class", help="Only of this error class.")]
FingerprintOption = Annotated[str | None, typer.Option("--fingerprint", help="Only with this root cause.")]
OlderOption = Annotated[
    float | None, typer.Option("--older-than", parser=_duration, metavar="AGE", help="Only older than 90, 15m, 2h, 3d.")
]
NewerOption = Annotated[
    float | None, typer.Option("--newer-than", parser=_duration, metavar="AGE", help="Only newer than 90, 15m, 2h, 3d.")
]
ResolvedOption = Annotated[
    bool, typer.Option("--resolved", "--all", help="Also what was replayed, discarded or superseded.")
]
WorkOption = Annotated[bool, typer.Option("--work", help="Work in this process until the jobs end.")]
WaitOption = Annotated[bool, typer.Option("--wait", help="Wait until the workers are through with it.")]
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
    resolved: ResolvedOption = False,
    flat: Annotated[bool, typer.Option("--flat", help="One by one instead of by root cause.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="Most rows.")] = 100,
    before: Annotated[int | None, typer.Option("--before", help="Only letters with a lower number.")] = None,
    as_json: AsJson = False,
) -> None:
    """List open dead letters by root cause.

    Open letters were neither replayed nor discarded, and their document was not submitted again.
    """
    from embedmill.console.services.dead_letters import list_matching, print_groups, print_rows
    from embedmill.shared.db.dead_letters import Filter

    wanted = Filter(None, job, collection, stage, error_class, fingerprint, older_than, newer_than, resolved)
    found = list_matching(wanted, limit=limit, before=before)
    if as_json:
        print_json(found)
    elif flat or before is not None:
        print_rows(found)
    else:
        print_groups(found)


@app.command()
def show(
    letter: Annotated[str, typer.Argument(metavar="ID", help="A dead letter's number; m1 for a message.")],
    as_json: AsJson = False,
) -> None:
    """Explain one dead letter, and what to do.

    It says what failed, where, why and how often, and what its document looks like.
    """
    from embedmill.console.cli.session import opened
    from embedmill.console.services.dead_letters import explain, print_explanation, show_unreadable

    letters, messages = _split_ids([letter])
    if messages:
        message = show_unreadable(messages[0])
        if as_json:
            print_json(message)
        for name, value in () if as_json else message.items():
            print_line(f"{name:18} {value if value is not None else '-'}")
        return
    with opened() as runtime:
        found = explain(runtime, letters[0])
    if as_json:
        print_json(found)
    else:
        print_explanation(found)


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
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go, and what it would cost.")] = False,
    rate: Annotated[float | None, typer.Option("--rate", min=0.001, help="At most so many documents a second.")] = None,
    stagger: Annotated[
        float | None, typer.Option("--stagger", parser=_duration, metavar="TIME", help="Or so long apart: 200ms, 5s.")
    ] = None,
    work: WorkOption = False,
    wait: WaitOption = False,
    as_json: AsJson = False,
) -> None:
    """Try dead letters again from the stage that failed.

    Their history stays. What was paid for is not paid again. With --work or --wait the exit status is that of these
    letters: 0 when all went through, 3 when some died again, 1 when some did not come to an end.
    """
    from embedmill.shared.db.dead_letters import Filter

    if rate is not None and stagger is not None:
        raise typer.BadParameter("give either --rate or --stagger")
    wanted = Filter(ids or None, job, collection, stage, error_class, fingerprint, older_than, newer_than)
    _require_selection(wanted, all_=all_)
    pace = rate or (1 / stagger if stagger else None)
    raise typer.Exit(replay_matching(wanted, dry_run=dry_run, rate=pace, work=work, wait=wait, as_json=as_json))


@app.command()
def replays(
    batch: Annotated[int | None, typer.Argument(metavar="ID", help="Only this one.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most rows.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List replays and what became of their letters."""
    from embedmill.console.services.dead_letters import list_batches, print_batches

    found = list_batches(batch, limit=limit)
    if as_json:
        print_json({"replays": found})
    else:
        print_batches(found)


@app.command()
def discard(
    reason: Annotated[str, typer.Option("--reason", help="Why; it is kept.")],
    ids: NamedIds = [],  # noqa: B006
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
    """Give up dead letters or unreadable messages."""
    from embedmill.console.services.dead_letters import discard as run
    from embedmill.console.services.dead_letters import print_refusals
    from embedmill.shared.db.dead_letters import Filter

    letters, messages = _split_ids(ids)
    wanted = Filter(letters or None, job, collection, stage, error_class, fingerprint, older_than, newer_than)
    only_messages = bool(messages) and wanted == Filter() and not all_
    if not only_messages:
        _require_selection(wanted, all_=all_)
    report = run(None if only_messages else wanted, messages, reason=reason)
    if as_json:
        print_json(report)
    else:
        print_line(f"{report['discarded']} discarded")
        print_refusals(report["refused"])


@app.command()
def export(
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write; - is stdout.")] = Path("-"),
    job: JobOption = None,
    collection: CollectionOption = None,
    stage: StageOption = None,
    error_class: ClassOption = None,
    fingerprint: FingerprintOption = None,
    older_than: OlderOption = None,
    newer_than: NewerOption = None,
    resolved: ResolvedOption = False,
    as_json: AsJson = False,
) -> None:
    """Write dead letters as JSONL, in full.

    All that `dlq show` says. Unreadable messages are written too, unless a filter is given.
    """
    import sys
    from contextlib import ExitStack

    from embedmill.console.cli.session import opened
    from embedmill.console.services.dead_letters import export_lines
    from embedmill.shared.db.dead_letters import Filter

    wanted = Filter(None, job, collection, stage, error_class, fingerprint, older_than, newer_than, resolved)
    with opened() as runtime, ExitStack() as stack:
        is_stdout = str(output) == "-"
        stream: Any = sys.stdout.buffer if is_stdout else stack.enter_context(output.open("wb"))
        count = 0
        for line in export_lines(runtime, wanted, with_messages=wanted == Filter(resolved=resolved)):
            stream.write(json_line(line))
            count += 1
        stream.flush()
    if not is_stdout and as_json:
        print_json({"exported": count})
    elif not is_stdout:
        print_line(f"{count} exported to {output}")


def replay_matching(
    wanted: "Filter", *, dry_run: bool, rate: float | None, work: bool, wait: bool, as_json: bool
) -> int:
    """Replay or only preview what matches; returns the exit status."""
    from embedmill.console.services.dead_letters import preview, print_preview
    from embedmill.console.services.dead_letters import replay as run

    if not dry_run:
        return run(wanted, rate=rate, work=work, wait=wait, as_json=as_json)
    found = preview(wanted)
    if as_json:
        print_json(found)
    else:
        print_preview(found)
    return DONE


def _require_selection(wanted: "Filter", *, all_: bool) -> None:
    from embedmill.shared.db.dead_letters import Filter

    if wanted == Filter() and not all_:
        raise typer.BadParameter("say which dead letters: numbers, a filter, or --all")


def _split_ids(ids: list[str]) -> tuple[list[int], list[int]]:
    """(dead letters, unreadable messages) of `12` and `m3`."""
    wrong = [id_ for id_ in ids if not id_.removeprefix("m").isdecimal()]
    if wrong:
        raise typer.BadParameter(f"{wrong[0]!r}: write a dead letter as 12, an unreadable message as m3")
    letters = [int(id_) for id_ in ids if not id_.startswith("m")]
    return letters, [int(id_[1:]) for id_ in ids if id_.startswith("m")]
