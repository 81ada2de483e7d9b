"""`embedmill sources`: list, show, rescan, remove."""

from typing import Annotated

import typer

from embedmill.console.cli.output import DONE, FAILED, confirm, print_json, print_line

app = typer.Typer(no_args_is_help=True, help="See what claims documents; read it again, close it.")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
CollectionOption = Annotated[str | None, typer.Option("--collection", "-c", help="Only of this collection.")]
SourceArgument = Annotated[str, typer.Argument(metavar="ID|URI", help="A source's number, URI or path.")]


@app.command("list")
def list_(
    collection: CollectionOption = None,
    limit: Annotated[int, typer.Option(min=1, help="Most sources.")] = 100,
    after: Annotated[int, typer.Option(help="Only sources with a higher number.")] = 0,
    as_json: AsJson = False,
) -> None:
    """List sources with the documents that they claim."""
    from embedmill.console.services.sources import list_known, print_list

    found = list_known(collection, limit=limit, after=after)
    if as_json:
        print_json(found)
        return
    print_list(found["sources"])
    if len(found["sources"]) == limit:
        print_line(f"the next ones: --after {found['sources'][-1]['id']}")


@app.command()
def show(source: SourceArgument, collection: CollectionOption = None, as_json: AsJson = False) -> None:
    """Show one source, and what it alone claims."""
    from embedmill.console.services.sources import print_source
    from embedmill.console.services.sources import show as explain

    found = explain(source, collection=collection)
    if as_json:
        print_json(found)
    else:
        print_source(found)


@app.command()
def rescan(
    source: SourceArgument,
    collection: CollectionOption = None,
    submit: Annotated[bool, typer.Option("--submit", help="Leave the work to workers and return.")] = False,
    allow_deletes: Annotated[
        bool, typer.Option("--allow-deletes", help="Remove vanished documents though they are more than a fifth.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Read a source again, as it was read before.

    A source that was closed is opened by it.
    """
    from embedmill.console.cli.reports import exit_status, show_report
    from embedmill.console.cli.session import heard, opened
    from embedmill.console.services import sources

    with opened() as runtime:
        known = sources.find(runtime, source, collection=collection)
        with heard(quiet=as_json) as listener:
            if submit:
                submitted = sources.submit_rescan(runtime, known, allow_deletes=allow_deletes, listener=listener)
            else:
                report = sources.rescan(runtime, known, allow_deletes=allow_deletes, listener=listener)
        if not submit:
            show_report(runtime, report, as_json=as_json)
            raise typer.Exit(exit_status(report))
    if as_json:
        print_json(submitted)
    else:
        print_line(f"job {submitted.job}: {submitted.documents} documents; embedmill jobs show {submitted.job}")
    raise typer.Exit(FAILED if submitted.problems else DONE)


@app.command()
def remove(
    source: SourceArgument,
    collection: CollectionOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Close a source.

    What nobody else claims leaves the index.
    """
    from embedmill.console.cli.session import opened
    from embedmill.console.services.sources import describe, find
    from embedmill.console.services.sources import remove as close
    from embedmill.producers.departing import preview_closing

    with opened() as runtime:
        found = find(runtime, source, collection=collection)
        count = preview_closing(runtime, found.id)
        told = f"{found.uri}: documents that it claims: {found.documents}; that would leave with it: {count}"
        if dry_run:
            _tell({"source": describe(found), "deleted": 0, "would_delete": count}, told, as_json=as_json)
            return
        if not yes and not confirm(f"{told}. Remove it?"):
            _tell({"removed": None, "deleted": 0, "declined": True}, "nothing was removed", as_json=as_json)
            return
        report, status = close(runtime, found, quiet=as_json)
    _tell(report, f"{found.uri} is closed; documents that left the index: {report['deleted']}", as_json=as_json)
    raise typer.Exit(status)


def _tell(report: dict[str, object], line: str, *, as_json: bool) -> None:
    if as_json:
        print_json(report)
    else:
        print_line(line)
