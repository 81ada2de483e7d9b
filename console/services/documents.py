"""Documents: what is in a collection, and what became of one."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes

from embedmill.console.services.reach import in_collection, in_documents, reach_within, reaches_of
from embedmill.console.services.serving import serves
from embedmill.shared.access.principals import Right
from embedmill.shared.collections import read_collection_settings
from embedmill.shared.containers.walk import WITHIN
from embedmill.shared.db import catalogue, histories, sources
from embedmill.shared.db.catalogue import MEANINGS, DocumentFilter, DocumentSummary
from embedmill.shared.db.collections import get_collection, list_collections
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.histories import Cost, History
from embedmill.shared.db.jobs import get_job
from embedmill.shared.db.redactions import find_redactions
from embedmill.shared.db.sealed import NOTES, TITLE, open_sealed
from embedmill.shared.db.seen_work import claims_seen, measure_seen
from embedmill.shared.db.transitions import no_job
from embedmill.shared.errors import BlobMissing, UsageError
from embedmill.shared.globs import Glob
from embedmill.shared.loading.members import member_uri
from embedmill.shared.notes import split_notes
from embedmill.shared.privacy.document_seals import open_metadata
from embedmill.shared.runtime import Runtime
from embedmill.shared.states import DocumentState
from embedmill.shared.uris import SCHEME, path_to_uri

SHOWN_CHUNKS = 100

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
    access: str
    owner: str


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
    """What was decided about a chunk; `head` is the place of its table's head, where it carries one."""

    chunk: str
    start: int
    end: int
    head: tuple[int, int] | None
    tokens: int
    section: str
    page: int | None
    pages: tuple[int, int] | None
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
    access: str
    owner: str
    sources: Sequence[str]
    updated: datetime
    version: str | None
    last_error: str | None
    chunks: DocumentChunks
    versions: Sequence[DocumentVersion]
    attempts: Sequence[DocumentAttempt]
    letters: Sequence[DocumentLetter]
    stages: Sequence[StageTime]
    redactions: Mapping[str, int]
    """How many values of each type were hidden."""
    spend: Cost
    verdicts: Sequence[ChunkVerdict] | None


@serves("documents.list", Right.READ, in_documents(), filters=True)
def list_documents(
    runtime: Runtime, query: DocumentQuery = EVERY_DOCUMENT, *, limit: int = 100, after: str | None = None
) -> DocumentPage:
    """A page of documents from where `after` says; raises NotFound for what the query names and there is not."""

    def find(connection: Connection) -> DocumentPage:
        if query.job is not None:
            _require_job(runtime, connection, query.job)
        page = catalogue.list_documents(
            connection, want_documents(runtime, connection, query), limit=limit, after=after
        )
        claims = sources.find_claims(connection, [listed.id for listed in page.documents])
        return DocumentPage([_describe(listed, claims.get(listed.id, [])) for listed in page.documents], page.next)

    return runtime.database.query(find)


def _require_job(runtime: Runtime, connection: Connection, job_id: int) -> None:
    """Raises NotFound for a job that there is not, and for one of which the caller sees no document."""
    job = get_job(connection, job_id)
    reaches = reaches_of(runtime.principal, connection)
    if reaches is not None and not measure_seen(connection, [job], reaches):
        raise no_job(job_id)


def want_documents(runtime: Runtime, connection: Connection, query: DocumentQuery) -> DocumentFilter:
    """The same for the database; raises NotFound for a collection or a source that there is not."""
    found = None if query.collection is None else get_collection(connection, query.collection)
    if query.metadata and found is not None and runtime.vault.is_encrypted(found.id):
        hint = "search --where asks the vector store, which knows them."
        raise UsageError(f"the metadata of {found.name} are encrypted, and no list can be chosen by them", hint=hint)
    source, reaches = None, reaches_of(runtime.principal, connection)
    if query.source is not None:
        seen = None if reaches is None else claims_seen(reaches)
        names = spellings(query.source)
        source = sources.find_source(connection, names, collection_name=query.collection, seen=seen).id
    return DocumentFilter(
        collection=query.collection,
        state=query.state,
        source=source,
        job=query.job,
        uri=Glob(_in_uris(query.uri)) if query.uri is not None else None,
        noted=query.noted,
        fresh=runtime.fingerprint if query.stale else None,
        metadata=query.metadata,
        reaches=reaches,
    )


def _in_uris(glob: str) -> str:
    """A glob over paths as one over URIs; what begins like neither is left as it is."""
    if not glob.startswith(("/", "./", "../", "~/")):
        return glob
    path = os.path.abspath(os.path.expanduser(glob))
    return SCHEME + quote_from_bytes(os.fsencode(path), safe="/*?[]!")


def document_names(runtime: Runtime, name: str) -> list[str]:
    """The same for a document, whose URI may be stored without values; to be called outside of a transaction."""
    named = spellings(name)
    redactors = [runtime.redactor(each.id) for each in runtime.database.query(list_collections)]
    return [*named, *(redactor.address(each) for redactor in redactors if redactor.is_on for each in named)]


def spellings(name: str) -> list[str]:
    """What a user may mean: an id or a URI as it stands, or the file by that path, through links or not.

    The path may follow a kind, as in `slack:export.zip`, and go on within a container, as in `archive.zip!/a.txt`.
    """
    scheme = _HAS_SCHEME.match(name)
    kind, path = (scheme[0].lower(), name[scheme.end() :]) if scheme else ("file://", name)
    if kind == "sqlite:":
        # Two slashes, none or one for the root, and the path, which may be one from here.
        below = path.lstrip("/")
        found = [f"sqlite:///{below}", *_uris("sqlite://", f"/{below}"), *_uris("sqlite://", below)]
    elif scheme and path.startswith("//"):
        # A bucket or a host by itself is on record with the slash after it.
        found = [f"{name}/"] if "/" not in path[2:] else []
    else:
        found = _uris(kind, path)
    return list(dict.fromkeys([name, *found]))


def _uris(kind: str, path: str) -> list[str]:
    try:
        uris = [kind + path_to_uri(each).removeprefix("file://") for each in _paths(path)]
        within = [(member, each) for before, member in _splits(path) for each in _paths(before)]
        return uris + [kind + member_uri(path_to_uri(each), member).removeprefix("file://") for member, each in within]
    except (OSError, RuntimeError, ValueError):
        return []


def _paths(path: str) -> list[bytes]:
    """The same path as it stands, and without links."""
    found = Path(path).expanduser()
    return [os.fsencode(os.path.abspath(found)), os.fsencode(os.path.realpath(found))]


def _splits(path: str) -> Iterator[tuple[str, str]]:
    """A path as that of a container, and of what is in it; one that is gone cannot be asked which of them it is."""
    parts = path.split(WITHIN)
    for count in range(1, len(parts)):
        yield WITHIN.join(parts[:count]), WITHIN.join(parts[count:])


def _describe(listed: DocumentSummary, claims: Sequence[str]) -> ListedDocument:
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
        access=listed.access,
        owner=listed.owner,
    )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


@serves("documents.show", Right.READ, in_collection(), filters=True)
def show_document(runtime: Runtime, name: str, *, collection: str | None = None) -> DocumentReport:
    """Everything about one document, by id, URI or path; raises NotFound, UserError."""
    names = document_names(runtime, name)

    def find(connection: Connection) -> tuple[Any, dict[str, Any]]:
        find_reach = partial(reach_within, runtime.principal)
        row, place = histories.find_document(connection, names, collection=collection, find_reach=find_reach)
        return row, _explain(runtime, connection, row, place)

    row, found = runtime.database.query(find)
    return DocumentReport(**found, verdicts=_read_verdicts(runtime, row))


def _explain(runtime: Runtime, connection: Connection, row: Any, place: str) -> dict[str, Any]:
    """All but the verdicts, which are not in the database."""
    newest = catalogue.find_newest_work(connection, [row.id]).get(row.id)
    state = catalogue.state_of(row, newest)
    found = get_collection(connection, place)
    whole = runtime.principal.reads_every_level
    # What is on its way may have other labels than what is indexed.
    history = histories.read_history(connection, row.id, upto=None if whole else row.active_generation)
    settings, fresh = read_collection_settings(found.settings), runtime.fingerprint(found)
    rejected = row.chunks_rejected
    return {
        "id": row.id,
        "uri": row.uri,
        "title": open_sealed(connection, TITLE, row.title),
        "collection": place,
        "state": state,
        "means": MEANINGS[state],
        "notes": split_notes(open_sealed(connection, NOTES, row.notes)),
        "stale": row.active_version is not None and row.settings_hash != fresh,
        "metadata": _read_metadata(runtime, history),
        "access": row.access or settings.access,
        "owner": row.owner or settings.owner,
        "sources": sources.find_claims(connection, [row.id]).get(row.id, []),
        "updated": _moment(row.updated_at),
        "version": row.active_version,
        "last_error": histories.last_error(state, history),
        "chunks": DocumentChunks(row.chunks_expected, row.chunks_expected - rejected, rejected),
        "versions": [_describe_version(work, row) for work in history.work if not work["deletes"]],
        "attempts": [_describe_attempt(attempt) for attempt in history.attempts],
        "letters": [_describe_letter(letter) for letter in history.letters],
        "redactions": find_redactions(connection, row.id),
        "stages": [StageTime(**found) for found in histories.sum_stages(history)],
        "spend": histories.measure_cost(connection, row.id, history),
    }


def _read_metadata(runtime: Runtime, history: History) -> Mapping[str, Any]:
    newest = next((work for work in history.work if not work["deletes"]), None)
    return open_metadata(runtime.vault, newest["origin"]) if newest else {}


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
            pages=chunk.pages,
            head=chunk.head,
            verdict="rejected" if chunk.ordinal in rejections else "accepted",
            repaired=chunk.ordinal in repairs,
            reason=rejections.get(chunk.ordinal),
        )
        for chunk in chunk_set.chunks[:SHOWN_CHUNKS]
    ]
