"""Documents: what is in a collection, and what became of one."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from embedmill.console.services.document_names import spellings
from embedmill.console.services.reach import in_documents, reaches_of
from embedmill.console.services.serving import serves
from embedmill.shared.access.principals import Right
from embedmill.shared.db import catalogue, sources
from embedmill.shared.db.catalogue import DocumentFilter, DocumentSummary
from embedmill.shared.db.collections import get_collection
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.jobs import get_job
from embedmill.shared.db.seen_work import claims_seen, measure_seen
from embedmill.shared.db.transitions import no_job
from embedmill.shared.durations import moment
from embedmill.shared.errors import UsageError
from embedmill.shared.globs import Glob
from embedmill.shared.loading.members import SAFE_IN_CONTAINERS
from embedmill.shared.runtime import Runtime
from embedmill.shared.states import DocumentState
from embedmill.shared.uris import SCHEME

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_SAFE_IN_PATHS = "/!"


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
        uris=_globs(query.uri) if query.uri is not None else (),
        noted=query.noted,
        fresh=runtime.fingerprint if query.stale else None,
        metadata=query.metadata,
        reaches=reaches,
    )


def _globs(text: str) -> list[Glob]:
    """A glob over URIs or paths, as URIs may have it: as it stands, or encoded as in a container or as in a path."""
    if text.startswith(("/", "./", "../", "~/")):
        return _encode(SCHEME, os.path.abspath(os.path.expanduser(text)))
    scheme = _SCHEME.match(text)
    begins = scheme[0] if scheme else ""
    return list(dict.fromkeys([Glob(text), *_encode(begins, text.removeprefix(begins))]))


def _encode(begins: str, glob: str) -> list[Glob]:
    encoded = (Glob(glob).encode(safe=safe) for safe in (_SAFE_IN_PATHS, SAFE_IN_CONTAINERS))
    return list(dict.fromkeys(Glob(begins + each.pattern) for each in encoded))


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
        updated=moment(listed.updated_at),
        access=listed.access,
        owner=listed.owner,
    )
