"""Owns a document while it is being built: every text is cleaned and counted here, whatever parser it came from."""

import re

from shared.errors import ParserLimitExceeded
from workers.parsing.document import Block, BlockKind, ParsedDocument
from workers.parsing.limits import ParserLimits

TITLE_CHARS = 500
NOTES = 100
NOTE_CHARS = 300

_PLACEHOLDERS = frozenset({"", "untitled", "powerpoint presentation", "word document"})
_CARRIAGE_RETURN = re.compile("\r\n?")
_UNSTORABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_SPACE_RUN = re.compile("[ \t\n\f\r]+")


def clean(text: str) -> str:
    """Line feeds for newlines; control characters and lone surrogates gone, which no store or encoder takes."""
    if "\r" in text:
        text = _CARRIAGE_RETURN.sub("\n", text)
    return _UNSTORABLE.sub("", text)


def one_line(text: str) -> str:
    """ASCII white space folded to single blanks; other spaces, such as U+00A0, are the author's own."""
    return _SPACE_RUN.sub(" ", text).strip(" ")


class Draft:
    """Collects blocks in reading order within `limits`; blocks without visible text are left out."""

    def __init__(self, media_type: str, *, name: str, limits: ParserLimits) -> None:
        self.media_type = media_type
        self.name = name
        self.limits = limits
        self.title = ""
        self.notes: list[str] = []
        self._blocks: list[Block] = []
        self._chars = 0

    @property
    def is_empty(self) -> bool:
        return not self._blocks

    @property
    def chars(self) -> int:
        return self._chars

    def heading(self, text: str, *, level: int, page: int | None = None) -> None:
        self._add(Block(BlockKind.HEADING, one_line(clean(text)), min(max(level, 1), 6), page))

    def paragraph(self, text: str, *, page: int | None = None) -> None:
        self._add(Block(BlockKind.PARAGRAPH, clean(text).strip(), 0, page))

    def list_item(self, text: str, *, page: int | None = None) -> None:
        self._add(Block(BlockKind.LIST_ITEM, clean(text).strip(), 0, page))

    def code(self, text: str, *, page: int | None = None) -> None:
        """Verbatim but for empty lines around it."""
        self._add(Block(BlockKind.CODE, clean(text).strip("\n").rstrip(), 0, page))

    def row(self, cells: list[str], *, page: int | None = None) -> None:
        """One table row; cells after the last filled one are left out."""
        texts = [one_line(clean(cell)) for cell in cells]
        while texts and not texts[-1]:
            texts.pop()
        self._add(Block(BlockKind.TABLE_ROW, " | ".join(texts), 0, page))

    def extend(self, document: ParsedDocument) -> None:
        """Takes over another document's blocks, as a message takes over its HTML body."""
        for block in document.blocks:
            self._add(block)

    def note(self, text: str) -> None:
        if len(self.notes) < NOTES:
            self.notes.append(one_line(clean(text))[:NOTE_CHARS])

    def finish(self) -> ParsedDocument:
        """The document; where its program left no title, or a placeholder, its first heading is the title."""
        title = one_line(clean(self.title))
        if title.lower() in _PLACEHOLDERS:
            title = self._first_heading()
        return ParsedDocument(self.media_type, tuple(self._blocks), title[:TITLE_CHARS], tuple(self.notes))

    def _first_heading(self) -> str:
        return next((block.text for block in self._blocks if block.kind is BlockKind.HEADING), "")

    def _add(self, block: Block) -> None:
        if not block.text or block.text.isspace():
            return
        self._chars += len(block.text) + 1
        if self._chars > self.limits.output_chars:
            raise ParserLimitExceeded(f"it holds more than {self.limits.output_chars:,} characters of text")
        if len(self._blocks) >= self.limits.blocks:
            raise ParserLimitExceeded(f"it holds more than {self.limits.blocks:,} blocks of text")
        self._blocks.append(block)
