"""The chunk set: one document's text and chunks as a stored object, and the ids by which everything names a chunk."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from typing import Any

import orjson

from embedmill.shared.addresses import digest, digests
from embedmill.shared.errors import BlobMissing
from embedmill.shared.json_bytes import json_bytes
from embedmill.shared.lexicon import TextWords, WordRun, current
from embedmill.shared.tokenizer import CountedText, cut_into_words
from embedmill.shared.words.standing import stands_as_written
from embedmill.workers.chunking.chunk import Chunk, Span
from embedmill.workers.chunking.chunker import chunk_counted
from embedmill.workers.chunking.normalise import NormalisedDocument, one_line
from embedmill.workers.chunking.settings import ChunkSettings

RECORD_VERSION = 2
READABLE = (1, RECORD_VERSION)
"""Version 1 knew of a chunk's first page only, and of no table."""
CHUNK_FIELDS = len(Chunk._fields)
ID_LENGTH = 24
"""Hex characters of a chunk id: 96 bits, so that two of a billion chunks share one with a chance of 10^-11."""


@dataclass(frozen=True, slots=True)
class ChunkSet:
    """All chunks of one text, as one fingerprint cut them; `ids` and the methods' lists run parallel to `chunks`.

    Ids are 24 hex characters from the fingerprint, the text and title, and the chunk's place; no more.
    """

    text: str
    title: str
    media_type: str
    fingerprint: str
    chunks: tuple[Chunk, ...]
    ids: tuple[str, ...]
    tables: tuple[tuple[Span, Span], ...] = ()
    """Where the rows of each table with a head stand, and where that is."""
    words: TextWords | None = field(default=None, compare=False, repr=False)
    """The words of the text, where it was cut into some here."""

    def shown(self) -> list[str]:
        """What is judged of each chunk."""
        return [chunk.shown(self.text) for chunk in self.chunks]

    def embedded_texts(self) -> list[str]:
        return [chunk.embedded_text(self.text) for chunk in self.chunks]


def build_chunk_set(document: NormalisedDocument, settings: ChunkSettings, *, title: str, media_type: str) -> ChunkSet:
    """Cut a document and keep what later stages need of it."""
    heading = one_line(title)
    text = CountedText(document.text)
    chunks = tuple(chunk_counted(text, document, settings, title=heading))
    fingerprint = settings.fingerprint()
    ids = chunk_ids(chunks, text=document.text, title=heading, fingerprint=fingerprint)
    tables = tuple(_tables(document))
    return ChunkSet(document.text, heading, media_type, fingerprint, chunks, ids, tables, text.words)


def _tables(document: NormalisedDocument) -> Iterator[tuple[Span, Span]]:
    rows = (block for block in document.blocks if not block.in_head)
    for head, run in groupby(rows, key=attrgetter("head")):
        if head is not None:
            first, *others = run
            yield (first.start, (others or [first])[-1].end), head


def find_runs(chunk_set: ChunkSet) -> dict[str, WordRun]:
    """The words of what is shown and embedded of chunks, as far as these are parts of the text between white space."""
    words, text = chunk_set.words, chunk_set.text
    if words is None or words.lexicon is not current():
        return {}
    chunks = [chunk for chunk in chunk_set.chunks if chunk.head is None and _is_between_spaces(text, chunk)]
    found = words.runs([(chunk.start, chunk.end) for chunk in chunks], is_composed=stands_as_written(text, words))
    prefixes = {prefix: cut_into_words(prefix) for prefix in {chunk.prefix for chunk in chunks} if prefix}
    runs: dict[str, WordRun] = {}
    for chunk, run in zip(chunks, found, strict=True):
        shown = text[chunk.start : chunk.end]
        runs[shown] = run
        if prefixes and (before := prefixes.get(chunk.prefix)) and before.lexicon is run.lexicon:
            runs[chunk.prefix + shown] = run.behind(before)
    return runs


def _is_between_spaces(text: str, chunk: Chunk) -> bool:
    before, behind = text[chunk.start - 1 : chunk.start], text[chunk.end : chunk.end + 1]
    return (not before or before.isspace()) and (not behind or behind.isspace())


def chunk_ids(chunks: Sequence[Chunk], *, text: str, title: str, fingerprint: str) -> tuple[str, ...]:
    """The ids of a text's chunks, the same on every machine."""
    content = digest(text, title, length=64)
    places = (f"{chunk.ordinal} {chunk.start} {chunk.end}" for chunk in chunks)
    return tuple(digests(fingerprint, content, lasts=places, length=ID_LENGTH))


def encode_chunk_set(chunk_set: ChunkSet) -> bytes:
    """JSON `{v, text, title, media_type, fingerprint, chunks: [[ordinal, start, …]], ids, tables}`; stable bytes."""
    return json_bytes(
        {
            "v": RECORD_VERSION,
            "text": chunk_set.text,
            "title": chunk_set.title,
            "media_type": chunk_set.media_type,
            "fingerprint": chunk_set.fingerprint,
            "chunks": list(map(tuple, chunk_set.chunks)),
            "ids": chunk_set.ids,
            "tables": chunk_set.tables,
        }
    )


def decode_chunk_set(data: bytes) -> ChunkSet:
    """The chunk set in `data`; raises BlobMissing when it is no whole one, or of another version.

    Whether its bytes are the ones that were written is the blob store's to know: it checks every object's hash.
    """
    try:
        record = orjson.loads(data)
        if record["v"] not in READABLE or len(record["ids"]) != len(record["chunks"]):
            raise BlobMissing("a stored chunk set is of another version")
        return _chunk_set(record)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BlobMissing("a stored chunk set is damaged") from error


def _chunk_set(record: dict[str, Any]) -> ChunkSet:
    chunks = tuple(_chunk(*stored) for stored in record["chunks"])
    names = (record["text"], record["title"], record["media_type"], record["fingerprint"])
    tables = tuple((_span(rows), _span(head)) for rows, head in record.get("tables", ()))
    return ChunkSet(*names, chunks, tuple(record["ids"]), tables)


def _chunk(*stored: Any) -> Chunk:
    ordinal, start, end, tokens, section, pages, prefix, head = (
        stored if len(stored) == CHUNK_FIELDS else (*stored, None)
    )
    if isinstance(pages, int):
        pages = (pages, pages)
    return Chunk(ordinal, start, end, tokens, section, pages and _span(pages), prefix, head and _span(head))


def _span(stored: list[int]) -> Span:
    first, last = stored
    return first, last
