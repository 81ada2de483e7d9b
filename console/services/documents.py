"""Documents: what is in a collection, what became of one, and taking some out of the index."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes

from embedmill.console.listening import NOBODY, Listener
from embedmill.console.services.jobs import describe_job
from embedmill.console.services.working import work_on_job
from embedmill.shared.db import catalogue, histories, sources
from embedmill.shared.db.catalogue import MEANINGS, Listed, Wanted
from embedmill.shared.db.collections import get_collection
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.histories import Cost, History
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


@dataclass(frozen=True, slots=True)
class DocumentQuery:
    """Which documents; None means any. A source by number, URI or path, `uri` a glob over URIs or paths.

    `noted` are those that were read in part or by a guess, `stale` those that were made under other settings.
    """

    collection: str | None = None
    state: DocumentState | None = None
    source: str | None = None
    job: int | None = None
    uri: str | None = None
    noted: bool = False
    stale: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_everything(self) -> bool:
        """Whether nothing narrows it, but perhaps the collection."""
        return self == DocumentQuery(self.collection)


EVERY_DOCUMENT = DocumentQuery()


@dataclass(frozen=True, slots=True)
class ListedDocument:
    """A document as lists show it; `chunks` are those that can be found, `sources` those that claim it."""

    id: str
    uri: str
    title: str
    collection: str
    state: DocumentState
    notes: Sequence[str]
    chunks: int
    sources: Sequence[str]
    version: str | None
    job: int | None
    updated: datetime


@dataclass(frozen=True, slots=True)
class DocumentPage:
    """Documents, and where the next page begins; None at the end."""

    documents: Sequence[ListedDocument]
    next: str | None


@dataclass(frozen=True, slots=True)
class DocumentChunks:
    """How many chunks a document has, can be found by, and lost to validation."""

    expected: int
    indexed: int
    rejected: int


@dataclass(frozen=True, slots=True)
class DocumentVersion:
    """One submission of a document, and whether readers see it."""

    version: str
    job: int
    state: str
    result: str | None
    reason: str | None
    chunks: int
    active: bool
    created: datetime
    finished: datetime | None


@dataclass(frozen=True, slots=True)
class DocumentAttempt:
    """One attempt at a document."""

    stage: str
    attempt: int
    outcome: str
    error_class: str | None
    error: str | None
    worker: str
    started: datetime
    seconds: float


@dataclass(frozen=True, slots=True)
class DocumentLetter:
    """A dead letter of a document."""

    id: int
    stage: str
    error_class: str
    error: str
    hint: str
    resolution: str | None
    resolution_reason: str | None
    created: datetime


@dataclass(frozen=True, slots=True)
class StageTime:
    """How long workers had a document in hand at a stage."""

    stage: str
    seconds: float
    attempts: int


@dataclass(frozen=True, slots=True)
class ChunkVerdict:
    """What was decided about a chunk."""

    chunk: str
    start: int
    end: int
    tokens: int
    section: str
    page: int | None
    verdict: str
    repaired: bool
    reason: str | None


@dataclass(frozen=True, slots=True)
class DocumentReport:
    """Everything about one document; `verdicts` are those of its first chunks, None when they cannot be read."""

    id: str
    uri: str
    title: str
    collection: str
    state: DocumentState
    means: str
    notes: Sequence[str]
    stale: bool
    metadata: Mapping[str, Any]
    sources: Sequence[str]
    updated: datetime
    version: str | None
    last_error: str | None
    chunks: DocumentChunks
    versions: Sequence[DocumentVersion]
    attempts: Sequence[DocumentAttempt]
    letters: Sequence[DocumentLetter]
    stages: Sequence[StageTime]
    spend: Cost
    verdicts: Sequence[ChunkVerdict] | None


@dataclass(frozen=True, slots=True)
class DeletionPreview:
    """How many documents would be taken out, some of them, and the sources that would bring some back."""

    deleted: int
    would_delete: int
    examples: Sequence[str]
    claimed_by: Sequence[str]


@dataclass(frozen=True, slots=True)
class DepartedDocuments:
    """How many documents left the index, and the jobs that took them out."""

    deleted: int
    jobs: Sequence[int]


@dataclass(frozen=True, slots=True)
class DeletedDocuments(DepartedDocuments):
    """The same of documents that were named, with the sources that bring some back when they are read again."""

    claimed_by: Sequence[str]


def list_documents(
    runtime: Runtime, query: DocumentQuery = EVERY_DOCUMENT, *, limit: int = 100, after: str | None = None
) -> DocumentPage:
    """A page of documents from where `after` says; raises NotFound for what the query names and there is not."""

    def find(connection: Connection) -> DocumentPage:
        if query.job is not None:
            get_job(connection, query.job)
        page = catalogue.list_documents(connection, _want(runtime, connection, query), limit=limit, after=after)
        claims = sources.find_claims(connection, [listed.id for listed in page.documents])
        return DocumentPage([_describe(listed, claims.get(listed.id, [])) for listed in page.documents], page.next)

    return runtime.database.query(find)


def _want(runtime: Runtime, connection: Connection, query: DocumentQuery) -> Wanted:
    if query.collection is not None:
        get_collection(connection, query.collection)
    source = None
    if query.source is not None:
        source = sources.find_source(connection, spellings(query.source), collection_name=query.collection).id
    return Wanted(
        collection=query.collection,
        state=query.state,
        source=source,
        job=query.job,
        uri=Glob(_in_uris(query.uri)) if query.uri is not None else None,
        noted=query.noted,
        fresh=runtime.fingerprint if query.stale else None,
        metadata=query.metadata,
    )


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


def _describe(listed: Listed, claims: Sequence[str]) -> ListedDocument:
    return ListedDocument(
        id=listed.id,
        uri=listed.uri,
        title=listed.title,
        collection=listed.collection,
        state=listed.state,
        notes=listed.notes,
        chunks=listed.chunks,
        sources=claims,
        version=listed.version,
        job=listed.job,
        updated=_moment(listed.updated_at),
    )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def show_document(runtime: Runtime, name: str, *, collection: str | None = None) -> DocumentReport:
    """Everything about one document, by id, URI or path; raises NotFound, UserError."""

    def find(connection: Connection) -> tuple[Any, dict[str, Any]]:
        row, place = histories.find_document(connection, spellings(name), collection=collection)
        return row, _explain(runtime, connection, row, place)

    row, found = runtime.database.query(find)
    return DocumentReport(**found, verdicts=_read_verdicts(runtime, row))


def _explain(runtime: Runtime, connection: Connection, row: Any, place: str) -> dict[str, Any]:
    """All but the verdicts, which are not in the database."""
    newest = catalogue.find_newest_work(connection, [row.id]).get(row.id)
    state = catalogue.state_of(row, newest)
    history = histories.read_history(connection, row.id)
    fresh = runtime.fingerprint(get_collection(connection, place))
    rejected = row.chunks_rejected
    return {
        "id": row.id,
        "uri": row.uri,
        "title": row.title,
        "collection": place,
        "state": state,
        "means": MEANINGS[state],
        "notes": split_notes(row.notes),
        "stale": row.active_version is not None and row.settings_hash != fresh,
        "metadata": _read_metadata(history),
        "sources": sources.find_claims(connection, [row.id]).get(row.id, []),
        "updated": _moment(row.updated_at),
        "version": row.active_version,
        "last_error": histories.last_error(state, history),
        "chunks": DocumentChunks(row.chunks_expected, row.chunks_expected - rejected, rejected),
        "versions": [_describe_version(work, row) for work in history.work if not work["deletes"]],
        "attempts": [_describe_attempt(attempt) for attempt in history.attempts],
        "letters": [_describe_letter(letter) for letter in history.letters],
        "stages": [StageTime(**found) for found in histories.sum_stages(history)],
        "spend": histories.measure_cost(connection, row.id, history),
    }


def _read_metadata(history: History) -> Mapping[str, Any]:
    newest = next((work for work in history.work if not work["deletes"]), None)
    return (newest["origin"].get("metadata") or {}) if newest else {}


def _describe_version(work: Mapping[str, Any], row: Any) -> DocumentVersion:
    return DocumentVersion(
        version=work["version"],
        job=work["job_id"],
        state=work["state"],
        result=work["result"],
        reason=work["reason"],
        chunks=work["chunks_expected"],
        active=row.active_version is not None and work["generation"] == row.active_generation,
        created=_moment(work["created_at"]),
        finished=_moment(work["finished_at"]) if work["finished_at"] else None,
    )


def _describe_attempt(attempt: Mapping[str, Any]) -> DocumentAttempt:
    names = ("stage", "attempt", "outcome", "error_class", "error", "worker")
    return DocumentAttempt(
        **{name: attempt[name] for name in names},
        started=_moment(attempt["started_at"]),
        seconds=round(attempt["seconds"], 3),
    )


def _describe_letter(letter: Mapping[str, Any]) -> DocumentLetter:
    names = ("id", "stage", "error_class", "error", "hint", "resolution", "resolution_reason")
    return DocumentLetter(**{name: letter[name] for name in names}, created=_moment(letter["created_at"]))


def _read_verdicts(runtime: Runtime, row: Any) -> list[ChunkVerdict] | None:
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
        ChunkVerdict(
            chunk=chunk_set.ids[chunk.ordinal],
            start=chunk.start,
            end=chunk.end,
            tokens=chunk.tokens,
            section=chunk.section,
            page=chunk.page,
            verdict="rejected" if chunk.ordinal in rejections else "accepted",
            repaired=chunk.ordinal in repairs,
            reason=rejections.get(chunk.ordinal),
        )
        for chunk in chunk_set.chunks[:SHOWN_CHUNKS]
    ]


def preview_deletion(
    runtime: Runtime, names: Sequence[str] = (), query: DocumentQuery = EVERY_DOCUMENT
) -> DeletionPreview:
    """What `delete_documents` would take out; raises the same."""
    count, examples, claiming = 0, list[str](), set[str]()
    for page in _pages(runtime, _choose(runtime, names, query)):
        count += len(page)
        examples += [listed.uri for listed in page[: SHOWN - len(examples)]]
        claiming |= _find_claiming(runtime, page)
    return DeletionPreview(0, count, examples, sorted(claiming))


def delete_documents(
    runtime: Runtime,
    names: Sequence[str] = (),
    query: DocumentQuery = EVERY_DOCUMENT,
    *,
    listener: Listener = NOBODY,
) -> DeletedDocuments:
    """Take documents out through the queue, and work here until they are out.

    They are named, by id, URI or path, or those of a query. Raises UsageError for both or neither, NotFound, UserError.
    """
    from embedmill.producers.departing import delete_documents as submit

    chosen: dict[str, list[str]] = {}
    claiming = set[str]()
    for page in _pages(runtime, _choose(runtime, names, query)):
        claiming |= _find_claiming(runtime, page)
        for listed in page:
            chosen.setdefault(listed.collection, []).append(listed.id)
    departed = []
    for name, ids in chosen.items():
        found = runtime.database.query(partial(get_collection, name=name))
        departed.append(submit(runtime, found.id, ids))
    done = finish_departures(runtime, [each.job_id for each in departed if each.job_id is not None], listener)
    return DeletedDocuments(**asdict(done), claimed_by=sorted(claiming))


def _choose(runtime: Runtime, names: Sequence[str], query: DocumentQuery) -> Wanted:
    if bool(names) == (not query.is_everything):
        raise UsageError("name documents, or give --where; not both, and not neither")

    def find(connection: Connection) -> Wanted:
        if not names:
            return _want(runtime, connection, query)
        found = [histories.find_document(connection, spellings(n), collection=query.collection)[0] for n in names]
        return Wanted(ids=list(dict.fromkeys(row.id for row in found)))

    return runtime.database.query(find)


def _pages(runtime: Runtime, wanted: Wanted) -> Iterator[list[Listed]]:
    after: str | None = None
    while True:
        page = runtime.database.query(partial(catalogue.list_documents, wanted=wanted, limit=PAGE, after=after))
        yield page.documents
        if (after := page.next) is None:
            return


def _find_claiming(runtime: Runtime, page: Sequence[Listed]) -> set[str]:
    """The sources that claim any of some documents, by URI."""
    claims = runtime.database.query(partial(sources.find_claims, ids=[listed.id for listed in page]))
    return {uri for uris in claims.values() for uri in uris}


def finish_departures(runtime: Runtime, jobs: Sequence[int], listener: Listener) -> DepartedDocuments:
    """Work until documents that are to leave are out of the index."""
    for job in jobs:
        work_on_job(runtime, job, listener)
    return DepartedDocuments(sum(describe_job(runtime, job).documents.deleted for job in jobs), list(jobs))
