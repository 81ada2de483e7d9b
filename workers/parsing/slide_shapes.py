"""Owns what the shapes of a slide become, in the order in which people read them."""

from collections.abc import Iterator
from dataclasses import dataclass

from embedmill.workers.parsing.alternatives import spoken
from embedmill.workers.parsing.archive import Archive
from embedmill.workers.parsing.charts import add_chart, read_chart
from embedmill.workers.parsing.diagrams import read_diagram
from embedmill.workers.parsing.draft import Draft
from embedmill.workers.parsing.grid import Cell
from embedmill.workers.parsing.list_items import BULLET
from embedmill.workers.parsing.package import PartRelation, relation_id
from embedmill.workers.parsing.slide_layouts import Placeholder, SlideLayout, box_of, properties_of, reading_order
from embedmill.workers.parsing.slide_text import SlideMarkers, drawn_line
from embedmill.workers.parsing.spread import Spread
from embedmill.workers.parsing.word_text import chosen
from embedmill.workers.parsing.xml import Element, attribute, local_name, parse_xml

_FURNITURE = frozenset({"sldNum", "dt", "hdr", "sldImg"})
_FOOTER = "ftr"
_ON = frozenset({"1", "true"})


@dataclass(frozen=True, slots=True)
class Shapes:
    """Reads the shapes of one slide; `footers` has those of the deck that were read already."""

    archive: Archive
    draft: Draft
    page: int
    layout: SlideLayout
    related: dict[str, PartRelation]
    footers: set[str]

    def read(self, root: Element) -> None:
        for tree in root.iterfind("{*}cSld/{*}spTree"):
            self._read_all(list(_shapes(tree)))

    def _read_all(self, shapes: list[Element]) -> None:
        """Titles stand first, wherever they are drawn."""
        places = [Placeholder.of(shape) for shape in shapes]
        boxes = [box_of(shape, self.layout, place) for shape, place in zip(shapes, places, strict=True)]
        order = reading_order(boxes)
        for index in sorted(order, key=lambda index: not places[index].is_title):
            self._read_shape(shapes[index], places[index])

    def _read_shape(self, shape: Element, place: Placeholder) -> None:
        match local_name(shape):
            case "sp" if place.kind not in _FURNITURE:
                self._read_text(shape, place)
            case "graphicFrame":
                self._read_frame(shape)
            case "grpSp":
                self._read_all(list(_shapes(shape)))
        if said := _alternative(shape):
            self.draft.caption(said, page=self.page)

    def _read_text(self, shape: Element, place: Placeholder) -> None:
        body = shape.find("{*}txBody")
        if body is None or (place.kind == _FOOTER and self._is_known(body)):
            return
        if place.is_title:
            self.draft.heading(_joined(body), level=1, page=self.page)
            return
        markers = SlideMarkers([*body.iterfind("{*}lstStyle"), *self.layout.list_styles(place)])
        for paragraph in body.iterfind("{*}p"):
            self._add(drawn_line(paragraph), *markers.next(paragraph))

    def _add(self, text: str, marker: str | None, depth: int) -> None:
        if marker is None:
            self.draft.paragraph(text, page=self.page)
        else:
            self.draft.list_item(text, marker=marker, depth=depth, page=self.page)

    def _is_known(self, footer: Element) -> bool:
        text = _joined(footer)
        is_known = text in self.footers
        self.footers.add(text)
        return is_known

    def _read_frame(self, frame: Element) -> None:
        for found in frame.iterfind("{*}graphic/{*}graphicData/*"):
            match local_name(found):
                case "tbl":
                    self._read_table(found)
                case "chart":
                    self._read_chart(relation_id(found))
                case "relIds":
                    self._read_diagram(attribute(found, "dm"))

    def _read_table(self, table: Element) -> None:
        properties = table.find("{*}tblPr")
        has_head = properties is not None and properties.get("firstRow") in _ON
        rows = [
            [_cell(cell) for cell in row.iterfind("{*}tc") if not _is_covered(cell)] for row in table.iterfind("{*}tr")
        ]
        Spread(rows=rows, heads=1 if has_head else None).lay_out(self.draft, page=self.page)

    def _read_chart(self, relation: str) -> None:
        if (root := self._part(relation, "chart")) is not None:
            add_chart(read_chart(root), self.draft, page=self.page)

    def _read_diagram(self, relation: str) -> None:
        if (root := self._part(relation, "diagram")) is not None:
            for depth, text in read_diagram(root):
                self._add(text, BULLET, depth)

    def _part(self, relation: str, kind: str) -> Element | None:
        found = self.related.get(relation)
        if found is None or found.part not in self.archive:
            self.draft.note(f"a {kind} on slide {self.page} was left out: it is missing")
            return None
        return parse_xml(self.archive.read(found.part))


def _shapes(tree: Element) -> Iterator[Element]:
    """The shapes of a tree or group that show something."""
    for child in tree:
        match local_name(child):
            case "AlternateContent":
                yield from _shapes(chosen(child))
            case "sp" | "graphicFrame" | "grpSp" | "pic" if not _is_hidden(child):
                yield child


def _is_hidden(shape: Element) -> bool:
    return (said := _said_of(shape)) is not None and said.get("hidden") in _ON


def _alternative(shape: Element) -> str:
    return "" if (said := _said_of(shape)) is None else spoken(said.get("descr") or said.get("title") or "")


def _said_of(shape: Element) -> Element | None:
    properties = properties_of(shape)
    return None if properties is None else properties.find("{*}cNvPr")


def _joined(body: Element) -> str:
    return " ".join(filter(None, (drawn_line(paragraph).strip() for paragraph in body.iterfind("{*}p"))))


def _is_covered(cell: Element) -> bool:
    return cell.get("hMerge") in _ON or cell.get("vMerge") in _ON


def _cell(cell: Element) -> Cell:
    markers = SlideMarkers([])
    lines = []
    for paragraph in cell.iterfind("{*}txBody/{*}p"):
        marker, _ = markers.next(paragraph)
        if text := drawn_line(paragraph).strip():
            lines.append(f"{marker} {text}" if marker else text)
    return Cell(" ".join(lines), _span(cell, "gridSpan"), _span(cell, "rowSpan"))


def _span(cell: Element, name: str) -> int:
    text = cell.get(name, "1")
    return max(int(text), 1) if text.isdecimal() else 1
