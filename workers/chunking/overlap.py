"""The overlap: how much of the chunk before a chunk repeats."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from embedmill.shared.tokenizer import CountedText
from embedmill.workers.chunking.chunk import Span
from embedmill.workers.chunking.packing import Group
from embedmill.workers.chunking.pieces import Piece
from embedmill.workers.chunking.sentences import LINE, WORD, Boundary, backwards, is_joined
from embedmill.workers.parsing.document import BlockKind

UNDIVIDED = {BlockKind.CODE, BlockKind.TABLE_ROW}
"""Kinds of which no part of a line is repeated."""
WORD_CHARACTERS = 8
"""So many characters for each token are looked through for words."""


def overlap_start(text: CountedText, before: Group, following: Group, *, overlap: int, sentences: Boundary) -> int:
    """Where `following` starts when it repeats what stands before it, at most `overlap` tokens.

    That is whole sentences, rows, and lines of code, as many as there is room for; of a sentence that alone is longer,
    its last words, and of text without spaces its last characters. Nothing is repeated across a heading or into another
    part, and never all of `before`.
    """
    start, end = following[0].start, before[-1].end
    if not overlap or following[0].heading or before[-1].block.part != following[0].block.part:
        return start
    for candidate in _whole_starts(text.text, before, sentences):
        if candidate <= before[0].start or text.count(candidate, end) > overlap:
            break
        start = candidate
    if start < end or before[-1].opens or before[-1].block.kind in UNDIVIDED:
        return start
    return _start_within(text, (max(before[-1].start, before[0].start + 1), end), overlap) or start


def _whole_starts(text: str, group: Group, sentences: Boundary) -> Iterator[int]:
    """From the last sentence, row or line backwards, as far as one section goes."""
    for piece in reversed(group):
        if piece.opens:
            return
        if piece.block.kind is BlockKind.TABLE_ROW:
            if not piece.whole:
                return
            yield piece.start
        elif piece.block.kind is BlockKind.CODE:
            yield from _starts(text, piece, LINE)
        elif piece.sentence:
            yield from _starts(text, piece, sentences) if piece.whole else [piece.start]
        else:
            return


def _starts(text: str, piece: Piece, boundary: Boundary) -> Iterator[int]:
    return (start for start, _ in backwards(text, (piece.start, piece.end), boundary))


def _start_within(text: CountedText, span: Span, overlap: int) -> int | None:
    """Where the last words of a span begin, or its last characters where a single word is too long."""
    first, end = span
    tail = max(first, end - WORD_CHARACTERS * overlap)
    found = text.text[tail:end]
    if text.words is not None and found.isascii() and " \n" not in found:
        return text.find_start(tail, end, overlap) or _first_fitting(text, _characters(text, tail, end), end, overlap)
    words = [cut for cut in WORD(text.text, tail, end) if cut < end]
    if not found.isascii():
        words = [cut for cut in words if not is_joined(text.text, cut)]
    return _first_fitting(text, words, end, overlap) or _first_fitting(text, _characters(text, tail, end), end, overlap)


def _characters(text: CountedText, start: int, end: int) -> Sequence[int]:
    return [place for place in range(start, end) if not is_joined(text.text, place)]


def _first_fitting(text: CountedText, starts: Sequence[int], end: int, overlap: int) -> int | None:
    place = bisect_left(starts, -overlap, key=lambda start: -text.count(start, end))
    return starts[place] if place < len(starts) else None
