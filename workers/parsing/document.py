"""What a parser yields: a title and blocks of text in reading order, with the structure that chunking needs."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Self


class BlockKind(StrEnum):
    """What a block is; chunking keeps `list_item`, `code` and `table_row` whole where they fit."""

    HEADING = "heading"
    PARAGRAPH = "paragraph"
    LIST_ITEM = "list_item"
    CODE = "code"
    TABLE_ROW = "table_row"
    CAPTION = "caption"


class Block(NamedTuple):
    """One run of text; `page` counts from 1 where pages exist.

    `level` is 1 to 6 for a heading, how deep it is nested for a list item, from 0, and else 0. `part` counts the parts
    that stand for themselves, as slides and sheets do. `head` is (first, end) of the blocks that head a table, its
    caption and header rows, and is the same in every block of the table; (n, n) where it has no head. `under` is the
    level of the heading of what the document lies in, as an attachment lies in its mail; 0 for none.
    """

    kind: BlockKind
    text: str
    level: int = 0
    page: int | None = None
    part: int = 0
    head: tuple[int, int] | None = None
    under: int = 0

    def saying(self, text: str) -> Self:
        """The same block with another text."""
        return self._replace(text=text)

    def in_part(self, part: int) -> Self:
        return type(self)(self.kind, self.text, self.level, self.page, part, self.head, self.under)

    def headed(self, head: tuple[int, int]) -> Self:
        return self._replace(head=head)


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """A document as structure. `media_type` is what the content was found to be; `notes` say what was left out."""

    media_type: str
    blocks: tuple[Block, ...]
    title: str = ""
    notes: tuple[str, ...] = field(default=())
