"""Pieces: the parts of a document that a chunk takes whole, each counted once and none above the maximum."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from embedmill.shared.tokenizer import CountedText
from embedmill.workers.chunking.chunk import Span
from embedmill.workers.chunking.heads import Head, Heads
from embedmill.workers.chunking.normalise import BlockSpan
from embedmill.workers.chunking.sentences import CELL, LINE, PARAGRAPH, WORD, Boundary, even_cut, spans
from embedmill.workers.parsing.document import BlockKind

PROSE = {BlockKind.PARAGRAPH, BlockKind.CAPTION}
FIRST_CUTS = {BlockKind.CODE: PARAGRAPH, BlockKind.TABLE_ROW: CELL}
"""Where a block of a kind is cut first, if it must be; others at sentences."""
GAP = 2
"""Characters of white space before a piece that its count includes: tokens hold the space or lines before a word."""


class Piece(NamedTuple):
    """`text[start:end]` of one block. `tokens` include up to two characters of white space before it.

    `gap` are the tokens of a longer white space between it and the piece before. `sentence` is false for a fragment
    that starts within a sentence. `opens` says that it means nothing without what follows: a `heading`, a table's head.
    """

    start: int
    end: int
    tokens: int
    gap: int
    block: BlockSpan
    sentence: bool = True
    opens: bool = False
    heading: bool = False

    @property
    def whole(self) -> bool:
        """Whether it is all of its block."""
        return (self.start, self.end) == (self.block.start, self.block.end)


@dataclass(frozen=True, slots=True)
class Limits:
    """In tokens: `whole` is the longest prose block that stays whole, `room` the aim of a cut, `maximum` its bound.

    `sentences` are the boundaries at which prose is cut first.
    """

    whole: int
    room: int
    maximum: int
    sentences: Boundary

    def beside(self, head: Head | None) -> "Limits":
        """What is left of them for rows whose head takes its part."""
        if head is None:
            return self
        return replace(self, room=max(self.room - head.tokens, 1), maximum=self.maximum - head.tokens)


def cut_pieces(text: CountedText, blocks: Sequence[BlockSpan], limits: Limits, heads: Heads) -> list[Piece]:
    """Every block as one piece where it may stay whole, else its sentences, lines, words or graphemes."""
    counted = count_spans(text, [(block.start, block.end) for block in blocks])
    pieces: list[Piece] = []
    for block, (tokens, gap) in zip(blocks, counted, strict=True):
        within = limits.beside(heads.of(block))
        if _stays_whole(text, block, tokens=tokens, limits=within):
            heading = block.kind is BlockKind.HEADING
            opens = heading or heads.opens(block)
            pieces.append(Piece(block.start, block.end, tokens, gap, block, opens=opens, heading=heading))
        else:
            pieces += _cut_block(text, block, within)
    return pieces


def count_spans(text: CountedText, pieces: Sequence[Span]) -> list[tuple[int, int]]:
    """Tokens and gap tokens of each of these consecutive spans, as a Piece has them."""
    counted = []
    count = text.count
    before = pieces[0][0] if pieces else 0
    for start, end in pieces:
        if start - before > GAP:
            counted.append((count(start - GAP, end), count(before, start)))
        else:
            counted.append((count(before, end), 0))
        before = end
    return counted


def hard_cut(text: CountedText, span: Span, limits: Limits) -> list[Span]:
    """`span` cut between characters, each part within the maximum; a character has at most four tokens."""
    tokens = text.count(*span)
    if tokens <= limits.maximum:
        return [span]
    parts = max(2, -(-tokens // limits.room))
    return [part for half in even_cut(text.text, span, parts=parts) for part in hard_cut(text, half, limits)]


def cut_span(text: CountedText, span: Span, *, most: int, sentences: Boundary, by_lines: bool = False) -> list[Span]:
    """`span` cut at sentences, lines, words or graphemes into as few parts of about `most` tokens as that allows.

    Rows of a table are cut at lines first.
    """
    limits = Limits(whole=most, room=most, maximum=most, sentences=sentences)
    first = (LINE, sentences) if by_lines else (sentences, LINE)
    parts = _divide(text, span, (*first, WORD), limits=limits)
    return [part for part, _ in _merged(text, parts, most)]


def _stays_whole(text: CountedText, block: BlockSpan, *, tokens: int, limits: Limits) -> bool:
    limit = limits.whole if block.kind in PROSE else limits.maximum
    return tokens <= limit or (tokens <= limit + GAP and text.count(block.start, block.end) <= limit)


def _cut_block(text: CountedText, block: BlockSpan, limits: Limits) -> list[Piece]:
    first = FIRST_CUTS.get(block.kind, limits.sentences)
    found = spans(text.text, (block.start, block.end), first)
    counted = count_spans(text, found)
    heading = block.kind is BlockKind.HEADING
    if all(tokens <= limits.maximum for tokens, _ in counted):
        return [
            Piece(start, end, tokens, gap, block, True, heading, heading)  # noqa: FBT003 - once for each sentence
            for (start, end), (tokens, gap) in zip(found, counted, strict=True)
        ]
    parts = list(_within(text, found, counted, (LINE, WORD), limits=limits))
    counted = count_spans(text, [span for span, _ in parts])
    return [
        Piece(start, end, tokens, gap, block, sentence, heading, heading)
        for ((start, end), sentence), (tokens, gap) in zip(parts, counted, strict=True)
    ]


def _divide(
    text: CountedText, span: Span, boundaries: tuple[Boundary, ...], *, limits: Limits
) -> list[tuple[Span, bool]]:
    """The parts of `span` within the maximum, each with whether it starts where the first boundary says."""
    if not boundaries:
        return [(part, False) for part in hard_cut(text, span, limits)]
    found = spans(text.text, span, boundaries[0])
    parts = list(_within(text, found, count_spans(text, found), boundaries[1:], limits=limits))
    return _merged(text, parts, limits.room) if boundaries == (WORD,) else parts


def _within(
    text: CountedText,
    found: Sequence[Span],
    counted: Sequence[tuple[int, int]],
    boundaries: tuple[Boundary, ...],
    *,
    limits: Limits,
) -> Iterator[tuple[Span, bool]]:
    for part, (tokens, _) in zip(found, counted, strict=True):
        if tokens <= limits.maximum:
            yield part, True
        else:
            yield from ((inner, False) for inner, _ in _divide(text, part, boundaries, limits=limits))


def _merged(text: CountedText, parts: list[tuple[Span, bool]], room: int) -> list[tuple[Span, bool]]:
    """Neighbouring words joined up to `room` tokens, so that a million words are not a million pieces."""
    merged: list[tuple[Span, bool]] = []
    used = 0
    for (span, _), (tokens, gap) in zip(parts, count_spans(text, [span for span, _ in parts]), strict=True):
        if merged and used + gap + tokens <= room:
            merged[-1] = ((merged[-1][0][0], span[1]), False)
            used += gap + tokens
        else:
            merged.append((span, False))
            used = tokens
    return merged
