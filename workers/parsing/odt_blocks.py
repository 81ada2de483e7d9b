"""Owns what the blocks of an OpenDocument text become: headings, list items, code, captions, rows, drawings."""

from collections.abc import Iterable, Iterator
from functools import cached_property, partial

from embedmill.workers.parsing.archive import Archive
from embedmill.workers.parsing.charts import add_chart
from embedmill.workers.parsing.draft import Draft
from embedmill.workers.parsing.equations import mathml
from embedmill.workers.parsing.grid import Cell
from embedmill.workers.parsing.list_items import BULLET
from embedmill.workers.parsing.odf_charts import read_odf_chart
from embedmill.workers.parsing.odt_styles import Counter, OdtStyles
from embedmill.workers.parsing.odt_tables import cells_of, rows_of, span
from embedmill.workers.parsing.odt_text import OdtLine, OdtMarks, read_odt_line
from embedmill.workers.parsing.spread import Spread, in_line
from embedmill.workers.parsing.waiting import WaitingParagraphs
from embedmill.workers.parsing.xml import Element, all_text, attribute, local_name, parse_xml

OBJECTS_DEEP = 3
"""Objects in objects that are read."""

_SKIPPED = frozenset({
    "tracked-changes", "sequence-decls", "variable-decls", "user-field-decls", "forms", "table-of-content-source",
    "illustration-index-source", "table-index-source", "object-index-source", "user-index-source",
    "alphabetical-index-source", "bibliography-source", "desc", "title",
})  # fmt: skip
_NOT_COUNTED = "list-header"


class OdtBlocks:
    """Reads blocks in their order, and remembers which lists are open and what waits for the next block."""

    def __init__(self, archive: Archive, draft: Draft, *, styles: OdtStyles, marks: OdtMarks, folder: str = "") -> None:
        self._archive = archive
        self._draft = draft
        self._styles = styles
        self._marks = marks
        self._folder = folder
        self._waiting = WaitingParagraphs(draft)
        self._counters: dict[str, Counter] = {}
        self._opening = ""

    @cached_property
    def _outline(self) -> Counter:
        return Counter(self._styles.outline)

    def read(self, element: Element) -> None:
        self._read_children(element, None)
        self._waiting.settle()

    def opened_by(self, mark: str, element: Element) -> None:
        """A note or comment, its first words behind its mark."""
        self._opening = mark
        self.read(element)
        self._opening = ""

    def comment(self, comment: Element) -> None:
        author = comment.findtext("{*}creator") or ""
        for written in comment.findall("{*}creator") + comment.findall("{*}date"):
            comment.remove(written)
        self.opened_by(f"Comment by {author}:" if author else "Comment:", comment)

    def _read_children(self, element: Element, item: "_Item | None") -> None:
        for child in element:
            self._read_block(child, local_name(child), item)

    def _read_block(self, element: Element, name: str, item: "_Item | None") -> None:
        match name:
            case "h":
                self._read_heading(element, item)
            case "p":
                self._read_paragraph(element, item)
            case "list":
                self._read_list(element, item)
            case "table":
                self._read_table(element)
            case "section" if attribute(element, "display") == "none":
                self._marks.left_out["hidden text"] = None
            case "frame" | "custom-shape" | "rect" | "ellipse" | "g":
                self._read_drawing(element)
            case _ if name and name not in _SKIPPED:
                self._read_children(element, item)

    def _read_heading(self, element: Element, item: "_Item | None") -> None:
        line = self._line(element)
        depth = attribute(element, "outline-level")
        level = int(depth) if depth.isdecimal() and depth != "0" else 1
        marker = item.take()[0] if item else self._heading_number(element, level)
        self._waiting.settle()
        if line.text.strip():
            self._draft.heading(f"{marker or ''} {line.text}" if marker != BULLET else line.text, level=level)
        self._read_drawings(line)

    def _heading_number(self, element: Element, level: int) -> str:
        if level not in self._styles.outline or attribute(element, "is-list-header") == "true":
            return ""
        restarts = attribute(element, "restart-numbering") == "true"
        return self._outline.next(level, (attribute(element, "start-value") or "1") if restarts else "")

    def _read_paragraph(self, element: Element, item: "_Item | None") -> None:
        line = self._line(element)
        style = self._styles[attribute(element, "style-name")]
        if not line.text.strip():
            self._waiting.add_empty_line()
        elif style.is_code or (line.is_fixed and item is None and not style.level and not style.is_caption):
            self._waiting.add_code(line.text)
        elif style.is_caption:
            self._waiting.hold_caption(line.text)
        else:
            self._waiting.settle()
            self._add_text(line.text, item, style.level)
        self._read_drawings(line)

    def _add_text(self, text: str, item: "_Item | None", level: int) -> None:
        opening, self._opening = self._opening, ""
        text = f"{opening} {text.lstrip()}" if opening else text
        if level:
            self._draft.heading(text, level=level)
        elif item:
            marker, depth = item.take()
            self._draft.list_item(text, marker=marker, depth=depth)
        else:
            self._draft.paragraph(text)

    def _read_list(self, element: Element, around: "_Item | None") -> None:
        depth, counter = self._counted(element, around)
        for child in element:
            number = None if local_name(child) == _NOT_COUNTED else attribute(child, "start-value")
            self._read_children(child, _Item(counter, depth, number))

    def _counted(self, element: Element, around: "_Item | None") -> tuple[int, Counter]:
        """How deep a list is nested, and what counts its items: a list in another may name a style of its own."""
        depth = around.depth + 1 if around else 1
        levels = self._styles.levels(attribute(element, "style-name"))
        if around and (not levels or levels == around.counter.levels):
            return depth, around.counter
        return depth, self._counter(element, depth)

    def _counter(self, element: Element, depth: int) -> Counter:
        """A list counts anew, unless it says which one it continues; its last level holds for those below."""
        name, key = attribute(element, "style-name"), attribute(element, "id")
        before = self._counters.get(f"#{attribute(element, 'continue-list')}")
        if before is None and attribute(element, "continue-numbering") == "true":
            before = self._counters.get(name)
        levels = self._styles.levels(name)
        counter = before or Counter({depth: levels[max(levels)], **levels} if levels else {})
        self._counters[name] = counter
        if key:
            self._counters[f"#{key}"] = counter
        return counter

    def _line(self, element: Element) -> OdtLine:
        """A paragraph's text, with equations that stand in it as characters do."""
        return read_odt_line(element, self._styles, self._marks, self._equation)

    def _equation(self, frame: Element) -> str:
        for found in (*frame.iterfind("{*}object"), *frame.iterfind("{*}object-ole")):
            root = next(iter(found), None)
            root = self._object(found) if root is None else root
            if root is not None and local_name(root) == "math":
                return mathml(root)
        return ""

    def read_drawings(self, drawings: Iterable[Element]) -> None:
        """What is drawn apart from any text."""
        for drawing in drawings:
            self._read_block(drawing, local_name(drawing), None)
        self._waiting.settle()

    def _read_drawings(self, line: OdtLine) -> None:
        for drawing in line.drawings:
            self._read_drawing(drawing)

    def _read_drawing(self, drawing: Element) -> None:
        for child in drawing:
            match local_name(child):
                case "text-box" | "p" | "list" | "table":
                    self._waiting.settle()
                    self._read_block(child, local_name(child), None)
                case "object" | "object-ole":
                    self._read_object(child)
                case "frame" | "g" | "custom-shape" | "rect" | "ellipse":
                    self._read_drawing(child)
                case "desc":
                    self._waiting.add_alternative(all_text(child))
                case "title" if drawing.find("{*}desc") is None:
                    self._waiting.add_alternative(all_text(child))

    def _object(self, element: Element) -> Element | None:
        part = f"{self._inner_folder(element)}content.xml"
        return parse_xml(self._archive.read(part)) if part in self._archive else None

    def _inner_folder(self, element: Element) -> str:
        """Where an object is kept, however its maker writes the path."""
        return f"{self._folder}{attribute(element, 'href').removeprefix('./').rstrip('/')}/"

    def _read_object(self, element: Element) -> None:
        root = self._object(element)
        folder = self._inner_folder(element)
        if root is None and (part := folder.rstrip("/")) in self._archive:
            self._marks.embedded[part] = None
        elif root is None or folder.count("/") > OBJECTS_DEEP:
            self._marks.left_out["embedded objects"] = None
        elif local_name(root) != "math":
            self._waiting.settle()
            self._read_document(root, folder)

    def _read_document(self, root: Element, folder: str) -> None:
        if (chart := next(root.iter("{urn:oasis:names:tc:opendocument:xmlns:chart:1.0}chart"), None)) is not None:
            add_chart(read_odf_chart(chart, root), self._draft)
            return
        inner = OdtBlocks(self._archive, self._draft, styles=OdtStyles(root), marks=self._marks, folder=folder)
        for body in root.iterfind("{*}body/*"):
            inner.read(body)

    def _read_table(self, table: Element) -> None:
        caption = self._waiting.take_caption()
        rows = list(rows_of(table))
        if len(rows) == 1 and len(cells := list(cells_of(rows[0][0]))) == 1:
            self._draft.caption(caption)
            self.read(cells[0])
            return
        self._spread(rows, caption).lay_out(self._draft)

    def _spread(self, rows: list[tuple[Element, bool]], caption: str) -> Spread:
        spread = Spread(caption, heads=sum(is_head for _, is_head in rows) or None)
        for row, _ in rows:
            spread.rows.append([])
            for cell in cells_of(row):
                text = " ".join(filter(None, self._cell_pieces(cell, None, spread)))
                spread.rows[-1].append(
                    Cell(text, span(cell, "number-columns-spanned"), span(cell, "number-rows-spanned"))
                )
        return spread

    def _cell_pieces(self, element: Element, item: "_Item | None", spread: Spread) -> Iterator[str]:
        for child in element:
            match local_name(child):
                case "p" | "h":
                    yield from self._line_pieces(child, item, spread)
                case "list":
                    depth, counter = self._counted(child, item)
                    for entry in child:
                        inner = _Item(counter, depth, attribute(entry, "start-value"))
                        yield from self._cell_pieces(entry, inner, spread)
                case "table":
                    yield self._nested(child, spread)
                case "text-box" | "section":
                    yield from self._cell_pieces(child, item, spread)

    def _line_pieces(self, paragraph: Element, item: "_Item | None", spread: Spread) -> Iterator[str]:
        line = self._line(paragraph)
        marker = item.take()[0] if item and line.text.strip() else ""
        yield f"{marker} {line.text}".strip()
        for drawing in line.drawings:
            if drawing.find("{*}object") is not None or drawing.find("{*}object-ole") is not None:
                spread.then(partial(self._read_drawing, drawing))
            else:
                yield from self._cell_pieces(drawing, None, spread)

    def _nested(self, table: Element, spread: Spread) -> str:
        inner = self._spread(list(rows_of(table)), "")
        text = in_line([[cell.text for cell in row] for row in inner.rows])
        if text is None:
            spread.then(inner)
        return text or ""


class _Item:
    """An item of a list: its first block has its marker, and is what is counted."""

    def __init__(self, counter: Counter, depth: int, start: str | None) -> None:
        """`depth` counts from 1; `start` None is an item that is not counted."""
        self.counter = counter
        self.depth = depth
        self._start = start

    def take(self) -> tuple[str, int]:
        """Marker and depth from 0 of the next block; what follows the first stands one level deeper."""
        if self._start is None:
            return "", self.depth
        start, self._start = self._start, None
        return self.counter.next(self.depth, start), self.depth - 1
