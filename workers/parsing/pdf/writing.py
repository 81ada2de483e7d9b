"""Owns the last step: the parts of a page as blocks of the document."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from embedmill.workers.parsing.draft import Draft
from embedmill.workers.parsing.pdf.code import code_from, written
from embedmill.workers.parsing.pdf.headings import Heading, Headings
from embedmill.workers.parsing.pdf.hyphens import HYPHENS, DocumentWords
from embedmill.workers.parsing.pdf.lines import Line, from_place
from embedmill.workers.parsing.pdf.markers import (
    BULLETS,
    CAPTION,
    CAPTION_OF_TABLE,
    TICKS,
    has_leaders,
    without_leaders,
)
from embedmill.workers.parsing.pdf.paragraphs import Paragraphs
from embedmill.workers.parsing.pdf.tables import Part, PdfTable
from embedmill.workers.parsing.pdf.words import Box

if TYPE_CHECKING:
    from embedmill.workers.parsing.table import Table as DraftTable

DEEPER = 0.8
"""Of a line's height: so much farther right the marker of a nested item stands."""
HANGING = 0.3
"""Of a line's height: so much farther right than its marker the lines of an item stand."""
FARTHEST_HANGING = 6.0
"""The same: what begins farther right is no line of the item."""
LONGEST_CAPTION = 600

_BULLETS_BEHIND = re.compile(f"(?:(?![{TICKS}])[{BULLETS}] +)+")
_ADDRESS = re.compile(r"\S+(?: \S+)?@\S+|(?:https?://|www\.)\S+")


class PageWriter:
    """Puts the parts of one page after another into a draft.

    A paragraph waits for its lines; an open item knows where its marker stands, and those of the items around it.
    """

    def __init__(self, draft: Draft, headings: Headings, words: DocumentWords, *, code: bool) -> None:
        self._draft = draft
        self._headings = headings
        self._words = words
        self._has_code = code
        self._page = 0
        self._waiting: list[Line] = []
        self._since = 0
        self._marker = ""
        self._markers: list[float] = []
        self._opened = -1, 0.0
        self._table: tuple[DraftTable, PdfTable, int] | None = None

    def write(self, parts: Sequence[Part], page: int, box: Box) -> None:
        """The parts of a page, whose number counts from 0, and whose visible `box` is given."""
        self._page = page
        paragraphs = Paragraphs(parts, box)
        if not self._is_cut():
            self._flush()
        at = 0
        while at < len(parts):
            at += self._take(parts, at, paragraphs)

    def close(self) -> None:
        self._flush()

    def paragraph(self, text: str) -> None:
        """What stands on the page beside its lines."""
        self._flush()
        self._draft.paragraph(text, page=self._page + 1)

    def _is_cut(self) -> bool:
        """Whether the page before ends within a word."""
        return bool(self._waiting) and self._waiting[-1].text[-1] in HYPHENS

    def _take(self, parts: Sequence[Part], at: int, paragraphs: Paragraphs) -> int:
        """Takes the part at `at`, and says how many it took."""
        part = parts[at]
        if heading := self._headings.get((self._page, at)):
            return self._take_heading(parts, heading)
        if isinstance(part, PdfTable):
            below = self._caption_below(parts, at + 1, paragraphs)
            self._take_table(part, below)
            return 1 + len(below)
        self._table = None
        if self._has_code and (listing := code_from(parts, at)) and self._is_code(listing, paragraphs):
            self._flush()
            self._draft.code(written(listing), page=self._page + 1)
            return len(listing)
        self._take_line(part, paragraphs)
        return 1

    def _take_heading(self, parts: Sequence[Part], heading: Heading) -> int:
        self._flush()
        self._markers, self._table = [], None
        lines = [part for part in parts[heading.at : heading.at + heading.count] if isinstance(part, Line)]
        self._draft.heading(self._joined(lines), level=heading.level, page=self._page + 1)
        return heading.count

    def _is_code(self, listing: Sequence[Line], paragraphs: Paragraphs) -> bool:
        """A single line in the middle of a paragraph is a long name in it."""
        if len(listing) > 1:
            return True
        if _ADDRESS.fullmatch(listing[0].text):
            return False
        if not self._waiting or paragraphs.is_set_in(listing[0]):
            return True
        return not paragraphs.goes_on(self._waiting[-1], listing[0])

    def _take_line(self, line: Line, paragraphs: Paragraphs) -> None:
        before = self._waiting[-1] if self._waiting else None
        if has_leaders(line.text):
            self._flush()
            self._draft.paragraph(without_leaders(line.text), page=self._page + 1)
        elif opened := paragraphs.opens_item(line, before, in_item=bool(self._marker)):
            self._flush()
            self._open_item(line, opened)
        elif before and self._goes_on(before, line, paragraphs):
            self._waiting.append(line)
        else:
            self._flush()
            self._begin(line)

    def _goes_on(self, before: Line, line: Line, paragraphs: Paragraphs) -> bool:
        """Whether what waits goes on with a line; left of an item's marker, only where its text had no room."""
        if self._hangs(before, line):
            return True
        is_left = bool(self._marker and self._markers) and line.left < self._markers[-1] - DEEPER * line.size
        return paragraphs.goes_on(before, line) and not (is_left and paragraphs.had_room(before, line))

    def _begin(self, line: Line) -> None:
        self._waiting, self._since = [line], self._page
        if self._markers and line.left < self._markers[0] + DEEPER * line.size:
            self._markers = []

    def _open_item(self, line: Line, opened: "re.Match[str]") -> None:
        self._waiting, self._since = [line], self._page
        if self._rises(line):
            self._markers = []
        self._opened = self._page, line.base
        sign = opened["bullet"]
        self._marker = opened[0].strip() if not sign or sign in TICKS else "-"
        self._markers = [left for left in self._markers if left < line.left - DEEPER * line.size]
        self._markers.append(line.left)

    def _rises(self, line: Line) -> bool:
        """Whether an item stands as high as the one before it on its page, so that it is another column's."""
        page, base = self._opened
        return page == self._page and line.base > base - line.size / 2

    def _hangs(self, before: Line, line: Line) -> bool:
        """Whether the line goes on with an item, farther right than its marker."""
        if not self._marker or line.alone or not self._markers:
            return False
        near = 0 < before.base - line.base < 1.6 * line.size
        return near and HANGING * line.size < line.left - self._markers[-1] < FARTHEST_HANGING * line.size

    def _flush(self) -> None:
        """What waits becomes a block."""
        lines, self._waiting = self._waiting, []
        if not lines:
            return
        text, page = self._joined(lines), self._since + 1
        marker, self._marker = self._marker, ""
        if marker:
            _, _, text = f"{text} ".partition(" ")
            text = text[found.end() :] if (found := _BULLETS_BEHIND.match(text)) else text
            self._draft.list_item(text.strip(), marker=marker, depth=len(self._markers) - 1, page=page)
        elif len(text) <= LONGEST_CAPTION and CAPTION.match(text):
            self._draft.caption(text, page=page)
        else:
            self._draft.paragraph(text, page=page)

    def _joined(self, lines: Sequence[Line]) -> str:
        text = self._words.join_all([line.text for line in lines])
        return text.replace("\ufffe ", "-").replace("\x02 ", "-").replace("\ufffe", "-").replace("\x02", "-")

    def _take_table(self, table: PdfTable, below: Sequence[Line]) -> None:
        """A table that goes on from the page before keeps its header, and does not repeat it."""
        caption = self._caption_above() or (self._joined(below) if below else "")
        rows = table.rows
        before = self._table
        if before and not caption and not self._waiting and before[2] == self._page - 1 and _goes_on(before[1], table):
            rows = rows[table.heads :]
            target = before[0]
        else:
            self._flush()
            target = self._draft.table(caption, page=self._page + 1)
            for row in rows[: table.heads]:
                target.head(row, page=self._page + 1)
            rows = rows[table.heads :]
        for row in rows:
            target.row(row, page=self._page + 1)
        self._table = target, table, self._page
        self._markers = []

    def _caption_above(self) -> str:
        text = self._joined(self._waiting) if self._waiting and not self._marker else ""
        if not _is_caption(text):
            return ""
        self._waiting = []
        return text

    def _caption_below(self, parts: Sequence[Part], at: int, paragraphs: Paragraphs) -> list[Line]:
        """The lines of a caption right below a table which has none above.

        Where another table follows, it is that one's, unless a caption stands below it, too.
        """
        waiting = self._joined(self._waiting) if self._waiting else ""
        lines: list[Line] = []
        for part in from_place(parts, at):
            if not isinstance(part, Line) or (lines and not paragraphs.goes_on(lines[-1], part)):
                break
            lines.append(part)
        is_followed = isinstance(_at(parts, at + len(lines)), PdfTable) and not _names_table(
            _at(parts, at + len(lines) + 1)
        )
        if not lines or is_followed or _is_caption(waiting) or not _is_caption(self._joined(lines)):
            return []
        return lines


def _names_table(part: Part | None) -> bool:
    return isinstance(part, Line) and _is_caption(part.text)


def _at(parts: Sequence[Part], at: int) -> Part | None:
    return parts[at] if at < len(parts) else None


def _is_caption(text: str) -> bool:
    """Whether a text names a table and says what it shows."""
    found = len(text) <= LONGEST_CAPTION and CAPTION.match(text) and CAPTION_OF_TABLE.match(text)
    return bool(found)


def _goes_on(before: PdfTable, table: PdfTable) -> bool:
    if len(before.rows[0]) != len(table.rows[0]):
        return False
    return not table.heads or before.rows[: before.heads] == table.rows[: table.heads]
