"""`embedmill documents`: list, show, delete."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from embedmill.console.cli.options import AsJson
from embedmill.console.cli.output import confirm, print_json, print_line, print_result, print_table, print_warning
from embedmill.console.rendering import to_json
from embedmill.shared.states import DocumentState

if TYPE_CHECKING:
    from embedmill.console.services.deleting import DeletedDocuments, DeletionPreview
    from embedmill.console.services.document_reports import DocumentReport
    from embedmill.console.services.documents import DocumentPage, DocumentQuery

app = typer.Typer(no_args_is_help=True, help="See what became of documents; take them out.")

CollectionOption = Annotated[str | None, typer.Option("--collection", "-c", help="Only of this collection.")]

CONDITIONS = ("state", "source", "job", "uri", "noted", "stale", "metadata.NAME")
SHOWN = 20


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
    from embedmill.console.cli.session import opened_to_read
    from embedmill.console.services import documents

    named = dict(_read_metadata(entry) for entry in metadata)
    query = documents.DocumentQuery(collection, state, source, job, uri, noted, stale, named)
    with opened_to_read() as runtime:
        found = documents.list_documents(runtime, query, limit=limit, after=after)
    print_result(found, _print_page, as_json=as_json)


@app.command()
def show(
    document: Annotated[str, typer.Argument(metavar="URI|ID", help="A document's URI, path or id.")],
    collection: CollectionOption = None,
    as_json: AsJson = False,
) -> None:
    """Show what became of one document.

    State, versions, sources that claim it, attempts, chunks with verdicts, notes, cost and times.
    """
    from embedmill.console.cli.session import opened_to_read
    from embedmill.console.services import document_reports

    with opened_to_read() as runtime:
        found = document_reports.show_document(runtime, document, collection=collection)
    print_result(found, _print_document, as_json=as_json)


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
    from embedmill.console.cli.reports import worst_status
    from embedmill.console.cli.session import heard, opened, opened_to_work
    from embedmill.console.services.deleting import delete_documents, preview_deletion

    query = read_where(where, collection=collection)
    with opened() if dry_run else opened_to_work() as runtime:
        found = preview_deletion(runtime, documents, query)
        count = found.would_delete
        if dry_run:
            print_result(found, _print_preview, as_json=as_json)
            return
        if not as_json:
            print_spelled(found.spelled)
        if count and not yes and not confirm(f"delete {count} {'document' if count == 1 else 'documents'}?"):
            _decline(as_json=as_json)
            return
        with heard(quiet=as_json) as listener:
            done = delete_documents(runtime, documents, query, listener=listener)
        status = worst_status(runtime, done.jobs)
    print_result(done, _print_deleted, as_json=as_json)
    raise typer.Exit(status)


def _decline(*, as_json: bool) -> None:
    if as_json:
        print_json({"deleted": 0, "declined": True})
    else:
        print_line("nothing was deleted")


def read_where(conditions: Iterable[str], *, collection: str | None) -> "DocumentQuery":
    """What `--where NAME=VALUE` asks for."""
    from embedmill.console.services.documents import DocumentQuery

    values: dict[str, Any] = {}
    metadata: dict[str, str] = {}
    for condition in conditions:
        name, _, value = condition.partition("=")
        if name.startswith("metadata.") and name != "metadata." and value:
            metadata[name.removeprefix("metadata.")] = value
        elif name in ("noted", "stale") and value in ("", "true"):
            values[name] = True
        elif name in ("state", "source", "job", "uri") and value:
            values[name] = _read_condition(name, value)
        else:
            raise typer.BadParameter(f"--where {condition!r}: write one of {', '.join(CONDITIONS)}, as state=dead")
    return DocumentQuery(collection, **values, metadata=metadata)


def _read_condition(name: str, value: str) -> Any:
    try:
        return DocumentState(value) if name == "state" else int(value) if name == "job" else value
    except ValueError:
        known = f"one of {', '.join(DocumentState)}" if name == "state" else "a number"
        raise typer.BadParameter(f"--where {name}={value}: write {known}") from None


def _read_metadata(entry: str) -> tuple[str, str]:
    name, equals, value = entry.partition("=")
    if not name or not equals:
        raise typer.BadParameter(f"--metadata {entry!r}: write NAME=VALUE")
    return name, value


def _print_page(found: "DocumentPage") -> None:
    """A page; a document that was read in part has its first note."""
    rows = [{**to_json(document), "notes": _in_short(document.notes)} for document in found.documents]
    columns = ["state", "chunks", "updated", "uri", "notes"]
    if not any(row["notes"] for row in rows):
        columns.remove("notes")
    if len({document.collection for document in found.documents}) > 1:
        columns.insert(0, "collection")
    print_table(rows, columns, empty="no documents")
    if found.next:
        print_line(f"the next ones: --after {found.next}")


def _in_short(notes: Sequence[str]) -> str:
    more = f" (and {len(notes) - 1} more)" if len(notes) > 1 else ""
    return f"{notes[0]}{more}" if notes else ""


def _print_document(found: "DocumentReport") -> None:
    from embedmill.console.cli.reports import describe_counts

    chunks, spend = found.chunks, found.spend
    print_line(f"{found.uri}: {found.state}: {found.means}")
    print_line(f"  id {found.id}, collection {found.collection}, last changed {to_json(found.updated)}")
    if found.title:
        print_line(f"  title: {found.title}")
    print_line(f"  chunks: {chunks.indexed} indexed, {chunks.rejected} rejected, {chunks.expected} in all")
    print_line(f"  claimed by {', '.join(found.sources) or 'no source'}")
    if found.stale:
        print_line("  stale: the settings of its collection have changed; the next ingest makes it anew")
    if found.last_error:
        print_line(f"  error: {found.last_error}")
    if found.redactions:
        print_line(f"  hidden: {describe_counts(found.redactions)}")
    for note in found.notes:
        print_warning(f"read in part or by a guess: {note}")
    print_line(f"  cost: ${spend.usd:.6f}, {spend.tokens_in:g} tokens in, {spend.tokens_out:g} out")
    _print_history(found)


def _print_history(found: "DocumentReport") -> None:
    print_line("versions:")
    rows = [{**to_json(version), "seen": "yes" if version.active else ""} for version in found.versions]
    print_table(rows, ("version", "job", "state", "result", "chunks", "seen", "created"), empty="none")
    print_line("time by stage:")
    print_table(found.stages, ("stage", "seconds", "attempts"), empty="none")
    failed = [attempt for attempt in found.attempts if attempt.outcome not in ("ok", "returned")]
    if failed:
        print_line("attempts that did not succeed:")
        print_table(failed[:SHOWN], ("stage", "attempt", "outcome", "error_class", "error", "started"), empty="")
    rejected = [verdict for verdict in found.verdicts or [] if verdict.verdict == "rejected"]
    if rejected:
        print_line("rejected chunks:")
        print_table(rejected[:SHOWN], ("chunk", "start", "end", "reason"), empty="")


def _print_preview(found: "DeletionPreview") -> None:
    print_line(f"documents that would be deleted: {found.would_delete}")
    for uri in found.examples:
        print_line(f"  {uri}")
    if found.would_delete > len(found.examples):
        print_line(f"  … and {found.would_delete - len(found.examples)} more")
    print_spelled(found.spelled)
    _warn_of_returns(found.claimed_by)


def print_spelled(spelled: Mapping[str, str]) -> None:
    """Say which documents were taken of those that were named by other spellings."""
    for name, uri in spelled.items():
        print_line(f"{name} is on record as {uri}")


def _print_deleted(done: "DeletedDocuments") -> None:
    print_line(f"documents deleted: {done.deleted}")
    _warn_of_returns(done.claimed_by)


def _warn_of_returns(claimed_by: Sequence[str]) -> None:
    """A source that still holds a document names it again when it is read."""
    if claimed_by:
        some = ", ".join(claimed_by[:3]) + (", …" if len(claimed_by) > 3 else "")
        print_warning(f"what {some} still holds comes back when it is ingested again; see embedmill sources remove")
