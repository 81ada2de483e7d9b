"""What a parser yields: a title and blocks of text in reading order, with the structure that chunking needs."""

from dataclasses import dataclass, field
from enum import StrEnum


class BlockKind(StrEnum):
    """What a block is; chunking keeps `code` and `table_row` whole where they fit."""

    HEADING = "heading"
    PARAGRAPH = "paragraph"
    LIST_ITEM = "list_item"
    CODE = "code"
    TABLE_ROW = "table_row"


@dataclass(frozen=True, slots=True)
class Block:
    """One run of text. `level` is 1 to 6 for a heading, else 0; `page` counts from 1 where pages exist."""

    kind: BlockKind
    text: str
    level: int = 0
    page: int | None = None


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """A document as structure. `media_type` is what the content was found to be; `notes` say what was left out."""

    media_type: str
    blocks: tuple[Block, ...]
    title: str = ""
    notes: tuple[str, ...] = field(default=())
