"""`embedmill cache`: show, prune."""

from typing import Annotated

import typer

from embedmill.console.cli.output import print_json

app = typer.Typer(no_args_is_help=True, help="Look at kept vectors and verdicts; let some go.")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]


@app.command()
def show(as_json: AsJson = False) -> None:
    """Show what caches hold and what they saved.

    Entries, hits, misses, and the tokens and dollars that were not paid again.
    """
    from embedmill.console.services.caches import print_show
    from embedmill.console.services.caches import show as run

    report = run()
    if as_json:
        print_json(report)
    else:
        print_show(report)


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
    from embedmill.console.services.caches import print_pruned
    from embedmill.console.services.caches import prune as run

    report = run(unused_seconds=None if unused is None else _seconds(unused), max_mb=max_mb)
    if as_json:
        print_json(report)
    else:
        print_pruned(report)


def _seconds(span: str) -> float:
    from embedmill.console.durations import parse_duration

    try:
        return parse_duration(span)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
