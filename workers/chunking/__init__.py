"""Chunking: parsed blocks become one stored text, and exact spans of it that fit an embedding model."""

from embedmill.workers.chunking.chunk import Chunk
from embedmill.workers.chunking.chunk_set import (
    ChunkSet,
    build_chunk_set,
    decode_chunk_set,
    encode_chunk_set,
    find_runs,
)
from embedmill.workers.chunking.chunker import chunk
from embedmill.workers.chunking.dividing import can_divide, divide
from embedmill.workers.chunking.normalise import BlockSpan, NormalisedDocument, normalise
from embedmill.workers.chunking.settings import ChunkSettings

__all__ = [
    "BlockSpan",
    "Chunk",
    "ChunkSet",
    "ChunkSettings",
    "NormalisedDocument",
    "build_chunk_set",
    "can_divide",
    "chunk",
    "decode_chunk_set",
    "divide",
    "encode_chunk_set",
    "find_runs",
    "normalise",
]
