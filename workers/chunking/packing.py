"""Packing: consecutive pieces gathered into chunks, by the structure of the document first and by size second."""

from collections.abc import Iterator

from embedmill.shared.tokenizer import CountedText
from embedmill.workers.chunking.pieces import Limits, Piece, count_spans, hard_cut
from embedmill.workers.chunking.sentences import SENTENCE, spans
from embedmill.workers.chunking.settings import ChunkSettings
from embedmill.workers.parsing.document import BlockKind

Group = list[Piece]


class Packer:
    """Packs pieces greedily; sums of piece counts steer, and exact counts of the text decide."""

    def __init__(self, text: CountedText, settings: ChunkSettings, limits: Limits) -> None:
        self._text = text
        self._settings = settings
        self._limits = limits
        self._groups: list[Group] = []
        self._current: Group = []
        self._tokens = 0

    def pack(self, pieces: list[Piece]) -> list[Group]:
        """Every piece in one group, in order; no group above the maximum, and few below the minimum."""
        for piece in pieces:
            while self._is_full_before(piece):
                self._close()
            self._append(piece)
        if self._current:
            self._groups.append(self._current)
        return [part for group in self._without_small() for part in self._within_maximum(group)]

    def _append(self, piece: Piece) -> None:
        self._tokens += piece.tokens + (piece.gap if self._current else 0)
        self._current.append(piece)

    def _is_full_before(self, piece: Piece) -> bool:
        if not self._current:
            return False
        total = self._tokens + piece.gap + piece.tokens
        if total > self._settings.maximum:
            return True
        return (piece.heading or total > self._settings.room) and self._reaches_minimum()

    def _reaches_minimum(self) -> bool:
        if self._tokens < self._settings.minimum:
            return False
        return count_group(self._text, self._current[: self._content_length()]) >= self._settings.minimum

    def _content_length(self) -> int:
        """Pieces up to the last that is no heading: a heading at the end belongs to the chunk that follows."""
        length = len(self._current)
        while length and self._current[length - 1].heading:
            length -= 1
        return length or len(self._current)

    def _close(self) -> None:
        length = self._content_length()
        closed, following = self._current[:length], self._current[length:]
        self._groups.append(closed)
        self._current, self._tokens = [], 0
        for piece in following:
            self._append(piece)

    def _without_small(self) -> list[Group]:
        """The groups, where one below the minimum joined the one before if both fit the maximum."""
        kept: list[Group] = []
        for group in self._groups:
            if kept and self._may_join(kept[-1], group):
                kept[-1] = kept[-1] + group
            else:
                kept.append(group)
        return kept

    def _may_join(self, before: Group, group: Group) -> bool:
        if count_group(self._text, group) >= self._settings.minimum:
            return False
        return count_group(self._text, [before[0], group[-1]]) <= self._settings.maximum

    def _within_maximum(self, group: Group) -> list[Group]:
        """The group, or its halves: a joined text can count more than the sum of its pieces, though it seldom does."""
        if count_group(self._text, group) <= self._settings.maximum:
            return [group]
        if len(group) == 1:
            return [[piece] for piece in self._fragments(group[0])]
        middle = len(group) // 2
        return self._within_maximum(group[:middle]) + self._within_maximum(group[middle:])

    def _fragments(self, piece: Piece) -> list[Piece]:
        cut = hard_cut(self._text, (piece.start, piece.end), self._limits)
        counted = count_spans(self._text, cut)
        return [
            Piece(start, end, tokens, gap, piece.block, sentence=False)
            for (start, end), (tokens, gap) in zip(cut, counted, strict=True)
        ]


def count_group(text: CountedText, group: Group) -> int:
    """Exact tokens of the text from the first piece to the last."""
    return text.count(group[0].start, group[-1].end)


def overlap_start(text: CountedText, before: Group, following: Group, *, overlap: int) -> int:
    """Where `following` starts when it repeats the last whole sentences of `before`, at most `overlap` tokens.

    Nothing is repeated across a heading, out of a code block, or from within a sentence; `before` is never repeated
    as a whole.
    """
    start, end = following[0].start, before[-1].end
    if not overlap or following[0].heading:
        return start
    for candidate in _sentence_starts(text.text, before):
        if candidate <= before[0].start or text.count(candidate, end) > overlap:
            break
        start = candidate
    return start


def _sentence_starts(text: str, group: Group) -> Iterator[int]:
    """From the last sentence backwards, as far as whole sentences of one section go."""
    for piece in reversed(group):
        if piece.heading or piece.block.kind is BlockKind.CODE or not piece.sentence:
            return
        yield from (start for start, _ in reversed(spans(text, (piece.start, piece.end), SENTENCE)))
