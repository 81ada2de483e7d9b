"""The heads of tables: which chunk must carry one, and how many tokens that takes."""

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass

from embedmill.shared.tokenizer import CountedText, count_tokens
from embedmill.workers.chunking.chunk import Span
from embedmill.workers.chunking.normalise import BlockSpan

NONE: Set["Head"] = frozenset()


@dataclass(frozen=True, slots=True)
class Head:
    """`text[start:end]` heads a table; `tokens` count the line feed that parts it from the rows."""

    start: int
    end: int
    tokens: int


class Heads(dict[Span, Head | None]):
    """What chunks carry of each table's head: all of it, or as many of its last lines as `most` tokens hold.

    `any` says whether there is a head at all.
    """

    def __init__(self, text: CountedText, blocks: Sequence[BlockSpan], *, most: int) -> None:
        super().__init__()
        self._text = text
        self.any = any(block.head is not None for block in blocks)
        self._most = most

    def __missing__(self, span: Span) -> Head | None:
        self[span] = self._shortened(*span)
        return self[span]

    def of(self, block: BlockSpan) -> Head | None:
        """What a chunk that holds this row has to hold or carry; None for other blocks."""
        return None if block.head is None or block.in_head else self[block.head]

    def opens(self, block: BlockSpan) -> bool:
        """Whether it belongs to a head that the rows below it have in common with later chunks."""
        head = self[block.head] if block.head is not None and block.in_head else None
        return head is not None and block.start >= head.start

    def carried(self, blocks: Iterable[BlockSpan], start: int) -> Set[Head]:
        """The heads that stand before `start`, of the rows among these blocks. A chunk can carry one."""
        if not self.any:
            return NONE
        heads = {head for block in blocks if block.head is not None and (head := self.of(block))}
        return {head for head in heads if head.start < start}

    def _shortened(self, start: int, end: int) -> Head | None:
        while start < end:
            if self._text.count(start, end) <= self._most:
                tokens = count_tokens(self._text.text[start:end] + "\n")
                if tokens <= self._most:
                    return Head(start, end, tokens)
            line_end = self._text.text.find("\n", start, end)
            start = end if line_end < 0 else line_end + 1
        return None
