"""The chunk stage: load, parse, normalise, split; one stored object per batch."""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from embedmill.shared import stages
from embedmill.shared.addresses import version_id
from embedmill.shared.collections import CollectionSettings
from embedmill.shared.db.leases import Lease, WorkItem
from embedmill.shared.errors import StorageFailed
from embedmill.shared.loading import Loaded, Loading, Located
from embedmill.shared.notes import join_notes
from embedmill.shared.outcomes import Advance, Outcome
from embedmill.shared.providers.embeddings.table import most_chunk_tokens
from embedmill.workers.chunking import ChunkSet, ChunkSettings, build_chunk_set, encode_chunk_set, normalise
from embedmill.workers.executor import outcome_of
from embedmill.workers.parsing.document import ParsedDocument
from embedmill.workers.runtime import WorkerRuntime

if TYPE_CHECKING:
    from embedmill.workers.parsing.sandbox import Parser

EMPTY = "it holds no text: nothing to index"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document that was split and is ready to be stored."""

    item: WorkItem
    chunk_set: ChunkSet
    encoded: bytes
    content_hash: str
    state: str | None
    notes: tuple[str, ...]


def chunk(runtime: WorkerRuntime, claim: Lease) -> dict[int, Outcome]:
    """Split every document on its own; what one raises is its own outcome."""
    outcomes: dict[int, Outcome] = {}
    prepared: list[Prepared] = []
    loading = Loading(runtime, [Located(item.uri, item.origin) for item in claim.items])
    for item in claim.items:
        try:
            prepared.append(_prepare(runtime, item, loading))
        except StorageFailed:
            raise
        except BaseException as error:  # noqa: BLE001 - MemoryError and SystemExit too are this document's outcome
            outcomes[item.id] = outcome_of(error)
    references = runtime.blobs.put_pack([runtime.vault.seal_blob(p.item.collection_id, p.encoded) for p in prepared])
    for p, reference in zip(prepared, references, strict=True):
        outcomes[p.item.id] = _advance(claim.stage, runtime.collection_settings(p.item.collection_id), p, reference)
    return outcomes


def _prepare(runtime: WorkerRuntime, item: WorkItem, loading: Loading) -> Prepared:
    settings = runtime.collection_settings(item.collection_id)
    loaded = loading.load(Located(item.uri, item.origin))
    parsed = parse(loaded, runtime.parser, name=item.uri)
    content_hash = item.content_hash if loaded.as_submitted else hashlib.sha256(loaded.data).hexdigest()
    chunk_set = split(parsed, settings, title=item.title)
    return Prepared(item, chunk_set, encode_chunk_set(chunk_set), content_hash, loaded.state, parsed.notes)


def parse(loaded: Loaded, parser: "Parser", *, name: str) -> ParsedDocument:
    """What was read as structure; raises DocumentError, ParserCrashed."""
    return parser.parse(loaded.data, name=loaded.name or name) if loaded.text is None else parse_row(loaded.text)


def split(parsed: ParsedDocument, settings: CollectionSettings, *, title: str) -> ChunkSet:
    """A parsed document's chunks as its collection wants them; `title`, if any, goes before the document's own."""
    most = most_chunk_tokens(settings.embedding)
    sizes = ChunkSettings.from_target(settings.chunk_tokens, overlap=settings.chunk_overlap, most=most)
    return build_chunk_set(normalise(parsed), sizes, title=title or parsed.title, media_type=parsed.media_type)


def parse_row(text: str) -> ParsedDocument:
    """A row's text as structure; a row is plain text whatever it looks like."""
    from embedmill.workers.parsing.draft import Draft
    from embedmill.workers.parsing.limits import ParserLimits
    from embedmill.workers.parsing.text import read_text

    draft = Draft("text/plain", name="", limits=ParserLimits())
    read_text(text, draft)
    return draft.finish()


def _advance(stage: str, settings: CollectionSettings, prepared: Prepared, reference: str) -> Advance:
    count = len(prepared.chunk_set.chunks)
    read_under = {} if prepared.state is None else {"source_state": prepared.state}
    return Advance(
        stages.following(stage, settings) if count else stages.last(),
        {
            "chunks_ref": reference,
            "rejections_ref": None,
            "chunks_expected": count,
            "chunks_rejected": 0,
            "chunks_split": 0,
            "size": max(1, sum(c.tokens for c in prepared.chunk_set.chunks)),
            "content_hash": prepared.content_hash,
            "version": version_id(prepared.content_hash, prepared.item.settings_hash),
            "title": prepared.chunk_set.title,
            "reason": None if count else EMPTY,
            "notes": join_notes(prepared.notes),
            **read_under,
        },
    )
