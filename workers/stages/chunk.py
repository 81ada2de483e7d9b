"""The chunk stage: load, parse, normalise, split; one stored object per batch."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from embedmill.shared import stages
from embedmill.shared.access.labels import Labels, labelled
from embedmill.shared.addresses import version_id
from embedmill.shared.collections import CollectionSettings
from embedmill.shared.db.documents import ReadVersion, find_read_versions
from embedmill.shared.db.leases import Lease, WorkItem
from embedmill.shared.db.redactions import Redaction, record_redactions
from embedmill.shared.db.sealed import TITLE
from embedmill.shared.db.tombstones import NamedDocument, find_barred
from embedmill.shared.erasing import explain
from embedmill.shared.errors import StorageFailed
from embedmill.shared.loading.loaders import Loaded, Loading, Located
from embedmill.shared.notes import join_notes
from embedmill.shared.outcomes import Advance, Complete, Fail, Outcome
from embedmill.shared.privacy.document_seals import METADATA, DocumentSeals, open_metadata
from embedmill.shared.providers.embeddings.table import most_chunk_tokens
from embedmill.shared.states import Result
from embedmill.workers.chunking import ChunkSet, ChunkSettings, build_chunk_set, encode_chunk_set, normalise
from embedmill.workers.executor import outcome_of
from embedmill.workers.parsing.document import ParsedDocument
from embedmill.workers.redacting import Hidden, RedactedDocument, find_bare_keys, redact_document
from embedmill.workers.runtime import WorkerRuntime

if TYPE_CHECKING:
    from embedmill.workers.parsing.sandbox import Parser

EMPTY = "it holds no text: nothing to index"
TOGETHER, CHARACTERS_TOGETHER = 16, 1 << 18
"""So many documents, or characters of documents, are in hand at once."""


@dataclass(frozen=True, slots=True)
class Read:
    """A document that was read, and under which state of its source, where it has one."""

    item: WorkItem
    loaded: Loaded
    content_hash: str
    state: str | None

    @property
    def values(self) -> dict[str, Any]:
        """The columns of its work that say what it is."""
        return {"content_hash": self.content_hash, "source_state": self.state, "version": self.version}

    @property
    def version(self) -> str:
        """What it is when it is done with as its settings say."""
        return version_id(self.content_hash, labelled(self.item.settings_hash, Labels.of_origin(self.item.origin)))


@dataclass(frozen=True, slots=True)
class ParsedVersion:
    """A document with its structure, and the title that submission knew."""

    read: Read
    document: ParsedDocument
    title: str

    @property
    def size(self) -> int:
        """Characters."""
        return sum(len(block.text) for block in self.document.blocks)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document that was split and is ready to be stored."""

    read: Read
    chunk_set: ChunkSet
    encoded: bytes
    notes: tuple[str, ...]
    hidden: Hidden


def chunk(runtime: WorkerRuntime, claim: Lease) -> dict[int, Outcome]:
    """Split every document; what one raises is its own outcome.

    A few at a time take each step together: processors have what a step needs at hand then (decision 0108).
    """
    outcomes: dict[int, Outcome] = {}
    prepared: list[Prepared] = []
    held: list[ParsedVersion] = []
    loading = Loading(runtime, [Located(item.uri, item.origin) for item in claim.items])
    indexed = _find_indexed(runtime, claim)
    for item in claim.items:
        with _its_own(outcomes, item):
            read = _read(runtime, item, loading)
            with _its_own(outcomes, item, read):
                if reason := _find_erased(runtime, read):
                    outcomes[item.id] = Complete(Result.SKIPPED, reason)
                elif item.document_id in indexed and indexed[item.document_id].version == read.version:
                    outcomes[item.id] = Complete(Result.UNCHANGED, state=read.state)
                else:
                    held.append(_parse(runtime, read))
        if len(held) == TOGETHER or sum(parsed.size for parsed in held) >= CHARACTERS_TOGETHER:
            prepared += _prepare(runtime, held, outcomes)
            held.clear()
    prepared += _prepare(runtime, held, outcomes)
    _record_hidden(runtime, prepared)
    sealed = [runtime.vault.seal_blob(p.read.item.collection_id, p.encoded) for p in prepared]
    for p, reference in zip(prepared, runtime.blobs.put_pack(sealed), strict=True):
        runtime.handed_on.put(reference, p.chunk_set)
        outcomes[p.read.item.id] = _advance(runtime, claim.stage, p, reference)
    return outcomes


def _failed(outcome: Outcome, read: Read | None) -> Outcome:
    """What fails is what was read: it may have changed since it was submitted."""
    if not isinstance(outcome, Fail) or read is None or read.content_hash == read.item.content_hash:
        return outcome
    return replace(outcome, values=read.values)


@contextmanager
def _its_own(outcomes: dict[int, Outcome], item: WorkItem, read: Read | None = None) -> Iterator[None]:
    """What a document raises is its outcome, of what was `read` of it, and its neighbours go on."""
    try:
        yield
    except StorageFailed:
        raise
    except BaseException as error:  # noqa: BLE001 - MemoryError and SystemExit too are this document's outcome
        outcomes[item.id] = _failed(outcome_of(error), read)


def _record_hidden(runtime: WorkerRuntime, prepared: Sequence[Prepared]) -> None:
    """Before anything else of these documents is stored: what tells of somebody can be found from then on."""
    found = [
        Redaction(p.read.item.document_id, p.read.item.generation, p.hidden.counts, p.hidden.subjects)
        for p in prepared
        if p.hidden.subjects or runtime.redactor(p.read.item.collection_id).is_on
    ]
    if found:
        runtime.database.transact(lambda connection: record_redactions(connection, found))


def _find_indexed(runtime: WorkerRuntime, claim: Lease) -> dict[str, ReadVersion]:
    """What readers see of documents whose scan knew their states only: they may be as they were."""
    blind = [item.document_id for item in claim.items if not item.content_hash]
    return runtime.database.query(lambda c: find_read_versions(c, blind)) if blind else {}


def _read(runtime: WorkerRuntime, item: WorkItem, loading: Loading) -> Read:
    loaded = loading.load(Located(item.uri, item.origin))
    content_hash = item.content_hash if loaded.as_submitted else _hash_content(runtime, item, loaded.data)
    state = item.origin.get("state") if loaded.state is None else loaded.state
    return Read(item, loaded, content_hash, state)


def _hash_content(runtime: WorkerRuntime, item: WorkItem, data: bytes) -> str:
    return DocumentSeals(runtime.vault, item.collection_id).content_hash(hashlib.sha256(data).hexdigest())


def _find_erased(runtime: WorkerRuntime, read: Read) -> str | None:
    """Why a document stays out whose content was erased; of what its scan knew, the scan has asked."""
    item = read.item
    if read.content_hash == item.content_hash:
        return None
    named = NamedDocument(item.document_id, runtime.collection(item.collection_id).name, read.content_hash, item.uri)
    found = runtime.database.query(find_barred, runtime.marker, [named])
    return next((explain(barred.kind, barred.since) for barred in found.values()), None)


def _parse(runtime: WorkerRuntime, read: Read) -> ParsedVersion:
    item = read.item
    parsed = parse_row("") if read.loaded.left_out else parse(read.loaded, runtime.parser, name=item.uri)
    return ParsedVersion(read, parsed, runtime.vault.open_text(TITLE, item.title))


def _prepare(runtime: WorkerRuntime, held: Sequence[ParsedVersion], outcomes: dict[int, Outcome]) -> list[Prepared]:
    redacted: list[tuple[Read, RedactedDocument]] = []
    for parsed in held:
        with _its_own(outcomes, parsed.read.item, parsed.read):
            redacted.append((parsed.read, _redact(runtime, parsed)))
    prepared = []
    for read, found in redacted:
        with _its_own(outcomes, read.item, read):
            chunk_set = split(found.parsed, runtime.collection_settings(read.item.collection_id), title=found.title)
            notes = (*found.parsed.notes, *find_bare_keys(found.parsed))
            prepared.append(Prepared(read, chunk_set, encode_chunk_set(chunk_set), notes, found.hidden))
    return prepared


def _redact(runtime: WorkerRuntime, parsed: ParsedVersion) -> RedactedDocument:
    item = parsed.read.item
    origin = {**item.origin, METADATA: open_metadata(runtime.vault, item.origin)}
    return redact_document(runtime.redactor(item.collection_id), parsed.document, title=parsed.title, origin=origin)


def parse(loaded: Loaded, parser: "Parser", *, name: str) -> ParsedDocument:
    """What was read as structure; raises DocumentError, ParserCrashed."""
    return parser.parse(loaded.data, name=loaded.name or name) if loaded.text is None else parse_row(loaded.text)


def split(parsed: ParsedDocument, settings: CollectionSettings, *, title: str) -> ChunkSet:
    """A parsed document's chunks as its collection wants them; `title`, if any, goes before the document's own."""
    sizes = _sizes(settings.embedding, settings.chunk_tokens, settings.chunk_overlap)
    return build_chunk_set(normalise(parsed), sizes, title=title or parsed.title, media_type=parsed.media_type)


@lru_cache(maxsize=64)
def _sizes(embedding: str, tokens: int, overlap: int) -> ChunkSettings:
    """Of every document of a collection the same, and looked up by the model's name."""
    return ChunkSettings.from_target(tokens, overlap=overlap, most=most_chunk_tokens(embedding))


def parse_row(text: str) -> ParsedDocument:
    """A row's text as structure; a row is plain text whatever it looks like."""
    from embedmill.workers.parsing.draft import Draft
    from embedmill.workers.parsing.limits import ParserLimits
    from embedmill.workers.parsing.text import read_text

    draft = Draft("text/plain", name="", limits=ParserLimits())
    read_text(text, draft)
    return draft.finish()


def _advance(runtime: WorkerRuntime, stage: str, prepared: Prepared, reference: str) -> Advance:
    collection_id = prepared.read.item.collection_id
    settings, seals = runtime.collection_settings(collection_id), DocumentSeals(runtime.vault, collection_id)
    count = len(prepared.chunk_set.chunks)
    return Advance(
        stages.following(stage, settings) if count else stages.last(),
        {
            "chunks_ref": reference,
            "rejections_ref": None,
            "chunks_expected": count,
            "chunks_rejected": 0,
            "chunks_split": 0,
            "size": max(1, sum(c.tokens for c in prepared.chunk_set.chunks)),
            **prepared.read.values,
            "title": seals.title(prepared.chunk_set.title),
            "reason": None if count else prepared.read.loaded.left_out or EMPTY,
            "notes": seals.notes(join_notes(prepared.notes)),
        },
    )
