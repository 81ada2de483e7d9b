"""Normalisation: the blocks of a parsed document as one text, with the span, section and page of each block."""

import re
from dataclasses import dataclass

from embedmill.workers.parsing.document import Block, BlockKind, ParsedDocument

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""PostgreSQL takes no NUL and UTF-8 no lone surrogate."""

TIGHT = {BlockKind.LIST_ITEM, BlockKind.TABLE_ROW}
"""Kinds whose neighbours of the same kind are one line apart; all else is separated by a blank line."""

HEADING_CHARACTERS = 200
"""Most characters of one heading in a section path, which every chunk below it carries."""

PATH_SEPARATOR = " > "


@dataclass(frozen=True, slots=True)
class BlockSpan:
    """A block as `text[start:end]`, in Python characters. `section` is the path of headings above and including it."""

    start: int
    end: int
    kind: BlockKind
    section: str = ""
    page: int | None = None


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
    length = 0
    for block in parsed.blocks:
        if not (text := clean_block(block)):
            continue
        if block.kind is BlockKind.HEADING:
            _enter(sections, level=block.level, heading=text)
        parts += (gap := _gap(spans, block.kind)), text
        start = length + len(gap)
        length = start + len(text)
        spans.append(BlockSpan(start, length, block.kind, _path(sections), block.page))
    return NormalisedDocument("".join(parts), tuple(spans))


def clean_block(block: Block) -> str:
    """A block's text as stored; empty when it holds only white space."""
    text = UNSTORABLE.sub("", block.text).replace("\r\n", "\n").replace("\r", "\n")
    if block.kind is BlockKind.CODE:
        return text.strip("\n") if text.strip() else ""
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


def _gap(spans: list[BlockSpan], kind: BlockKind) -> str:
    if not spans:
        return ""
    return "\n" if kind in TIGHT and spans[-1].kind is kind else "\n\n"
