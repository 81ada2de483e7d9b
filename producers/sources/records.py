"""Cutting a stream of bytes into records of bounded size."""

from collections.abc import Iterator
from typing import BinaryIO

CHUNK_BYTES = 256 * 1024


def split_records(stream: BinaryIO, *, separator: bytes, max_bytes: int) -> Iterator[bytes | None]:
    """Every record without its separator; None in the place of one over `max_bytes`, which is never held whole."""
    parts: list[bytes] = []
    size = 0
    while chunk := stream.read(CHUNK_BYTES):
        *ended, rest = chunk.split(separator)
        for piece in ended:
            size += len(piece)
            yield None if size > max_bytes else b"".join((*parts, piece)) if parts else piece
            parts, size = [], 0
        size += len(rest)
        parts = [*parts, rest] if size <= max_bytes else []
    if size:
        yield None if size > max_bytes else b"".join(parts)
