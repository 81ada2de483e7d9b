"""Owns a document while it is being built: every text is cleaned and counted here, whatever parser it came from."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from embedmill.shared.encoding import decode
from embedmill.shared.errors import ParserLimitExceeded
from embedmill.shared.harmless import harmless
from embedmill.shared.mojibake import holds_pairs, repair
from embedmill.workers.parsing.document import Block, BlockKind, ParsedDocument
from embedmill.workers.parsing.limits import ParserLimits
from embedmill.workers.parsing.table import Table

if TYPE_CHECKING:
    from embedmill.workers.parsing.archive import Archive

TITLE_CHARS = 500
NOTES = 20
NOTE_CHARS = 200
DEEPEST = 8
"""Levels of nesting that a list item's indentation shows."""

_PLACEHOLDERS = frozenset({"", "untitled", "powerpoint presentation", "word document"})
_TERMINAL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][0-9A-B])")
"""What turns colours on and off in a terminal."""
_OVERSTRUCK = re.compile(r"[^\n\x08]\x08")
"""How pages of manuals are printed bold."""
_CARRIAGE_RETURN = re.compile("\r\n?")
_UNSTORABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_CONTROLS = bytes(code for code in range(0x80) if _UNSTORABLE.match(chr(code)))
_PARAGRAPHS = re.compile(r"(\n[ \t]*\r?\n\s*)")
_SPACES = "\n\t\r\f"
_BLANKS = re.compile("  +")


def clean(text: str) -> str:
    """Line feeds for newlines; control characters and lone surrogates gone, which no store or encoder takes."""
    if text.isprintable():
        return text
    if "\x1b" in text:
        text = _TERMINAL.sub("", text)
    if "\b" in text:
        text = _OVERSTRUCK.sub("", text)
    if "\r" in text:
        text = _CARRIAGE_RETURN.sub("\n", text)
    # Each of these looks through a text some ten times as fast as an expression looks for one of many characters.
    if text.isascii():
        return text.encode().translate(None, _CONTROLS).decode()
    return text if text.replace("\n", "").isprintable() else _UNSTORABLE.sub("", text)


def one_line(text: str) -> str:
    """ASCII white space folded to single blanks; other spaces, such as U+00A0, are the author's own."""
    if "  " not in text and text.isprintable():
        return text.strip(" ")
    for space in _SPACES:
        text = text.replace(space, " ")
    return (_BLANKS.sub(" ", text) if "  " in text else text).strip(" ")


def ranges(numbers: Iterable[int]) -> str:
    """Ascending numbers as people write them: `2-4, 9`."""
    runs = (list(run) for _, run in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]))
    return ", ".join(f"{run[0][1]}-{run[-1][1]}" if len(run) > 1 else str(run[0][1]) for run in runs)


def count(number: int, thing: str) -> str:
    """A number with its noun: `1 chart`, `3 charts`."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


class Draft:
    """Collects blocks in reading order within `limits`; blocks without visible text are left out."""

    def __init__(
        self,
        media_type: str,
        *,
        name: str,
        limits: ParserLimits,
        depth: int = 0,
        open_archive: "Callable[[], Archive] | None" = None,
    ) -> None:
        """`open_archive` opens the document as a container, once for whoever asks."""
        self.media_type = media_type
        self.name = name
        self.limits = limits
        self.depth = depth
        self.open_archive = open_archive
        self.title = ""
        self._notes: dict[str, None] = {}
        self._blocks: list[Block] = []
        self._chars = 0
        self._part = 0
        self._table: Table | None = None

    def archive(self, data: bytes) -> "Archive":
        """The container that a document is; it was opened before where that told what the document is."""
        from embedmill.workers.parsing.archive import Archive

        return self.open_archive() if self.open_archive else Archive(data, self.limits)

    @property
    def is_empty(self) -> bool:
        return not self.blocks

    @property
    def chars(self) -> int:
        self.turn_to(None)
        return self._chars

    @property
    def blocks(self) -> int:
        self.turn_to(None)
        return len(self._blocks)

    @property
    def room(self) -> ParserLimits:
        """The limits for a document inside this one: what is left of its own."""
        limits = self.limits
        left = limits.output_chars - self.chars, limits.blocks - self.blocks
        return replace(limits, output_chars=max(left[0], 0), blocks=max(left[1], 0))

    def decode(self, data: bytes, *, declared: str | None = None) -> str:
        """The text in bytes, as `encoding.decode` finds it; a guess and damage are noted."""
        found = decode(data, declared=declared)
        if found.note:
            self.note(found.note)
        if not holds_pairs(found.text):
            return found.text
        return "".join(map(self._repaired, _PARAGRAPHS.split(found.text)))

    def part(self) -> None:
        """What follows stands for itself, as the next slide, sheet or attached document does: no chunk joins parts."""
        if self.blocks and self._blocks[-1].part == self._part:
            self._part += 1

    def heading(self, text: str, *, level: int, page: int | None = None) -> None:
        self._append(Block(BlockKind.HEADING, one_line(self._clean(text)), min(max(level, 1), 6), page))

    def paragraph(self, text: str, *, page: int | None = None, under: int = 0) -> None:
        """`under` is the level of the headings that hold for it though it begins a part."""
        self._append(Block(BlockKind.PARAGRAPH, self._clean(text).strip(), 0, page, under=under))

    def list_item(self, text: str, *, marker: str = "", depth: int = 0, page: int | None = None) -> None:
        """`marker` is what a person sees before it: `2.`, `b)`, and `-` for every bullet; `depth` counts from 0."""
        depth = min(max(depth, 0), DEEPEST)
        if text := self._clean(text).strip():
            words = filter(None, (one_line(clean(marker)), text))
            self._append(Block(BlockKind.LIST_ITEM, "  " * depth + " ".join(words), depth, page))

    def code(self, text: str, *, page: int | None = None) -> None:
        """Verbatim but for empty lines around it."""
        self._append(Block(BlockKind.CODE, clean(text).strip("\n").rstrip(), 0, page))

    def caption(self, text: str, *, page: int | None = None) -> None:
        """What stands by a picture or below a table; a caption that opens a table is given to `table`."""
        self._append(Block(BlockKind.CAPTION, self._clean(text).strip(), 0, page))

    def table(self, caption: str = "", *, page: int | None = None) -> Table:
        """A new table; its rows go to it, in their order among whatever else this draft is given."""
        table = Table(self, caption=self.cell(caption), page=page)
        self.turn_to(table)
        return table

    def extend(self, document: ParsedDocument, *, below: int = 0, name: str = "") -> None:
        """Takes over another document's blocks and notes, as a message takes over its HTML body.

        Its headings go `below` the level of that number; its notes begin with its `name`. Its parts count on from this
        one: where another part must follow it, `part` says so.
        """
        before, part = self.blocks, self._part
        for block in document.blocks:
            self._part = part + block.part
            self.add(_moved(block, by=before, below=below))
        for note in document.notes:
            self.note(f"{name}: {note}" if name else note)

    def note(self, text: str) -> None:
        """Something of the document is left out, or read by a guess; said once, without quoting its text."""
        self._notes[_shortened(harmless(one_line(clean(text))), NOTE_CHARS)] = None

    def finish(self) -> ParsedDocument:
        """The document; where its program left no title, or a placeholder, its first heading is the title."""
        self.turn_to(None)
        title = one_line(clean(self.title))
        if title.lower() in _PLACEHOLDERS:
            title = self._first_heading()
        return ParsedDocument(self.media_type, tuple(self._blocks), title[:TITLE_CHARS], self._bounded_notes())

    def _bounded_notes(self) -> tuple[str, ...]:
        notes = tuple(note for note in self._notes if note)
        if len(notes) <= NOTES:
            return notes
        return *notes[: NOTES - 1], f"and {len(notes) - NOTES + 1:,} more things of this kind"

    def _first_heading(self) -> str:
        return next((block.text for block in self._blocks if block.kind is BlockKind.HEADING), "")

    def cell(self, text: str) -> str:
        """A table cell's text, on one line."""
        if not text:
            return ""
        if text.isascii() and text.isprintable() and "  " not in text:
            return text.strip(" ")
        return one_line(self._clean(text))

    def cells(self, texts: Sequence[str]) -> list[str]:
        """The texts of a row's cells; a row that needs no cleaning is looked at as a whole."""
        row = "|".join(texts)
        if row.isprintable() and "  " not in row and (row.isascii() or not holds_pairs(row)):
            return list(map(str.strip, texts))
        return list(map(self.cell, texts))

    def _clean(self, text: str) -> str:
        return clean(text if text.isascii() else self._repaired(text))

    def _repaired(self, text: str) -> str:
        """Mended where all of it was encoded twice, which is noted."""
        if text.isascii() or (mended := repair(text)) == text:
            return text
        self.note("text that was encoded twice was repaired")
        return mended

    def turn_to(self, table: Table | None) -> None:
        """Rows of `table` come next, or something else; the rows of another table, if any wait, go first."""
        before = self._table
        if before is not None and before is not table:
            self._table = None
            before.close()
        self._table = table

    def _append(self, block: Block) -> None:
        if self._table is not None:
            self.turn_to(None)
        self.add(block)

    def add(self, block: Block) -> None:
        """A block whose text is clean, as part of what is being read."""
        if not block.text or block.text.isspace():
            return
        self._chars += len(block.text) + 1
        if self._chars > self.limits.output_chars:
            raise ParserLimitExceeded(
                f"it holds more than {self.limits.output_chars:,} characters of text",
                setting="EMBEDMILL_PARSER_CHARACTERS",
            )
        if len(self._blocks) >= self.limits.blocks:
            raise ParserLimitExceeded(f"it holds more than {self.limits.blocks:,} blocks of text")
        self._blocks.append(block if block.part == self._part else block.in_part(self._part))


def _moved(block: Block, *, by: int, below: int) -> Block:
    """The block as it stands behind `by` others, its heading `below` a level."""
    if not below and (not by or block.head is None):
        return block
    level = min(block.level + below, 6) if block.kind is BlockKind.HEADING else block.level
    head = None if block.head is None else (block.head[0] + by, block.head[1] + by)
    return Block(block.kind, block.text, level, block.page, block.part, head, min(block.under + below, 6))
