"""The blocks of a document as lines of text: what the truth about a file is written in.

A line is a block: its kind, its level where it has one, and its text, in which a line feed is `\\n`:

    title: Report
    note: 1 chart left out
    heading 1: Sales
    list_item 0: 1. Open valve B.
    caption head: Table 1
    table_row head: name | price
    table_row: plum | 2

`head` marks what heads a table. A line `-- page 3`, `-- part 1` or `-- table` says where what follows stands; a table
without a head begins with `-- table` too. Lines that begin with `#` say something about the case.
"""

from collections.abc import Iterator
from itertools import pairwise

from embedmill.workers.parsing.document import Block, BlockKind, ParsedDocument

TABLE = {BlockKind.CAPTION, BlockKind.TABLE_ROW}


def written(document: ParsedDocument) -> list[str]:
    """A document as lines."""
    lines = [f"title: {document.title}"] if document.title else []
    lines += [f"note: {note}" for note in document.notes]
    start = Block(BlockKind.PARAGRAPH, "")
    for number, (before, block) in enumerate(pairwise((start, *document.blocks))):
        lines += [f"-- {place}" for place in _places(before, block)]
        lines.append(_line(number, block))
    return lines


def _places(before: Block, block: Block) -> Iterator[str]:
    if block.part != before.part:
        yield f"part {block.part}"
    if block.page != before.page:
        yield f"page {block.page}"
    if block.head is not None and block.head != before.head:
        yield "table"


def _line(number: int, block: Block) -> str:
    leveled = block.kind in {BlockKind.HEADING, BlockKind.LIST_ITEM}
    words = [block.kind.value, str(block.level) if leveled else ""]
    words.append("head" if block.head is not None and number < block.head[1] else "")
    return " ".join(filter(None, words)) + ": " + block.text.replace("\\", "\\\\").replace("\n", "\\n").rstrip()


def read_truth(text: str) -> list[str]:
    """The lines of a truth."""
    return [line for line in text.splitlines() if line and not line.startswith("#")]
