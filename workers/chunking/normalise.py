"""Normalisation: the blocks of a parsed document as one text, with the span, section and page of each block."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from embedmill.shared.encoding import is_storable
from embedmill.workers.chunking.chunk import Span
from embedmill.workers.parsing.document import Block, BlockKind, ParsedDocument

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""PostgreSQL takes no NUL and UTF-8 no lone surrogate."""

TABLE = {BlockKind.CAPTION, BlockKind.TABLE_ROW}
INDENTED = {BlockKind.CODE, BlockKind.LIST_ITEM}
"""Kinds whose first line keeps the blanks before it."""

HEADING_CHARACTERS = 200
"""Most characters of one heading in a section path, which every chunk below it carries."""

PATH_SEPARATOR = " > "


class BlockSpan(NamedTuple):
    """A block as `text[start:end]`, in Python characters. `section` is the path of headings above and including it.

    `head` is the span of what heads its table, where rows follow that; of the head's own blocks too. `part` is the part
    of the document that it stands in; no chunk joins parts.
    """

    start: int
    end: int
    kind: BlockKind
    section: str = ""
    page: int | None = None
    part: int = 0
    head: Span | None = None

    @property
    def in_head(self) -> bool:
        """Whether it is one of the blocks that head a table."""
        return self.head is not None and self.end <= self.head[1]


@dataclass(frozen=True, slots=True)
class NormalisedDocument:
    """The stored text and its blocks, in order and without overlap; only white space lies between them."""

    text: str
    blocks: tuple[BlockSpan, ...]


def normalise(parsed: ParsedDocument) -> NormalisedDocument:
    """Join the blocks that hold any text; line ends become line feeds, and what no store keeps is removed.

    White space around a block is trimmed, inside it is kept, as is a code block's indentation. Characters keep their
    Unicode form.
    """
    parts: list[str] = []
    placed: list[Span | None] = []
    before: Block | None = None
    length = 0
    for block in parsed.blocks:
        if not (text := clean_block(block)):
            placed.append(None)
            continue
        parts += (gap := _gap(before, block)), text
        placed.append((length + len(gap), length + len(gap) + len(text)))
        length += len(gap) + len(text)
        before = block
    return NormalisedDocument("".join(parts), tuple(_spans(parsed.blocks, placed)))


def _spans(blocks: Sequence[Block], placed: Sequence[Span | None]) -> Iterator[BlockSpan]:
    """A part without a heading, as a slide without a title is, stands only in the sections around its document."""
    sections: list[tuple[int, str]] = []
    heads = _heads(blocks, placed)
    part = 0
    for block, span in zip(blocks, placed, strict=True):
        if span is None:
            continue
        if block.kind is BlockKind.HEADING:
            _enter(sections, level=block.level, heading=clean_block(block))
        elif block.part != part:
            _leave(sections, level=block.under + 1)
        part = block.part
        head = heads.get(block.head) if block.head else None
        yield BlockSpan(*span, block.kind, _path(sections), block.page, block.part, head)


def _heads(blocks: Sequence[Block], placed: Sequence[Span | None]) -> dict[Span, Span]:
    """Where the heads of tables stand that have rows, by the numbers of their blocks."""
    heads: dict[Span, Span] = {}
    for number, block in enumerate(blocks):
        if block.head is None or block.head in heads or not block.head[0] < block.head[1] <= number:
            continue
        if found := [span for span in placed[slice(*block.head)] if span is not None]:
            heads[block.head] = found[0][0], found[-1][1]
    return heads


def clean_block(block: Block) -> str:
    """A block's text as stored; empty when it holds only white space."""
    text = storable(block.text)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if block.kind in INDENTED:
        return text.strip("\n").rstrip() if text.strip() else ""
    return text.strip()


def one_line(text: str) -> str:
    """`text` storable and on one line, as titles and section paths need it."""
    return " ".join(storable(text).split())


def storable(text: str) -> str:
    """`text` without what no store keeps."""
    return text if is_storable(text) else UNSTORABLE.sub("", text)


def _enter(sections: list[tuple[int, str]], *, level: int, heading: str) -> None:
    _leave(sections, level=max(level, 1))
    sections.append((max(level, 1), one_line(heading)[:HEADING_CHARACTERS]))


def _leave(sections: list[tuple[int, str]], *, level: int) -> None:
    while sections and sections[-1][0] >= level:
        sections.pop()


def _path(sections: list[tuple[int, str]]) -> str:
    return PATH_SEPARATOR.join(heading for _, heading in sections)


def _gap(before: Block | None, block: Block) -> str:
    """Items of a list and what belongs to one table are one line apart; all else is separated by a blank line."""
    if before is None:
        return ""
    return "\n" if _is_tight(before, block) else "\n\n"


def _is_tight(before: Block, block: Block) -> bool:
    if before.part != block.part:
        return False
    if block.kind is BlockKind.LIST_ITEM:
        return before.kind is block.kind
    return block.kind is BlockKind.TABLE_ROW and before.kind in TABLE and before.head == block.head
