"""`embedmill cache`: show, prune, clear."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from embedmill.console.cli.options import AsJson
from embedmill.console.cli.output import print_line, print_result, print_table
from embedmill.console.cli.typed import duration
from embedmill.console.dollars import format_usd
from embedmill.console.rendering import to_json
from embedmill.shared.durations import format_duration

if TYPE_CHECKING:
    from embedmill.console.services.caches import CachedKind, CacheReport, Forgotten

app = typer.Typer(no_args_is_help=True, help="Look at kept vectors and answers; let some go.")


MEBIBYTE = 1024 * 1024


@app.command()
def show(as_json: AsJson = False) -> None:
    """Show what caches hold and what they saved.

    Entries, hits, misses, and the tokens and dollars that were not paid again.
    """
    from embedmill.console.cli.session import opened_to_read
    from embedmill.console.services import caches

    with opened_to_read() as runtime:
        report = caches.show_caches(runtime)
    print_result(report, _print_report, as_json=as_json)


@app.command()
def prune(
    unused: Annotated[
        str | None, typer.Option(help="Forget what was not used for so long, as 30d, instead of the settings' times.")
    ] = None,
    max_mb: Annotated[
        int | None, typer.Option("--max-mb", min=1, help="Room for vectors in MiB, instead of EMBEDMILL_CACHE_MAX_MB.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Forget now what the settings let go.

    What unfinished work may need stays, and so does what was used in the last hour.
    """
    from embedmill.console.cli.session import interruptible, opened
    from embedmill.console.services import caches

    seconds = None if unused is None else duration(unused)
    with opened() as runtime, interruptible():
        done = caches.prune_caches(runtime, unused_seconds=seconds, max_mb=max_mb)
    print_result(done, _print_forgotten, as_json=as_json)


@app.command()
def clear(as_json: AsJson = False) -> None:
    """Forget all that was answered about queries.

    Results, answers, grades and sub-queries go; vectors and verdicts on documents stay.
    """
    from embedmill.console.cli.session import interruptible, opened
    from embedmill.console.services import caches

    with opened() as runtime, interruptible():
        done = caches.clear_answers(runtime)
    print_result(done, _print_forgotten, as_json=as_json)


def _print_report(report: "CacheReport") -> None:
    limit = f" of {report.max_bytes // MEBIBYTE} MiB" if report.max_bytes else ""
    print_line(f"vectors are in: {report.home}, {report.bytes / MEBIBYTE:.1f} MiB{limit}")
    columns = ("kind", "entries", "mib", "kept_for", "hits", "misses", "saved_tokens", "saved_usd", "evicted")
    print_table([_row(name, kind) for name, kind in report.kinds.items()], columns, empty="")
    if report.damaged:
        print_line(f"{report.damaged} entries were damaged: they were dropped, and are made anew when they are needed")


def _row(name: str, kind: "CachedKind") -> dict[str, Any]:
    return {
        **to_json(kind),
        "kind": name,
        "mib": kind.bytes / MEBIBYTE,
        "kept_for": "" if kind.keep_minutes is None else format_duration(60 * kind.keep_minutes),
        "saved_usd": format_usd(kind.saved_usd, sign=""),
        "evicted": kind.evicted.entries,
    }


def _print_forgotten(done: "Forgotten") -> None:
    for kind, size in done.evicted.items():
        print_line(f"{kind}: {size.entries} entries forgotten, {size.bytes / MEBIBYTE:.1f} MiB")
    if not done.evicted:
        print_line("nothing to forget")
