"""Dividing: chunks that a model finds too long become several; all others stay what they are, and keep their ids."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from embedmill.shared.addresses import digest
from embedmill.shared.tokenizer import CountedText, count_tokens
from embedmill.workers.chunking.chunk import Chunk, Span
from embedmill.workers.chunking.chunk_set import ID_LENGTH, ChunkSet
from embedmill.workers.chunking.pieces import cut_span
from embedmill.workers.chunking.sentences import sentences_in
from embedmill.workers.chunking.settings import SMALLEST_TARGET


def divide(chunk_set: ChunkSet, ordinals: Collection[int]) -> ChunkSet:
    """The chunk set with the chunks of these ordinals in parts of half their size; the others move up.

    A chunk that cannot be cut stays whole: see `can_divide`. The same chunks divide in the same way everywhere.
    """
    counted = CountedText(chunk_set.text)
    made: list[tuple[Chunk, str]] = []
    for chunk, id_ in zip(chunk_set.chunks, chunk_set.ids, strict=True):
        parts = _parts(counted, chunk, id_, chunk_set.tables) if chunk.ordinal in ordinals else [(chunk, id_)]
        made += [(part._replace(ordinal=len(made) + place), part_id) for place, (part, part_id) in enumerate(parts)]
    return replace(chunk_set, chunks=tuple(chunk for chunk, _ in made), ids=tuple(id_ for _, id_ in made))


def can_divide(chunk_set: ChunkSet, ordinal: int) -> bool:
    """Whether dividing makes it shorter: it is no smallest chunk, and more than one character or a head."""
    chunk = chunk_set.chunks[ordinal]
    if chunk.tokens <= SMALLEST_TARGET:
        return False
    first, *others = _parts(CountedText(chunk_set.text), chunk, "", chunk_set.tables)
    return bool(others) or first[0].head != chunk.head


def _parts(
    text: CountedText, chunk: Chunk, id_: str, tables: Sequence[tuple[Span, Span]]
) -> Iterator[tuple[Chunk, str]]:
    most = -(-chunk.tokens // 2)
    heads = [head for rows, head in tables if rows[0] < chunk.end and chunk.start < rows[1]]
    carried = max((_tokens_of(text, head) for head in heads), default=0)
    if carried > most // 2:
        # The model would refuse the head alone sooner or later.
        tables, carried = (), 0
    sentences = sentences_in(text.text)
    span = (chunk.start, chunk.end)
    for start, end in cut_span(text, span, most=most - carried, sentences=sentences, by_lines=bool(heads)):
        head = _missing_head(start, end, tables)
        tokens = text.count(start, end) + (_tokens_of(text, head) if head else 0)
        part = chunk._replace(start=start, end=end, tokens=tokens, head=head)
        yield part, digest(id_, f"{start} {end}", length=ID_LENGTH)


def _missing_head(start: int, end: int, tables: Sequence[tuple[Span, Span]]) -> Span | None:
    """The head of the first table of whose rows the span has some, where the span does not hold it."""
    return next((head for rows, head in tables if rows[0] < end and start < rows[1] and head[0] < start), None)


def _tokens_of(text: CountedText, head: Span) -> int:
    return count_tokens(text.text[slice(*head)] + "\n")
