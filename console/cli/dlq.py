"""`embedmill dlq`: dead letters, by root cause or one by one, replayed or discarded; and unreadable messages."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from embedmill.console.cli.options import AsJson
from embedmill.console.cli.output import DONE, json_line, print_json, print_json_lines, print_line, print_result
from embedmill.console.cli.typed import duration
from embedmill.shared import stages
from embedmill.shared.letters import LetterFilter

if TYPE_CHECKING:
    from embedmill.console.services.dead_letters import ExportedLetter, ExportedMessage

app = typer.Typer(no_args_is_help=True, help="Look at what failed for good; try again or give up.")


def _stage(name: str) -> str:
    if name not in stages.names():
        raise typer.BadParameter(f"{name!r} is not one of {', '.join(stages.names())}")
    return name


Ids = Annotated[list[int], typer.Argument(metavar="ID", help="Dead letters by number.")]
NamedIds = Annotated[
    list[str], typer.Argument(metavar="ID", help="Dead letters by number, unreadable messages as m1, m2, …")
]
JobOption = Annotated[int | None, typer.Option("--job", help="Only of this job.")]
CollectionOption = Annotated[str | None, typer.Option("--collection", "-c", help="Only of this collection.")]
StageOption = Annotated[
    str | None,
    typer.Option("--stage", parser=_stage, metavar=f"<{'|'.join(stages.names())}>", help="Only of this stage."),
]
ClassOption = Annotated[str | None, typer.Option("--error-class", help="Only of this error class.")]
FingerprintOption = Annotated[str | None, typer.Option("--fingerprint", help="Only with this root cause.")]
OlderOption = Annotated[
    float | None,
    typer.Option("--older-than", parser=duration, metavar="AGE", help="Only older than 90, 15m, 2h, 3d."),
]
NewerOption = Annotated[
    float | None,
    typer.Option("--newer-than", parser=duration, metavar="AGE", help="Only newer than 90, 15m, 2h, 3d."),
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
    from embedmill.console.cli.letters import print_causes, print_letters
    from embedmill.console.cli.session import opened_to_read
    from embedmill.console.services import dead_letters

    wanted = LetterFilter(None, job, collection, stage, error_class, fingerprint, older_than, newer_than, resolved)
    with opened_to_read() as runtime:
        found = dead_letters.list_letters(runtime, wanted, limit=limit, before=before)
    print_result(found, print_letters if flat or before is not None else print_causes, as_json=as_json)


@app.command()
def show(
    letter: Annotated[str, typer.Argument(metavar="ID", help="A dead letter's number; m1 for a message.")],
    as_json: AsJson = False,
) -> None:
    """Explain one dead letter, and what to do.

    It says what failed, where, why and how often, and what its document looks like.
    """
    from embedmill.console.cli.letters import print_explanation, print_message
    from embedmill.console.cli.session import opened_to_read
    from embedmill.console.services import dead_letters

    letters, messages = _split_ids([letter])
    with opened_to_read() as runtime:
        if messages:
            print_result(dead_letters.show_message(runtime, messages[0]), print_message, as_json=as_json)
            return
        found = dead_letters.explain_letter(runtime, letters[0])
    print_result(found, print_explanation, as_json=as_json)


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
        float | None,
        typer.Option("--stagger", parser=duration, metavar="TIME", help="Or so long apart: 200ms, 5s."),
    ] = None,
    work: WorkOption = False,
    wait: WaitOption = False,
    as_json: AsJson = False,
) -> None:
    """Try dead letters again from the stage that failed.

    Their history stays. What was paid for is not paid again. With --work or --wait the exit status is that of these
    letters: 0 when all went through, 3 when some died again, 1 when some did not come to an end.
    """
    if rate is not None and stagger is not None:
        raise typer.BadParameter("give either --rate or --stagger")
    wanted = LetterFilter(ids or None, job, collection, stage, error_class, fingerprint, older_than, newer_than)
    _require_selection(wanted, all_=all_)
    if dry_run:
        _preview(wanted, as_json=as_json)
        return
    pace = rate or (1 / stagger if stagger else None)
    raise typer.Exit(send_again(wanted, rate=pace, work=work, wait=wait, as_json=as_json))


@app.command()
def replays(
    batch: Annotated[int | None, typer.Argument(metavar="ID", help="Only this one.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most rows.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List replays and what became of their letters."""
    from embedmill.console.cli.letters import print_replays
    from embedmill.console.cli.session import opened_to_read
    from embedmill.console.services import replaying

    with opened_to_read() as runtime:
        found = replaying.list_replays(runtime, batch, limit=limit)
    print_result(found, print_replays, as_json=as_json)


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
    from embedmill.console.cli.letters import print_discarded, require_any
    from embedmill.console.cli.session import opened
    from embedmill.console.services import dead_letters

    letters, messages = _split_ids(ids)
    wanted = LetterFilter(letters or None, job, collection, stage, error_class, fingerprint, older_than, newer_than)
    only_messages = bool(messages) and wanted.is_everything and not all_
    if not only_messages:
        _require_selection(wanted, all_=all_)
    chosen = None if only_messages else wanted
    with opened() as runtime:
        done = dead_letters.discard_letters(runtime, chosen, messages=messages, reason=reason)
    print_result(done, print_discarded, as_json=as_json)
    require_any(wanted, done.discarded, done.refused)


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
    from embedmill.console.cli.session import opened_to_read
    from embedmill.console.services import dead_letters

    wanted = LetterFilter(None, job, collection, stage, error_class, fingerprint, older_than, newer_than, resolved)
    with opened_to_read(takes_long=True) as runtime:
        lines = dead_letters.export_letters(runtime, wanted)
        if str(output) == "-":
            print_json_lines(lines)
            return
        count = _write_lines(lines, output)
    if as_json:
        print_json({"exported": count})
    else:
        print_line(f"{count} exported to {output}")


def _write_lines(lines: "Iterable[ExportedLetter | ExportedMessage]", output: Path) -> int:
    with output.open("wb") as stream:
        return sum(1 for line in lines if stream.write(json_line(line)))


def _preview(wanted: LetterFilter, *, as_json: bool) -> None:
    from embedmill.console.cli.letters import print_preview, require_any
    from embedmill.console.cli.session import opened
    from embedmill.console.services import replaying

    with opened() as runtime:
        found = replaying.preview_replay(runtime, wanted)
    print_result(found, print_preview, as_json=as_json)
    require_any(wanted, found.would_replay, found.refused)


def send_again(wanted: LetterFilter, *, rate: float | None, work: bool, wait: bool, as_json: bool) -> int:
    """Replay what matches; returns the exit status: what became of these letters, whatever else their jobs hold."""
    from embedmill.console.cli.letters import print_replayed, replay_status, require_any
    from embedmill.console.cli.session import heard, opened, opened_to_work
    from embedmill.console.services import replaying

    is_awaited = work or wait
    with opened_to_work() if work else opened() as runtime, heard(quiet=as_json) as listener:
        done = replaying.replay_letters(runtime, wanted, rate=rate, work=work, wait=wait, listener=listener)
    print_result(done, lambda done: print_replayed(done, rate=rate, is_awaited=is_awaited), as_json=as_json)
    require_any(wanted, done.replayed, done.refused)
    return replay_status(done.outcomes) if is_awaited else DONE


def _require_selection(wanted: LetterFilter, *, all_: bool) -> None:
    if wanted.is_everything and not all_:
        raise typer.BadParameter("say which dead letters: numbers, a filter, or --all")


def _split_ids(ids: list[str]) -> tuple[list[int], list[int]]:
    """(dead letters, unreadable messages) of `12` and `m3`."""
    wrong = [id_ for id_ in ids if not id_.removeprefix("m").isdecimal()]
    if wrong:
        raise typer.BadParameter(f"{wrong[0]!r}: write a dead letter as 12, an unreadable message as m3")
    letters = [int(id_) for id_ in ids if not id_.startswith("m")]
    return letters, [int(id_[1:]) for id_ in ids if id_.startswith("m")]
