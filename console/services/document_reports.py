"""What there is to say of one document: its state, its versions, attempts, letters, times, spend and verdicts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from embedmill.console.services.document_names import document_names
from embedmill.console.services.reach import in_collection, reach_within
from embedmill.console.services.serving import serves
from embedmill.shared.access.principals import Right
from embedmill.shared.collections import read_collection_settings
from embedmill.shared.db import catalogue, histories, named, sources
from embedmill.shared.db.collections import get_collection
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.histories import Cost, History
from embedmill.shared.db.redactions import find_redactions
from embedmill.shared.db.sealed import NOTES, TITLE, open_sealed
from embedmill.shared.durations import moment
from embedmill.shared.errors import BlobMissing
from embedmill.shared.notes import split_notes
from embedmill.shared.privacy.document_seals import open_metadata
from embedmill.shared.runtime import Runtime
from embedmill.shared.states import DocumentState

SHOWN_CHUNKS = 100


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


@serves("documents.show", Right.READ, in_collection(), filters=True)
def show_document(runtime: Runtime, name: str, *, collection: str | None = None) -> DocumentReport:
    """Everything about one document, by id, URI or path; raises NotFound, UserError."""
    names = document_names(runtime, name)

    def find(connection: Connection) -> tuple[Any, dict[str, Any]]:
        find_reach = partial(reach_within, runtime.principal)
        row, place = named.find_document(connection, names, collection=collection, find_reach=find_reach)
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
        "means": catalogue.meaning_of(state, row),
        "notes": split_notes(open_sealed(connection, NOTES, row.notes)),
        "stale": row.active_version is not None and row.settings_hash != fresh,
        "metadata": _read_metadata(runtime, history),
        "access": row.access or settings.access,
        "owner": row.owner or settings.owner,
        "sources": sources.find_claims(connection, [row.id]).get(row.id, []),
        "updated": moment(row.updated_at),
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
        created=moment(work["created_at"]),
        finished=moment(work["finished_at"]) if work["finished_at"] else None,
    )


def _describe_attempt(attempt: Mapping[str, Any]) -> DocumentAttempt:
    names = ("stage", "attempt", "outcome", "error_class", "error", "worker")
    return DocumentAttempt(
        **{name: attempt[name] for name in names},
        started=moment(attempt["started_at"]),
        seconds=round(attempt["seconds"], 3),
    )


def _describe_letter(letter: Mapping[str, Any]) -> DocumentLetter:
    names = ("id", "stage", "error_class", "error", "hint", "resolution", "resolution_reason")
    return DocumentLetter(**{name: letter[name] for name in names}, created=moment(letter["created_at"]))


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
