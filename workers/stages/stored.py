"""Reads back what earlier stages stored: a document's chunk set and which of its chunks were rejected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from shared.db.work import Item
from shared.errors import BlobMissing
from shared.outcomes import Fail, Outcome
from shared.providers.blobs.base import BlobStore
from workers.chunking import Chunk, ChunkSet, decode_chunk_set


@dataclass(frozen=True, slots=True)
class Stored:
    """One document's chunks; `rejections` maps ordinals to reasons, `kept` are the chunks that were not rejected."""

    item: Item
    chunk_set: ChunkSet
    rejections: dict[int, str]
    kept: list[Chunk]


def load_stored(blobs: BlobStore, items: Sequence[Item]) -> tuple[list[Stored], dict[int, Outcome]]:
    """The documents that could be read, and the outcome of those that could not."""
    references = [r for item in items for r in (item.chunks_ref, item.rejections_ref) if r is not None]
    found = blobs.get_pack(references)
    loaded: list[Stored] = []
    failed: dict[int, Outcome] = {}
    for item in items:
        try:
            loaded.append(_load(item, found))
        except BlobMissing as error:
            failed[item.id] = Fail(error)
    return loaded, failed


def _load(item: Item, found: Mapping[str, bytes | BlobMissing]) -> Stored:
    chunk_set, rejected = read_stored(item.chunks_ref, item.rejections_ref, found)
    kept = [chunk for chunk in chunk_set.chunks if chunk.ordinal not in rejected]
    return Stored(item, chunk_set, rejected, kept)


def read_stored(
    chunks_ref: str | None, rejections_ref: str | None, found: Mapping[str, bytes | BlobMissing]
) -> tuple[ChunkSet, dict[int, str]]:
    """A chunk set and its rejections by ordinal, from a pack that was read; raises BlobMissing."""
    rejections = orjson.loads(_require(rejections_ref, found)) if rejections_ref else {}
    chunk_set = decode_chunk_set(_require(chunks_ref, found))
    return chunk_set, {int(ordinal): reason for ordinal, reason in rejections.items()}


def _require(reference: str | None, found: Mapping[str, bytes | BlobMissing]) -> bytes:
    data = found[reference] if reference is not None else BlobMissing("no chunk set was stored")
    if isinstance(data, BlobMissing):
        raise data
    return data


def encode_rejections(rejections: dict[int, str]) -> bytes:
    """Rejections as a stored object."""
    return orjson.dumps({str(ordinal): reason for ordinal, reason in sorted(rejections.items())})
