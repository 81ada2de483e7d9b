"""`embedmill documents`: list, show, delete."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from embedmill.console.cli.output import DONE, confirm, print_json, print_line
from embedmill.shared.states import DocumentState

app = typer.Typer(no_args_is_help=True, help="See what became of documents; take them out.")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
CollectionOption = Annotated[str | None, typer.Option("--collection", "-c", help="Only of this collection.")]


@app.command("list")
def list_(
    collection: CollectionOption = None,
    state: Annotated[DocumentState | None, typer.Option(help="Only documents in this state.")] = None,
    source: Annotated[str | None, typer.Option(help="Only what this source claims; its number or URI.")] = None,
    job: Annotated[int | None, typer.Option(help="Only what this job worked on.")] = None,
    uri: Annotated[str | None, typer.Option(metavar="GLOB", help="Only URIs, or paths, that match.")] = None,
    noted: Annotated[bool, typer.Option("--noted", help="Only what was read in part or by a guess.")] = False,
    stale: Annotated[bool, typer.Option("--stale", help="Only what was made under other settings.")] = False,
    metadata: Annotated[
        list[str], typer.Option(metavar="NAME=VALUE", help="Only with this metadata; may be repeated.")
    ] = [],  # noqa: B006 - typer copies defaults
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most documents.")] = 100,
    after: Annotated[str | None, typer.Option(metavar="CURSOR", help="Where the page before ended.")] = None,
    as_json: AsJson = False,
) -> None:
    """List documents with their state, a page at a time."""
    from embedmill.console.cli.session import opened
    from embedmill.console.services.documents import Asked, list_matching, print_list

    asked = Asked(collection, state, source, job, uri, noted, stale, tuple(metadata))
    with opened() as runtime:
        found = list_matching(runtime, asked, limit=limit, after=after)
    if as_json:
        print_json(found)
    else:
        print_list(found)


@app.command()
def show(
    document: Annotated[str, typer.Argument(metavar="URI|ID", help="A document's URI, path or id.")],
    collection: CollectionOption = None,
    as_json: AsJson = False,
) -> None:
    """Show what became of one document.

    State, versions, sources that claim it, attempts, chunks with verdicts, notes, cost and times.
    """
    from embedmill.console.cli.session import opened
    from embedmill.console.services.documents import print_document
    from embedmill.console.services.documents import show as explain

    with opened() as runtime:
        found = explain(runtime, document, collection=collection)
    if as_json:
        print_json(found)
    else:
        print_document(found)


@app.command()
def delete(
    documents: Annotated[list[str], typer.Argument(metavar="URI|ID", help="URIs, paths or ids.")] = [],  # noqa: B006
    where: Annotated[
        list[str], typer.Option(metavar="NAME=VALUE", help="Instead, by state, source, job, uri, noted, metadata.NAME.")
    ] = [],  # noqa: B006
    collection: CollectionOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take documents out of the index.

    They leave every store and shard, through the queue. A source that still holds one brings it back when it is read
    again.
    """
    from embedmill.console.cli.session import opened
    from embedmill.console.services.documents import ask_where, choose, delete, preview, print_preview, warn_of_returns

    with opened() as runtime:
        wanted = choose(runtime, documents, ask_where(where, collection=collection))
        found = preview(runtime, wanted)
        if dry_run:
            _tell(found, as_json=as_json, people=print_preview)
            return
        count = found["would_delete"]
        if count and not yes and not confirm(f"delete {count} {'document' if count == 1 else 'documents'}?"):
            _tell({"deleted": 0, "declined": True}, as_json=as_json, people=lambda _: print_line("nothing was deleted"))
            return
        done, status = delete(runtime, wanted, quiet=as_json) if count else ({"deleted": 0, "jobs": []}, DONE)
    report = done | {"claimed_by": found["claimed_by"]}
    _tell(report, as_json=as_json, people=lambda _: print_line(f"documents deleted: {report['deleted']}"))
    if not as_json:
        warn_of_returns(report)
    raise typer.Exit(status)


def _tell(report: dict[str, Any], *, as_json: bool, people: Callable[[dict[str, Any]], None]) -> None:
    if as_json:
        print_json(report)
    else:
        people(report)
