"""Dividing: chunks that a model finds too long become several; all others stay what they are, and keep their ids."""

from collections.abc import Collection, Iterator
from dataclasses import replace

from embedmill.shared.addresses import digest
from embedmill.shared.tokenizer import CountedText
from embedmill.workers.chunking.chunk import Chunk
from embedmill.workers.chunking.chunk_set import ID_LENGTH, ChunkSet
from embedmill.workers.chunking.pieces import cut_span
from embedmill.workers.chunking.settings import SMALLEST_TARGET


def divide(chunk_set: ChunkSet, ordinals: Collection[int]) -> ChunkSet:
    """The chunk set with the chunks of these ordinals in parts of half their size; the others move up.

    A chunk that cannot be cut stays whole: see `can_divide`. The same chunks divide in the same way everywhere.
    """
    counted = CountedText(chunk_set.text)
    made: list[tuple[Chunk, str]] = []
    for chunk, id_ in zip(chunk_set.chunks, chunk_set.ids, strict=True):
        parts = _parts(counted, chunk, id_) if chunk.ordinal in ordinals else [(chunk, id_)]
        made += [(replace(part, ordinal=len(made) + place), part_id) for place, (part, part_id) in enumerate(parts)]
    return replace(chunk_set, chunks=tuple(chunk for chunk, _ in made), ids=tuple(id_ for _, id_ in made))


def can_divide(chunk_set: ChunkSet, ordinal: int) -> bool:
    """Whether a chunk has parts: it is longer than the smallest chunk there may be, and more than one character."""
    chunk = chunk_set.chunks[ordinal]
    return chunk.tokens > SMALLEST_TARGET and len(list(_parts(CountedText(chunk_set.text), chunk, ""))) > 1


def _parts(text: CountedText, chunk: Chunk, id_: str) -> Iterator[tuple[Chunk, str]]:
    spans = cut_span(text, (chunk.start, chunk.end), most=-(-chunk.tokens // 2))
    for start, end in spans:
        yield (
            replace(chunk, start=start, end=end, tokens=text.count(start, end)),
            digest(id_, f"{start} {end}", length=ID_LENGTH),
        )
