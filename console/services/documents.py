"""`embedmill documents`: what is in a collection, what became of one document, and taking documents out."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes

from embedmill.console.cli.output import DONE, print_line, print_table, print_warning
from embedmill.console.cli.reports import exit_status
from embedmill.console.cli.session import heard
from embedmill.console.durations import format_time
from embedmill.console.services.jobs import describe_job
from embedmill.console.services.working import work_on_job
from embedmill.shared.db import catalogue, histories, sources
from embedmill.shared.db.catalogue import MEANINGS, Listed, Wanted
from embedmill.shared.db.collections import get_collection
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.jobs import get_job
from embedmill.shared.errors import BlobMissing, UsageError
from embedmill.shared.globs import Glob
from embedmill.shared.notes import split_notes
from embedmill.shared.runtime import Runtime
from embedmill.shared.states import DocumentState
from embedmill.shared.uris import SCHEME, path_to_uri

SHOWN_CHUNKS = 100
SHOWN = 20
PAGE = 2000

_HAS_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_CONDITIONS = ("state", "source", "job", "uri", "noted", "stale", "metadata.NAME")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a user asked for, as it was written; a source by number or URI, metadata as `NAME=VALUE`."""

    collection: str | None = None
    state: DocumentState | None = None
    source: str | None = None
    job: int | None = None
    uri: str | None = None
    noted: bool = False
    stale: bool = False
    metadata: tuple[str, ...] = ()

    @property
    def is_everything(self) -> bool:
        """Whether nothing narrows it, but perhaps the collection."""
        return self == Asked(self.collection)


def ask_where(conditions: Iterable[str], *, collection: str | None) -> Asked:
    """What `--where NAME=VALUE` asks for; raises UsageError."""
    values: dict[str, Any] = {}
    metadata: list[str] = []
    for condition in conditions:
        name, _, value = condition.partition("=")
        if name.startswith("metadata.") and name != "metadata." and value:
            metadata.append(f"{name.removeprefix('metadata.')}={value}")
        elif name in ("noted", "stale") and value in ("", "true"):
            values[name] = True
        elif name in ("state", "source", "job", "uri") and value:
            values[name] = _read_condition(name, value)
        else:
            raise UsageError(f"--where {condition!r}: write one of {', '.join(_CONDITIONS)}, as state=dead")
    return Asked(collection, **values, metadata=tuple(metadata))


def _read_condition(name: str, value: str) -> Any:
    try:
        return DocumentState(value) if name == "state" else int(value) if name == "job" else value
    except ValueError:
        known = f"one of {', '.join(DocumentState)}" if name == "state" else "a number"
        raise UsageError(f"--where {name}={value}: write {known}") from None


def want(runtime: Runtime, connection: Connection, asked: Asked) -> Wanted:
    """The same for the database; raises NotFound for a collection or a source that there is not, UsageError."""
    if asked.collection is not None:
        get_collection(connection, asked.collection)
    source = None
    if asked.source is not None:
        source = sources.find_source(connection, spellings(asked.source), collection_name=asked.collection).id
    return Wanted(
        collection=asked.collection,
        state=asked.state,
        source=source,
        job=asked.job,
        uri=Glob(_in_uris(asked.uri)) if asked.uri is not None else None,
        noted=asked.noted,
        fresh=runtime.fingerprint if asked.stale else None,
        metadata=dict(_pair(entry) for entry in asked.metadata),
    )


def _pair(entry: str) -> tuple[str, str]:
    name, equals, value = entry.partition("=")
    if not name or not equals:
        raise UsageError(f"--metadata {entry!r}: write NAME=VALUE")
    return name, value


def _in_uris(glob: str) -> str:
    """A glob over paths as one over URIs; what begins like neither is left as it is."""
    if not glob.startswith(("/", "./", "../", "~/")):
        return glob
    path = os.path.abspath(os.path.expanduser(glob))
    return SCHEME + quote_from_bytes(os.fsencode(path), safe="/*?[]!")


def spellings(name: str) -> list[str]:
    """What a user may mean: an id or a URI as it stands, or the file by that path, through links or not."""
    if _HAS_SCHEME.match(name):
        return [name]
    path = Path(name).expanduser()
    try:
        files = [path_to_uri(os.fsencode(os.path.abspath(path))), path_to_uri(os.fsencode(os.path.realpath(path)))]
    except (OSError, ValueError):
        return [name]
    return list(dict.fromkeys([name, *files]))


def list_matching(runtime: Runtime, asked: Asked, *, limit: int, after: str | None) -> dict[str, Any]:
    """`{"documents": [...], "next"}`; `next` is what `--after` takes, null at the end. Raises NotFound."""

    def find(connection: Connection) -> dict[str, Any]:
        if asked.job is not None:
            get_job(connection, asked.job)
        page = catalogue.list_documents(connection, want(runtime, connection, asked), limit=limit, after=after)
        claims = sources.find_claims(connection, [listed.id for listed in page.documents])
        rows = [_describe(listed, claims.get(listed.id, [])) for listed in page.documents]
        return {"documents": rows, "next": page.next}

    return runtime.database.query(find)


def _describe(listed: Listed, claims: Sequence[str]) -> dict[str, Any]:
    return {
        "id": listed.id,
        "uri": listed.uri,
        "title": listed.title,
        "collection": listed.collection,
        "state": str(listed.state),
        "notes": listed.notes,
        "chunks": listed.chunks,
        "sources": list(claims),
        "version": listed.version,
        "job": listed.job,
        "updated": format_time(listed.updated_at),
    }


def print_list(found: Mapping[str, Any]) -> None:
    """The page for people; a document that was read in part has its first note."""
    rows = [{**row, "notes": _in_short(row["notes"])} for row in found["documents"]]
    columns = ["state", "chunks", "updated", "uri", "notes"]
    if not any(row["notes"] for row in rows):
        columns.remove("notes")
    if len({row["collection"] for row in rows}) > 1:
        columns.insert(0, "collection")
    print_table(rows, columns, empty="no documents")
    if found["next"]:
        print_line(f"the next ones: --after {found['next']}")


def _in_short(notes: Sequence[str]) -> str:
    more = f" (and {len(notes) - 1} more)" if len(notes) > 1 else ""
    return f"{notes[0]}{more}" if notes else ""


def show(runtime: Runtime, name: str, *, collection: str | None) -> dict[str, Any]:
    """Everything about one document, by id, URI or path; raises NotFound, UserError."""

    def find(connection: Connection) -> tuple[dict[str, Any], Any]:
        row, place = histories.find_document(connection, spellings(name), collection=collection)
        return _explain(runtime, connection, row, place), row

    found, row = runtime.database.query(find)
    return found | {"verdicts": _read_verdicts(runtime, row)}


def _explain(runtime: Runtime, connection: Connection, row: Any, place: str) -> dict[str, Any]:
    newest = catalogue.find_newest_work(connection, [row.id]).get(row.id)
    state = catalogue.state_of(row, newest)
    history = histories.read_history(connection, row.id)
    cost = histories.measure_cost(connection, row.id, history)
    fresh = runtime.fingerprint(get_collection(connection, place))
    return {
        "id": row.id,
        "uri": row.uri,
        "title": row.title,
        "collection": place,
        "state": str(state),
        "means": MEANINGS[state],
        "notes": split_notes(row.notes),
        "stale": row.active_version is not None and row.settings_hash != fresh,
        "metadata": _read_metadata(history),
        "sources": sources.find_claims(connection, [row.id]).get(row.id, []),
        "updated": format_time(row.updated_at),
        "version": row.active_version,
        "last_error": histories.last_error(state, history),
        "chunks": {
            "expected": row.chunks_expected,
            "indexed": row.chunks_expected - row.chunks_rejected,
            "rejected": row.chunks_rejected,
        },
        "versions": [_describe_version(work, row) for work in history.work if not work["deletes"]],
        "attempts": [_describe_attempt(attempt) for attempt in history.attempts],
        "letters": [_describe_letter(letter) for letter in history.letters],
        "stages": histories.sum_stages(history),
        "spend": {
            "usd": cost.usd,
            "tokens_in": cost.tokens_in,
            "tokens_out": cost.tokens_out,
            "calls": cost.calls,
        },
    }


def _read_metadata(history: histories.History) -> Mapping[str, Any]:
    newest = next((work for work in history.work if not work["deletes"]), None)
    return (newest["origin"].get("metadata") or {}) if newest else {}


def _describe_version(work: Mapping[str, Any], row: Any) -> dict[str, Any]:
    return {
        "version": work["version"],
        "job": work["job_id"],
        "state": work["state"],
        "result": work["result"],
        "reason": work["reason"],
        "chunks": work["chunks_expected"],
        "active": row.active_version is not None and work["generation"] == row.active_generation,
        "created": format_time(work["created_at"]),
        "finished": format_time(work["finished_at"]) if work["finished_at"] else None,
    }


def _describe_attempt(attempt: Mapping[str, Any]) -> dict[str, Any]:
    names = ("stage", "attempt", "outcome", "error_class", "error", "worker")
    return {
        **{name: attempt[name] for name in names},
        "started": format_time(attempt["started_at"]),
        "seconds": round(attempt["seconds"], 3),
    }


def _describe_letter(letter: Mapping[str, Any]) -> dict[str, Any]:
    names = ("id", "stage", "error_class", "error", "hint", "resolution", "resolution_reason")
    return {name: letter[name] for name in names} | {"created": format_time(letter["created_at"])}


def _read_verdicts(runtime: Runtime, row: Any) -> list[dict[str, Any]] | None:
    """The first chunks with what was decided about each; None when what is stored cannot be read."""
    from embedmill.workers.stored import read_stored

    if row.chunks_ref is None or row.active_version is None:
        return []
    blobs = runtime.blobs.get_pack([ref for ref in (row.chunks_ref, row.rejections_ref) if ref])
    try:
        chunk_set, rejections, repairs = read_stored(row.chunks_ref, row.rejections_ref, blobs)
    except BlobMissing:
        return None
    return [
        {
            "chunk": chunk_set.ids[chunk.ordinal],
            "start": chunk.start,
            "end": chunk.end,
            "tokens": chunk.tokens,
            "section": chunk.section,
            "page": chunk.page,
            "verdict": "rejected" if chunk.ordinal in rejections else "accepted",
            "repaired": chunk.ordinal in repairs,
            "reason": rejections.get(chunk.ordinal),
        }
        for chunk in chunk_set.chunks[:SHOWN_CHUNKS]
    ]


def print_document(found: Mapping[str, Any]) -> None:
    """One document for people."""
    chunks, spend = found["chunks"], found["spend"]
    print_line(f"{found['uri']}: {found['state']}: {found['means']}")
    print_line(f"  id {found['id']}, collection {found['collection']}, last changed {found['updated']}")
    if found["title"]:
        print_line(f"  title: {found['title']}")
    print_line(f"  chunks: {chunks['indexed']} indexed, {chunks['rejected']} rejected, {chunks['expected']} in all")
    print_line(f"  claimed by {', '.join(found['sources']) or 'no source'}")
    if found["stale"]:
        print_line("  stale: the settings of its collection have changed; the next ingest makes it anew")
    if found["last_error"]:
        print_line(f"  error: {found['last_error']}")
    for note in found["notes"]:
        print_warning(f"read in part or by a guess: {note}")
    print_line(f"  cost: ${spend['usd']:.6f}, {spend['tokens_in']:g} tokens in, {spend['tokens_out']:g} out")
    _print_history(found)


def _print_history(found: Mapping[str, Any]) -> None:
    print_line("versions:")
    rows = [{**row, "seen": "yes" if row["active"] else ""} for row in found["versions"]]
    print_table(rows, ("version", "job", "state", "result", "chunks", "seen", "created"), empty="none")
    print_line("time by stage:")
    print_table(found["stages"], ("stage", "seconds", "attempts"), empty="none")
    failed = [row for row in found["attempts"] if row["outcome"] not in ("ok", "returned")]
    if failed:
        print_line("attempts that did not succeed:")
        print_table(failed[:SHOWN], ("stage", "attempt", "outcome", "error_class", "error", "started"), empty="")
    rejected = [row for row in found["verdicts"] or [] if row["verdict"] == "rejected"]
    if rejected:
        print_line("rejected chunks:")
        print_table(rejected[:SHOWN], ("chunk", "start", "end", "reason"), empty="")


def choose(runtime: Runtime, names: Sequence[str], asked: Asked) -> Wanted:
    """Documents to take out: those that are named, or those of a condition; raises UsageError, NotFound, UserError."""
    if bool(names) == (not asked.is_everything):
        raise UsageError("name documents, or give --where; not both, and not neither")

    def find(connection: Connection) -> Wanted:
        if not names:
            return want(runtime, connection, asked)
        found = [histories.find_document(connection, spellings(n), collection=asked.collection)[0] for n in names]
        return Wanted(ids=list(dict.fromkeys(row.id for row in found)))

    return runtime.database.query(find)


def preview(runtime: Runtime, wanted: Wanted) -> dict[str, Any]:
    """How many documents would be taken out, some of them, and which sources would bring some back."""
    count = 0
    examples: list[str] = []
    claiming: set[str] = set()
    for page in _pages(runtime, wanted):
        count += len(page)
        examples += [listed.uri for listed in page[: SHOWN - len(examples)]]
        ids = [listed.id for listed in page]
        claims = runtime.database.query(partial(sources.find_claims, ids=ids))
        claiming |= {uri for uris in claims.values() for uri in uris}
    return {"deleted": 0, "would_delete": count, "examples": examples, "claimed_by": sorted(claiming)}


def delete(runtime: Runtime, wanted: Wanted, *, quiet: bool) -> tuple[dict[str, Any], int]:
    """Take documents out through the queue, and work until they are out; returns the report and the exit status."""
    from embedmill.producers.departing import delete_documents

    chosen: dict[str, list[str]] = {}
    for page in _pages(runtime, wanted):
        for listed in page:
            chosen.setdefault(listed.collection, []).append(listed.id)
    departed = []
    for name, ids in chosen.items():
        found = runtime.database.query(partial(get_collection, name=name))
        departed.append(delete_documents(runtime, found.id, ids))
    return finish_departures(runtime, [each.job_id for each in departed if each.job_id is not None], quiet=quiet)


def finish_departures(runtime: Runtime, job_ids: Sequence[int], *, quiet: bool) -> tuple[dict[str, Any], int]:
    """Work until documents that are to leave are out of the index; how many left, and the exit status."""
    with heard(quiet=quiet) as listener:
        for job_id in job_ids:
            work_on_job(runtime, job_id, listener)
    reports = [describe_job(runtime, job_id) for job_id in job_ids]
    deleted = sum(report.documents.deleted for report in reports)
    return {"deleted": deleted, "jobs": list(job_ids)}, max((exit_status(report) for report in reports), default=DONE)


def _pages(runtime: Runtime, wanted: Wanted) -> Iterator[list[Listed]]:
    after: str | None = None
    while True:
        page = runtime.database.query(partial(catalogue.list_documents, wanted=wanted, limit=PAGE, after=after))
        yield page.documents
        if (after := page.next) is None:
            return


def print_preview(found: Mapping[str, Any]) -> None:
    """What would be taken out, for people."""
    print_line(f"documents that would be deleted: {found['would_delete']}")
    for uri in found["examples"]:
        print_line(f"  {uri}")
    if found["would_delete"] > len(found["examples"]):
        print_line(f"  … and {found['would_delete'] - len(found['examples'])} more")
    warn_of_returns(found)


def warn_of_returns(found: Mapping[str, Any]) -> None:
    """A source that still holds a document names it again when it is read."""
    if found["claimed_by"]:
        some = ", ".join(found["claimed_by"][:3]) + (", …" if len(found["claimed_by"]) > 3 else "")
        print_warning(f"what {some} still holds comes back when it is ingested again; see embedmill sources remove")
