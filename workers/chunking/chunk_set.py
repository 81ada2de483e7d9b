"""The chunk set: one document's text and chunks as a stored object, and the ids by which everything names a chunk."""

from dataclasses import asdict, dataclass
from typing import Any

import orjson

from shared.addresses import digest
from shared.errors import BlobMissing
from workers.chunking.chunk import Chunk
from workers.chunking.chunker import chunk
from workers.chunking.normalise import NormalisedDocument, one_line
from workers.chunking.settings import ChunkSettings

RECORD_VERSION = 1
ID_LENGTH = 24
"""Hex characters of a chunk id: 96 bits, so that two of a billion chunks share one with a chance of 10^-11."""


@dataclass(frozen=True, slots=True)
class ChunkSet:
    """All chunks of one text, as one fingerprint cut them; `ids` and the methods' lists run parallel to `chunks`."""

    text: str
    title: str
    media_type: str
    fingerprint: str
    chunks: tuple[Chunk, ...]

    @property
    def ids(self) -> list[str]:
        """Chunk ids: 24 hex characters from the fingerprint, the text and title, and the chunk's place; no more."""
        content = digest(self.text, self.title, length=64)
        return [
            digest(self.fingerprint, content, f"{chunk.ordinal} {chunk.start} {chunk.end}", length=ID_LENGTH)
            for chunk in self.chunks
        ]

    def bodies(self) -> list[str]:
        return [chunk.body(self.text) for chunk in self.chunks]

    def embedded_texts(self) -> list[str]:
        return [chunk.embedded_text(self.text) for chunk in self.chunks]


def build_chunk_set(document: NormalisedDocument, settings: ChunkSettings, *, title: str, media_type: str) -> ChunkSet:
    """Cut a document and keep what later stages need of it."""
    heading = one_line(title)
    chunks = chunk(document, settings, title=heading)
    return ChunkSet(document.text, heading, media_type, settings.fingerprint(), tuple(chunks))


def encode_chunk_set(chunk_set: ChunkSet) -> bytes:
    """JSON `{v, text, title, media_type, fingerprint, chunks: [{id, ordinal, start, end, …}]}`; stable bytes."""
    chunks = [{"id": id_, **asdict(chunk)} for id_, chunk in zip(chunk_set.ids, chunk_set.chunks, strict=True)]
    return orjson.dumps(
        {
            "v": RECORD_VERSION,
            "text": chunk_set.text,
            "title": chunk_set.title,
            "media_type": chunk_set.media_type,
            "fingerprint": chunk_set.fingerprint,
            "chunks": chunks,
        }
    )


def decode_chunk_set(data: bytes) -> ChunkSet:
    """The chunk set in `data`; raises BlobMissing when it is of another version or damaged, as the stored ids show."""
    try:
        record = orjson.loads(data)
        chunk_set = _chunk_set(record)
        intact = record["v"] == RECORD_VERSION and chunk_set.ids == [chunk["id"] for chunk in record["chunks"]]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BlobMissing("a stored chunk set is damaged") from error
    if not intact:
        raise BlobMissing("a stored chunk set is damaged or of another version")
    return chunk_set


def _chunk_set(record: dict[str, Any]) -> ChunkSet:
    chunks = (Chunk(**{name: value for name, value in chunk.items() if name != "id"}) for chunk in record["chunks"])
    return ChunkSet(record["text"], record["title"], record["media_type"], record["fingerprint"], tuple(chunks))
