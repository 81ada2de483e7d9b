"""The chunker: a normalised document in, chunks that cover it out."""

from collections.abc import Iterator
from typing import NamedTuple

from embedmill.shared.tokenizer import CountedText
from embedmill.workers.chunking.chunk import Chunk, Span
from embedmill.workers.chunking.heads import Head, Heads
from embedmill.workers.chunking.normalise import NormalisedDocument
from embedmill.workers.chunking.overlap import overlap_start
from embedmill.workers.chunking.packing import Group, Packer
from embedmill.workers.chunking.pieces import Limits, cut_pieces
from embedmill.workers.chunking.prefix import MOST_TOKENS, prefix
from embedmill.workers.chunking.sentences import Boundary, sentences_in
from embedmill.workers.chunking.settings import ChunkSettings


def chunk(document: NormalisedDocument, settings: ChunkSettings, *, title: str) -> list[Chunk]:
    """Cut a document into chunks, in order; an empty text has none: see `chunk_counted`."""
    return chunk_counted(CountedText(document.text), document, settings, title=title)


def chunk_counted(
    text: CountedText, document: NormalisedDocument, settings: ChunkSettings, *, title: str
) -> list[Chunk]:
    """The same, of a document whose text is counted.

    Every character that is not white space lies in at least one body, start offsets rise strictly, and no chunk has
    more than `settings.maximum` tokens, those of a table's head included. The same input gives the same chunks on
    every machine.
    """
    limits = _limits(settings, sentences_in(document.text))
    heads = Heads(text, document.blocks, most=settings.most_head)
    pieces = cut_pieces(text, document.blocks, limits, heads)
    groups = Packer(text, settings, limits, heads).pack(pieces)
    prefixes = _Prefixes(title, settings)
    parts = _with_overlap(text, groups, settings, heads, limits.sentences)
    has_pages = any(block.page is not None for block in document.blocks)
    return [_chunk(ordinal, part, prefixes, has_pages=has_pages) for ordinal, part in enumerate(parts)]


def _limits(settings: ChunkSettings, sentences: Boundary) -> Limits:
    # Prose longer than `whole` could not follow a chunk that is still below the minimum.
    whole = min(settings.room, max(settings.maximum - settings.minimum, settings.minimum))
    return Limits(whole=whole, room=settings.room, maximum=settings.maximum, sentences=sentences)


class _Part(NamedTuple):
    """What becomes a chunk: a span, the pieces that it holds any of, its own first piece, and what it carries."""

    start: int
    end: int
    pieces: Group
    tokens: int
    head: Head | None


def _with_overlap(
    text: CountedText, groups: list[Group], settings: ChunkSettings, heads: Heads, sentences: Boundary
) -> Iterator[_Part]:
    """Each group with what it repeats of the one before, if the maximum and its head allow that."""
    before: Group = []
    for group in groups:
        start, pieces = group[0].start, group
        if before:
            start = overlap_start(text, before, group, overlap=settings.overlap, sentences=sentences)
            if start < before[-1].end:
                pieces = [*[piece for piece in before if piece.end > start], *group]
        whole = _part(text, start, pieces, heads)
        if whole is None or whole.tokens > settings.maximum:
            whole = _part(text, group[0].start, group, heads)
        assert whole is not None
        yield whole
        before = group


def _part(text: CountedText, start: int, pieces: Group, heads: Heads) -> _Part | None:
    end = pieces[-1].end
    if not heads.any:
        return _Part(start, end, pieces, text.count(start, end), None)
    carried = heads.carried((piece.block for piece in pieces), start)
    if len(carried) > 1:
        return None
    head = next(iter(carried), None)
    return _Part(start, end, pieces, text.count(start, end) + (head.tokens if head else 0), head)


class _Prefixes(dict[str, str]):
    """The prefix of each section, made once."""

    def __init__(self, title: str, settings: ChunkSettings) -> None:
        super().__init__()
        self._title = title
        self._limit = min(MOST_TOKENS, settings.target // 4)

    def __missing__(self, section: str) -> str:
        self[section] = prefix(self._title, section, limit=self._limit)
        return self[section]


def _chunk(ordinal: int, part: _Part, prefixes: _Prefixes, *, has_pages: bool) -> Chunk:
    section = _section(part.pieces)
    head = (part.head.start, part.head.end) if part.head else None
    pages = _pages(part.pieces) if has_pages else None
    return Chunk(ordinal, part.start, part.end, part.tokens, section, pages, prefixes[section], head)


def _section(pieces: Group) -> str:
    """The section of the first content."""
    for piece in pieces:
        if not piece.heading:
            return piece.block.section
    return pieces[-1].block.section


def _pages(pieces: Group) -> Span | None:
    pages = [piece.block.page for piece in pieces if piece.block.page is not None]
    return (min(pages), max(pages)) if pages else None
