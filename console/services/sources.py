"""`embedmill sources`: which sources claim documents, reading one again, and closing one."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from embedmill.console.cli.output import print_line, print_table
from embedmill.console.cli.session import opened
from embedmill.console.durations import format_time
from embedmill.console.listening import NOBODY, Listener
from embedmill.console.services.documents import finish_departures, spellings
from embedmill.console.services.jobs import JobReport
from embedmill.console.services.submitting import JobOptions, SubmittedJob, submit
from embedmill.console.services.working import ingest
from embedmill.shared.db import sources
from embedmill.shared.db.sources import Known
from embedmill.shared.runtime import Runtime

if TYPE_CHECKING:
    from embedmill.producers.sources.base import Source


def list_known(collection: str | None, *, limit: int, after: int) -> dict[str, Any]:
    """`{"sources": [...]}`, in the order in which they were first named."""
    with opened() as runtime:
        found = runtime.database.query(
            lambda connection: sources.list_sources(connection, collection_name=collection, limit=limit, after=after)
        )
    return {"sources": [describe(known) for known in found]}


def describe(known: Known) -> dict[str, Any]:
    """A source as `--json` shows it; `options` are how it is read."""
    options = {name: value for name, value in known.spec.items() if name not in ("kind", "uri")}
    return {
        "id": known.id,
        "uri": known.uri,
        "kind": known.spec.get("kind"),
        "options": options,
        "collection": known.collection,
        "documents": known.documents,
        "scanned": format_time(known.scanned_at) if known.scanned_at else None,
        "state": known.state,
    }


def print_list(rows: Sequence[Mapping[str, Any]]) -> None:
    """Sources for people."""
    shown = [{**row, "scanned": row["scanned"] or "never to its end", "read with": _in_short(row)} for row in rows]
    columns = ["id", "kind", "state", "documents", "scanned", "collection", "uri", "read with"]
    if not any(row["read with"] for row in shown):
        columns.pop()
    print_table(shown, columns, empty="no sources: embedmill ingest FOLDER")


def _in_short(row: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={_option(value)}" for name, value in row["options"].items() if value)


def _option(value: Any) -> str:
    """An option's value as it was typed: of names of fields, those that are not their own."""
    match value:
        case Mapping():
            return ",".join(f"{name}:{column}" for name, column in value.items() if column and name != column) or "rows"
        case list():
            return ",".join(map(str, value))
        case _:
            return str(value)


def find(runtime: Runtime, name: str, *, collection: str | None) -> Known:
    """The source by number, URI or path; raises NotFound, UserError."""
    return runtime.database.query(
        lambda connection: sources.find_source(connection, spellings(name), collection_name=collection)
    )


def show(name: str, *, collection: str | None) -> dict[str, Any]:
    """One source, with how many documents would leave if it were closed."""
    from embedmill.producers.departing import preview_closing

    with opened() as runtime:
        found = find(runtime, name, collection=collection)
        return describe(found) | {"only_here": preview_closing(runtime, found.id)}


def print_source(found: Mapping[str, Any]) -> None:
    """One source for people."""
    print_line(f"source {found['id']}: {found['uri']} ({found['kind']}, {found['state']})")
    print_line(f"  collection {found['collection']}, last read to its end: {found['scanned'] or 'never'}")
    print_line(f"  claims {found['documents']} documents, {found['only_here']} of them alone")
    if options := _in_short(found):
        print_line(f"  read with {options}")


def rescan(runtime: Runtime, found: Known, *, allow_deletes: bool, listener: Listener = NOBODY) -> JobReport:
    """Read a source again, as it was read before, and work here until that is done."""
    options = JobOptions(allow_deletes=allow_deletes)
    return ingest(runtime, _open(found), collection=found.collection, options=options, listener=listener)


def submit_rescan(runtime: Runtime, found: Known, *, allow_deletes: bool, listener: Listener = NOBODY) -> SubmittedJob:
    """The same, with the work left to workers."""
    options = JobOptions(allow_deletes=allow_deletes)
    return submit(runtime, _open(found), collection=found.collection, options=options, listener=listener)


def _open(found: Known) -> "list[Source]":
    from embedmill.producers.sources.open import source_from_spec

    return [source_from_spec(dict(found.spec))]


def remove(runtime: Runtime, found: Known, *, quiet: bool) -> tuple[dict[str, Any], int]:
    """Close a source; what nobody else claims leaves. Returns the report and the exit status."""
    from embedmill.producers.departing import close_source

    departed = close_source(runtime, found.id)
    done, status = finish_departures(runtime, [departed.job_id] if departed.job_id is not None else [], quiet=quiet)
    return {"removed": describe(find(runtime, str(found.id), collection=None)), **done}, status
