"""Owns what the paragraphs and tables of a Word part become: headings, list items, code, captions, rows."""

import re
from collections.abc import Iterator
from functools import partial
from posixpath import basename

from embedmill.workers.parsing.alternatives import spoken
from embedmill.workers.parsing.archive import Archive
from embedmill.workers.parsing.charts import add_chart, read_chart
from embedmill.workers.parsing.diagrams import read_diagram
from embedmill.workers.parsing.draft import Draft
from embedmill.workers.parsing.list_items import BULLET
from embedmill.workers.parsing.package import read_in_place, relation_id, relations
from embedmill.workers.parsing.spread import in_line
from embedmill.workers.parsing.waiting import WaitingParagraphs
from embedmill.workers.parsing.word_lists import Numbering
from embedmill.workers.parsing.word_styles import CAPTIONS, CODE, Style, Styles, heading_level
from embedmill.workers.parsing.word_tables import Grid, cells_of, is_deleted, is_frame, rows_of
from embedmill.workers.parsing.word_text import Anchored, AnchoredText, NoteMarks, chosen, read_line
from embedmill.workers.parsing.xml import Element, children, forget, local_name, parse_xml, value

_LIST_STYLE = re.compile(r"list(?: (bullet|number))?(?: (\d))?\Z")
_NO_LIST = "0"
_DEEPEST = 8


class Blocks:
    """Reads the blocks of one part into a draft, and remembers what waits for the next one."""

    def __init__(
        self, archive: Archive, part: str, draft: Draft, *, styles: Styles, marks: NoteMarks, numbering: Numbering
    ) -> None:
        self._archive = archive
        self._draft = draft
        self._styles = styles
        self._marks = marks
        self._numbering = numbering
        self._relations = relations(archive, part)
        self._carried = AnchoredText("")
        self._waiting = WaitingParagraphs(draft)
        self._opening = ""
        self._grid: Grid | None = None
        self._first_row: Element | None = None

    def of_part(self, part: str) -> "Blocks":
        return Blocks(
            self._archive, part, self._draft, styles=self._styles, marks=self._marks, numbering=self._numbering
        )

    def read(self, element: Element) -> None:
        """Everything in an element that is held in memory, such as a note or a text box."""
        for name, child in _blocks_of(element):
            match name:
                case "p":
                    self.paragraph(child)
                case "tbl":
                    self._read_table(child)
                case _:
                    self.passage(child)
        self.finish()

    def opened_by(self, mark: str, element: Element) -> None:
        """A note or comment, its first words behind its mark."""
        self._opening = mark
        self.read(element)
        self._opening = ""

    def finish(self) -> None:
        """Hands over what waited for a block behind it."""
        self._waiting.settle()

    def paragraph(self, element: Element) -> None:
        properties = _Properties(element, self._styles)
        line = self._behind_carried(read_line(element, properties.style, self._styles, self._marks))
        if properties.is_end_deleted:
            self._carried = line
            return
        self._add_text(line, properties)
        for thing in line.anchored:
            self._add_anchored(thing)

    def passage(self, element: Element) -> None:
        """An `altChunk`: a passage that is stored as a file of its own."""
        self.finish()
        relation = self._relations.get(relation_id(element))
        if relation is None or relation.part not in self._archive:
            self._draft.note("a passage in a file of its own was left out: it is missing")
        else:
            read_in_place(self._archive.read(relation.part), self._draft, name=basename(relation.part))

    def row(self, row: Element) -> None:
        """The next row of the table that is being read; the first waits until it is known not to be the only one."""
        if is_deleted(row):
            return
        if self._grid is None:
            self._grid = Grid(self._waiting.take_caption())
            self._first_row = row
            return
        self._add_first_row()
        self._add_row(row, self._grid)
        forget(row)

    def end_table(self) -> None:
        grid, self._grid = self._grid, None
        row, self._first_row = self._first_row, None
        if grid is None:
            return
        if row is not None and is_frame(row):
            self._draft.caption(grid.caption)
            for cell in cells_of(row):
                self.read(cell)
            return
        if row is not None:
            self._add_row(row, grid)
        grid.finished().lay_out(self._draft)

    def _read_table(self, table: Element) -> None:
        outer, self._grid = (self._grid, self._first_row), None
        for row in list(rows_of(table)):
            self.row(row)
        self.end_table()
        self._grid, self._first_row = outer

    def _add_first_row(self) -> None:
        row, self._first_row = self._first_row, None
        if row is not None and self._grid is not None:
            self._add_row(row, self._grid)
            forget(row)

    def _add_row(self, row: Element, grid: Grid) -> None:
        grid.begin_row(row)
        for cell in cells_of(row):
            grid.add(cell, " ".join(filter(None, self._cell_pieces(cell, grid))))

    def _cell_pieces(self, cell: Element, grid: Grid) -> Iterator[str]:
        for name, child in _blocks_of(cell):
            match name:
                case "p":
                    yield from self._line_pieces(child, grid)
                case "tbl":
                    yield self._nested_table(child, grid)
                case _:
                    grid.later(partial(self.passage, child))

    def _line_pieces(self, paragraph: Element, grid: Grid) -> Iterator[str]:
        properties = _Properties(paragraph, self._styles)
        line = read_line(paragraph, properties.style, self._styles, self._marks)
        marker, _ = self._marker(properties)
        yield f"{marker or ''} {line.text}".strip() if line.text.strip() else ""
        for thing in line.anchored:
            match thing.kind:
                case "alternative":
                    yield spoken(thing.text)
                case "box":
                    yield from self._cell_pieces(thing.element, grid)
                case _:
                    grid.later(partial(self._add_anchored, thing))

    def _nested_table(self, table: Element, grid: Grid) -> str:
        """In the cell where it is a row or a column, and behind the row where it is more."""
        inner = Grid()
        for row in rows_of(table):
            self._add_row(row, inner)
        text = in_line(inner.texts)
        if text is None:
            grid.later(inner.finished())
        return text or ""

    def _behind_carried(self, line: AnchoredText) -> AnchoredText:
        """Where the mark of a paragraph's end is deleted, the next paragraph goes on with its text."""
        carried, self._carried = self._carried, AnchoredText("")
        if not carried.text and not carried.anchored:
            return line
        return AnchoredText(carried.text + line.text, carried.anchored + line.anchored)

    def _add_text(self, line: AnchoredText, properties: "_Properties") -> None:
        marker, depth = self._marker(properties)
        text = line.text
        if not text.strip():
            self._waiting.add_empty_line()
            return
        style = properties.style
        if style.name in CODE or (line.is_fixed and marker is None and not properties.level):
            self._waiting.add_code(text)
        elif style.name in CAPTIONS:
            self._waiting.hold_caption(text)
        else:
            self._waiting.settle()
            self._add_block(self._opened(text), properties, marker, depth)

    def _add_block(self, text: str, properties: "_Properties", marker: str | None, depth: int) -> None:
        if level := properties.level:
            self._draft.heading(text if marker in {None, BULLET} else f"{marker} {text}", level=level)
        elif marker is None:
            self._draft.paragraph(text)
        else:
            self._draft.list_item(text, marker=marker, depth=depth)

    def _opened(self, text: str) -> str:
        opening, self._opening = self._opening, ""
        return f"{opening} {text.lstrip()}" if opening else text

    def _marker(self, properties: "_Properties") -> tuple[str | None, int]:
        """The marker and depth of a list's item; None for what is none."""
        named = _LIST_STYLE.match(properties.style.name)
        by_name = int(named[2] or 1) - 1 if named else 0
        if properties.list and properties.list != _NO_LIST:
            depth = properties.depth
            if depth is None:
                depth = self._numbering.level_of_style(properties.list, properties.style_id)
            if (marker := self._numbering.next(properties.list, depth)) is not None:
                return marker or None, max(depth, by_name)
        if named and properties.list != _NO_LIST:
            return BULLET if named[1] == "bullet" else "", by_name
        return None, 0

    def _add_anchored(self, thing: Anchored) -> None:
        match thing.kind:
            case "alternative":
                self._waiting.add_alternative(thing.text)
            case "box":
                self.finish()
                self.read(thing.element)
            case _:
                self.finish()
                self._add_drawn(thing)

    def _add_drawn(self, thing: Anchored) -> None:
        relation = self._relations.get(thing.text)
        if relation is None or relation.part not in self._archive:
            self._draft.note(f"a {thing.kind} was left out: it is missing")
            return
        root = parse_xml(self._archive.read(relation.part))
        if thing.kind == "chart":
            add_chart(read_chart(root), self._draft)
            return
        for depth, text in read_diagram(root):
            self._draft.list_item(text, marker=BULLET, depth=depth)


class _Properties:
    """What a paragraph says of itself, and its style for it."""

    def __init__(self, paragraph: Element, styles: Styles) -> None:
        first = next(iter(paragraph), None)
        own = children(first) if first is not None and local_name(first) == "pPr" else {}
        self.style_id = value(own.get("pStyle"))
        self.style: Style = styles[self.style_id]
        self.level = heading_level("", value(own.get("outlineLvl"))) or self.style.level
        self.is_end_deleted = "del" in children(own.get("rPr"))
        listed = children(own.get("numPr"))
        self.list = value(listed.get("numId")) or self.style.list
        depth = value(listed.get("ilvl")) or self.style.depth
        self.depth = min(int(depth), _DEEPEST) if depth.isdecimal() else None


def _blocks_of(element: Element) -> Iterator[tuple[str, Element]]:
    """Paragraphs, tables and passages; what only wraps them is stepped through."""
    for child in element:
        match local_name(child):
            case "p" | "tbl" | "altChunk" as name:
                yield name, child
            case "AlternateContent":
                yield from _blocks_of(chosen(child))
            case name if name and not name.endswith("Pr"):
                yield from _blocks_of(child)
