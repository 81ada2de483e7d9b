"""The chunker: a normalised document in, chunks that cover it out."""

import itertools

from embedmill.shared.tokenizer import CountedText
from embedmill.workers.chunking.chunk import Chunk
from embedmill.workers.chunking.normalise import NormalisedDocument
from embedmill.workers.chunking.packing import Group, Packer, overlap_start
from embedmill.workers.chunking.pieces import Limits, Piece, cut_pieces
from embedmill.workers.chunking.prefix import MOST_TOKENS, prefix
from embedmill.workers.chunking.settings import ChunkSettings


def chunk(document: NormalisedDocument, settings: ChunkSettings, *, title: str) -> list[Chunk]:
    """Cut a document into chunks, in order; an empty text has none.

    Every character that is not white space lies in at least one chunk, start offsets rise strictly, and no body has
    more than `settings.maximum` tokens. The same input gives the same chunks on every machine.
    """
    limits = _limits(settings)
    text = CountedText(document.text)
    groups = Packer(text, settings, limits).pack(cut_pieces(text, document.blocks, limits))
    starts = _starts(text, groups, settings)
    prefixes = _Prefixes(title, settings)
    return [
        _chunk(ordinal, group, start=start, tokens=text.count(start, group[-1].end), prefixes=prefixes)
        for ordinal, (group, start) in enumerate(zip(groups, starts, strict=True))
    ]


def _limits(settings: ChunkSettings) -> Limits:
    # Prose longer than `whole` could not follow a chunk that is still below the minimum.
    whole = min(settings.room, max(settings.maximum - settings.minimum, settings.minimum))
    return Limits(whole=whole, room=settings.room, maximum=settings.maximum)


def _starts(text: CountedText, groups: list[Group], settings: ChunkSettings) -> list[int]:
    """Where each chunk starts: with its overlap, if the maximum allows it."""
    wished = [group[0].start for group in groups[:1]] + [
        overlap_start(text, before, group, overlap=settings.overlap) for before, group in itertools.pairwise(groups)
    ]
    return [
        start if text.count(start, group[-1].end) <= settings.maximum else group[0].start
        for start, group in zip(wished, groups, strict=True)
    ]


class _Prefixes(dict[str, str]):
    """The prefix of each section, made once."""

    def __init__(self, title: str, settings: ChunkSettings) -> None:
        super().__init__()
        self._title = title
        self._limit = min(MOST_TOKENS, settings.target // 4)

    def __missing__(self, section: str) -> str:
        self[section] = prefix(self._title, section, limit=self._limit)
        return self[section]


def _chunk(ordinal: int, group: Group, *, start: int, tokens: int, prefixes: _Prefixes) -> Chunk:
    block = _content(group).block
    section = block.section
    return Chunk(ordinal, start, group[-1].end, tokens, section, block.page, prefixes[section])


def _content(group: Group) -> Piece:
    return next((piece for piece in group if not piece.heading), group[-1])
