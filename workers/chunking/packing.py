"""Packing: consecutive pieces gathered into chunks, by the structure of the document first and by size second."""

from collections.abc import Set

from embedmill.shared.tokenizer import CountedText
from embedmill.workers.chunking.chunk import Span
from embedmill.workers.chunking.heads import NONE, Head, Heads
from embedmill.workers.chunking.pieces import Limits, Piece, count_spans, hard_cut
from embedmill.workers.chunking.settings import ChunkSettings

Group = list[Piece]


class Packer:
    """Packs pieces greedily; sums of piece counts steer, and exact counts of the text decide.

    A group's tokens are those of its text and of the head that it must carry. It has one part and needs one head.
    """

    def __init__(self, text: CountedText, settings: ChunkSettings, limits: Limits, heads: Heads) -> None:
        self._text = text
        self._settings = settings
        self._limits = limits
        self._heads = heads
        self._groups: list[Group] = []
        self._current: Group = []
        self._head: Head | None = None
        self._tokens = 0
        self._counts: dict[Span, int] = {}

    def pack(self, pieces: list[Piece]) -> list[Group]:
        """Every piece in one group, in order; no group above the maximum, and few below the minimum."""
        for piece in pieces:
            if self._takes(piece):
                continue
            while self._current and self._is_full_before(piece):
                self._close(before=piece)
            self._append(piece)
        if self._current:
            self._groups.append(self._current)
        return [part for group in self._without_small() for part in self._within_maximum(group)]

    def _takes(self, piece: Piece) -> bool:
        """Whether the current group took it at once: there is room, and nothing about it but its size to look at."""
        total = self._tokens + piece.gap + piece.tokens
        if not self._current or total > self._settings.room or piece.heading or piece.block.head is not None:
            return False
        if _are_apart(self._current[-1], piece):
            return False
        self._tokens = total
        self._current.append(piece)
        return True

    def _append(self, piece: Piece) -> None:
        head = self._missing(piece)
        if head is not None and self._head is None:
            self._head = head
            self._tokens += head.tokens
        self._tokens += piece.tokens + (piece.gap if self._current else 0)
        self._current.append(piece)

    def _missing(self, piece: Piece) -> Head | None:
        """The head that the current group must carry if it takes the piece."""
        if piece.block.head is None:
            return None
        head = self._heads.of(piece.block)
        begin = self._current[0].start if self._current else piece.start
        return head if head is not None and head.start < begin else None

    def _is_full_before(self, piece: Piece) -> bool:
        head = self._missing(piece)
        if _are_apart(self._current[-1], piece) or (head and self._head and head != self._head):
            return True
        total = self._tokens + piece.gap + piece.tokens + (head.tokens if head and not self._head else 0)
        if total > self._settings.maximum:
            return True
        return (piece.heading or total > self._settings.room) and self._reaches_minimum()

    def _reaches_minimum(self) -> bool:
        if self._tokens < self._settings.minimum:
            return False
        return self.count(self._current[: self._content_length()]) >= self._settings.minimum

    def _content_length(self) -> int:
        """Pieces up to the last that opens nothing: what opens something belongs to the chunk that follows."""
        length = len(self._current)
        while length and self._current[length - 1].opens:
            length -= 1
        return length or len(self._current)

    def _close(self, *, before: Piece) -> None:
        length = len(self._current) if _are_apart(self._current[-1], before) else self._content_length()
        closed, following = self._current[:length], self._current[length:]
        self._groups.append(closed)
        self._current, self._head, self._tokens = [], None, 0
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
        if _are_apart(before[-1], group[0]) or self.count(group) >= self._settings.minimum:
            return False
        joined = [*before, *group]
        return len(self._carried(joined)) <= 1 and self.count(joined) <= self._settings.maximum

    def _within_maximum(self, group: Group) -> list[Group]:
        """The group, or its halves: a joined text can count more than the sum of its pieces, though it seldom does."""
        if self.count(group) <= self._settings.maximum:
            return [group]
        if len(group) == 1:
            return [[piece] for piece in self._fragments(group[0])]
        middle = len(group) // 2
        return self._within_maximum(group[:middle]) + self._within_maximum(group[middle:])

    def _fragments(self, piece: Piece) -> list[Piece]:
        limits = self._limits.beside(self._heads.of(piece.block))
        cut = hard_cut(self._text, (piece.start, piece.end), limits)
        counted = count_spans(self._text, cut)
        return [
            Piece(start, end, tokens, gap, piece.block, sentence=False, heading=piece.heading)
            for (start, end), (tokens, gap) in zip(cut, counted, strict=True)
        ]

    def count(self, group: Group) -> int:
        """Exact tokens of a group: of its text, and of a head that it must carry."""
        place = group[0].start, group[-1].end
        if place not in self._counts:
            self._counts[place] = self._text.count(*place) + sum(head.tokens for head in self._carried(group))
        return self._counts[place]

    def _carried(self, group: Group) -> Set[Head]:
        return self._heads.carried((piece.block for piece in group), group[0].start) if self._heads.any else NONE


def _are_apart(one: Piece, other: Piece) -> bool:
    return one.block.part != other.block.part
