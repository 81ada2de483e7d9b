"""Normalisation: the blocks of a parsed document as one text, with the span, section and page of each block."""

import re
from dataclasses import dataclass

from embedmill.workers.parsing.document import Block, BlockKind, ParsedDocument

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""PostgreSQL takes no NUL and UTF-8 no lone surrogate."""

Span = tuple[int, int]

TABLE = {BlockKind.CAPTION, BlockKind.TABLE_ROW}
INDENTED = {BlockKind.CODE, BlockKind.LIST_ITEM}
"""Kinds whose first line keeps the blanks before it."""

HEADING_CHARACTERS = 200
"""Most characters of one heading in a section path, which every chunk below it carries."""

PATH_SEPARATOR = " > "


@dataclass(frozen=True, slots=True)
class BlockSpan:
    """A block as `text[start:end]`, in Python characters. `section` is the path of headings above and including it.

    `head` is the span of the head of its table, None for what belongs to that head or to no table with one. `part` is
    the part of the document that it stands in; no chunk joins parts.
    """

    start: int
    end: int
    kind: BlockKind
    section: str = ""
    page: int | None = None
    part: int = 0
    head: Span | None = None


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
    sections: list[tuple[int, str]] = []
    parts: list[str] = []
    spans: list[BlockSpan] = []
    placed: list[Span | None] = []
    before: Block | None = None
    length = 0
    for block in parsed.blocks:
        if not (text := clean_block(block)):
            placed.append(None)
            continue
        if block.kind is BlockKind.HEADING:
            _enter(sections, level=block.level, heading=text)
        parts += (gap := _gap(before, block)), text
        start = length + len(gap)
        length = start + len(text)
        head = _head(block, placed)
        placed.append((start, length))
        spans.append(BlockSpan(start, length, block.kind, _path(sections), block.page, block.part, head))
        before = block
    return NormalisedDocument("".join(parts), tuple(spans))


def _head(block: Block, placed: list[Span | None]) -> Span | None:
    """Where the head of a row's table stands; `placed` has the spans of the blocks before it."""
    if block.head is None or block.head[1] > len(placed):
        return None
    found = [span for span in placed[slice(*block.head)] if span is not None]
    return (found[0][0], found[-1][1]) if found else None


def clean_block(block: Block) -> str:
    """A block's text as stored; empty when it holds only white space."""
    text = UNSTORABLE.sub("", block.text).replace("\r\n", "\n").replace("\r", "\n")
    if block.kind in INDENTED:
        return text.strip("\n").rstrip() if text.strip() else ""
    return text.strip()


def one_line(text: str) -> str:
    """`text` storable and on one line, as titles and section paths need it."""
    return " ".join(UNSTORABLE.sub("", text).split())


def _enter(sections: list[tuple[int, str]], *, level: int, heading: str) -> None:
    while sections and sections[-1][0] >= max(level, 1):
        sections.pop()
    sections.append((max(level, 1), one_line(heading)[:HEADING_CHARACTERS]))


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
