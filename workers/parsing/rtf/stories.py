"""Owns the texts of an RTF file while they are read: the body as blocks, and what stands beside it as lines."""

import re
from dataclasses import dataclass

from embedmill.workers.parsing.alternatives import spoken
from embedmill.workers.parsing.draft import Draft
from embedmill.workers.parsing.grid import Cell
from embedmill.workers.parsing.rtf.tables import RowDefinition, TableReader
from embedmill.workers.parsing.scripts import MarkedPiece, marked
from embedmill.workers.parsing.spread import Below, Spread, in_line

# A list whose numbers are text, as pandoc writes them.
_WRITTEN_MARKER = re.compile(r"\s*([•◦▪·–-]|\w{1,4}[.)])\t\s*(?=\S)")
_STEP = 360
"""Twips that such a list is indented by, for each level."""
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(slots=True)
class Paragraph:
    """What control words say of the paragraph that is being read; `level` 0 is no heading, `indent` is in twips.

    `list` is the number of the list that it is an item of, 0 for none; `nesting` counts the tables that it lies in.
    """

    level: int = 0
    depth: int = 0
    indent: int = 0
    is_code: bool = False
    is_caption: bool = False
    in_table: bool = False
    list: int = 0
    nesting: int = 0


class Story:
    """A text apart: a footnote, a comment, a header, a text box. A row of a table in it is a line."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._parts: list[MarkedPiece] = []

    def add(self, text: str, mark: str, *, is_fixed: bool = False) -> None:
        """`is_fixed`: the font is one for code."""
        self._parts.append((mark, text))

    def end_paragraph(self, paragraph: Paragraph, marker: str) -> None:
        text = self.take().strip()
        if text:
            self.lines.append(" ".join(filter(None, (marker, text))))

    def end_cell(self) -> None:
        self.add(" | ", "")

    def end_row(self) -> None:
        self.end_paragraph(Paragraph(), "")

    def end_nested_cell(self) -> None:
        self.end_cell()

    def end_nested_row(self) -> None:
        self.add(" ", "")

    def define_row(self) -> RowDefinition:
        return RowDefinition()

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def take(self) -> str:
        found = _whole(marked(self._parts))
        self._parts.clear()
        return found


class Alternative(Story):
    """What stands for a picture."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.lines = [said] if (said := spoken(text)) else []


class Body(Story):
    """The document's own text."""

    def __init__(self, draft: Draft) -> None:
        super().__init__()
        self.beside: list[Story] = []
        self._draft = draft
        self._cell: list[str] = []
        self._inner: list[str] = []
        self._cells: list[str] = []
        self._nested: list[list[Cell]] = [[]]
        self._below: list[Below] = []
        self._table = TableReader()
        self._row = RowDefinition()
        self._fonts: set[bool] = set()
        self._code: list[str] = []
        self._caption = ""

    def add(self, text: str, mark: str, *, is_fixed: bool = False) -> None:
        super().add(text, mark)
        if text.strip():
            self._fonts.add(is_fixed)

    def end_paragraph(self, paragraph: Paragraph, marker: str) -> None:
        text = self.take()
        if paragraph.in_table:
            cell = self._inner if paragraph.nesting > 1 else self._cell
            cell.append(" ".join(filter(None, (marker, text))))
            return
        self._end_table()
        is_code = paragraph.is_code or self._fonts == {True} or (bool(self._code) and not text.strip())
        self._fonts = set()
        if is_code and not paragraph.level and not marker:
            self._code.append(text)
        else:
            self._end_code()
            self._emit(text, paragraph, marker)
        beside, self.beside = self.beside, []
        for story in beside:
            add = self._draft.caption if isinstance(story, Alternative) else self._draft.paragraph
            for line in story.lines:
                add(line)

    def end_cell(self) -> None:
        self._cell.append(self.take())
        self._end_nested()
        self._cells.append("\n".join(self._cell))
        self._cell = []

    def end_row(self) -> None:
        if self._parts:
            self.end_cell()
        self._table.add(self._row, self._cells, self._below)
        self._cells, self._below = [], []

    def end_nested_cell(self) -> None:
        """Of a table in a cell, however deep it lies."""
        self._nested[-1].append(Cell(self._nested_text()))

    def end_nested_row(self) -> None:
        if self._nested[-1]:
            self._nested.append([])

    def _nested_text(self) -> str:
        cell, self._inner = self._inner, []
        return "\n".join([*cell, self.take()])

    def _end_nested(self) -> None:
        """A table of one row or column stands in its cell, another behind the row."""
        rows, self._nested = [row for row in self._nested if row], [[]]
        if not rows:
            return
        text = in_line([[cell.text for cell in row] for row in rows])
        if text is None:
            self._below.append(Spread(rows=rows))
        else:
            self._cell.insert(0, text)

    def define_row(self) -> RowDefinition:
        self._row = RowDefinition()
        return self._row

    def finish(self) -> None:
        if self._cells:
            self.end_row()
        self.end_paragraph(Paragraph(), "")
        self._end_code()
        self._end_caption()

    def _end_table(self) -> None:
        if not self._table.is_empty:
            self._end_code()
            caption, self._caption = self._caption, ""
            self._table.lay_out(self._draft, caption=caption)

    def _end_code(self) -> None:
        """Lines of code are paragraphs of their own."""
        code, self._code = self._code, []
        if code:
            self._end_caption()
            self._draft.code("\n".join(code))

    def _end_caption(self) -> None:
        """One that opens no table stands for itself."""
        caption, self._caption = self._caption, ""
        self._draft.caption(caption)

    def _emit(self, text: str, paragraph: Paragraph, marker: str) -> None:
        if not text.strip():
            return
        self._end_caption()
        depth = paragraph.depth
        if not marker and not paragraph.level and (written := _WRITTEN_MARKER.match(text)):
            marker, text, depth = written[1], text[written.end() :], paragraph.indent // _STEP - 1
            marker = marker if marker[0].isalnum() else "-"
        if paragraph.is_caption:
            self._caption = text
        elif paragraph.level:
            self._draft.heading(" ".join(filter(None, (marker, text.strip()))), level=paragraph.level)
        elif marker:
            self._draft.list_item(text, marker=marker, depth=depth)
        else:
            self._draft.paragraph(text)


def _whole(text: str) -> str:
    """Characters that were written as two surrogates are joined; a lone one is none."""
    if _SURROGATE.search(text) is None:
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
