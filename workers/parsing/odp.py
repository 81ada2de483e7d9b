"""Owns OpenDocument presentations: one page and part per slide, with its text, drawings, notes and comments."""

import re
from collections.abc import Iterable, Sequence

from embedmill.workers.parsing.archive import Archive
from embedmill.workers.parsing.document import ParsedDocument
from embedmill.workers.parsing.draft import Draft, ranges
from embedmill.workers.parsing.odt_blocks import OdtBlocks
from embedmill.workers.parsing.odt_styles import OdtStyles
from embedmill.workers.parsing.odt_text import DRAWN, OdtMarks
from embedmill.workers.parsing.open_document import CONTENT, STYLES, open_package
from embedmill.workers.parsing.package import read_embedded
from embedmill.workers.parsing.slide_layouts import Box, reading_order
from embedmill.workers.parsing.xml import Element, attribute, local_name, parse_xml

_SLIDES = "{*}body/{*}presentation/{*}page"
_FURNITURE = frozenset({"page", "page-number", "date-time", "header", "footer", "handout"})
_LENGTH = re.compile(r"(-?\d+(?:\.\d+)?)(cm|mm|in|pt|pc|px)?")
_UNITS = {"cm": 360_000, "mm": 36_000, "in": 914_400, "pt": 12_700, "pc": 152_400, "px": 9_525}
"""English Metric Units, as other presentations count."""


def read(data: bytes, draft: Draft) -> None:
    """EncryptedDocument when the manifest says that the content is encrypted."""
    archive = open_package(data, draft, what="presentation")
    root = parse_xml(archive.read(CONTENT))
    roots = [parse_xml(archive.read(STYLES)), root] if STYLES in archive else [root]
    _OdpDeck(archive, draft, roots).read(root.iterfind(_SLIDES))


class _OdpDeck:
    """Reads slides, and remembers what is noted of all of them."""

    def __init__(self, archive: Archive, draft: Draft, roots: Sequence[Element]) -> None:
        self._archive = archive
        self._draft = draft
        self._styles = OdtStyles(*roots)
        self._hiding = {attribute(style, "name") for root in roots for style in root.iter("{*}style") if _hides(style)}
        self._marks = OdtMarks()
        self._silent: list[int] = []
        self._hidden: list[int] = []

    def read(self, slides: Iterable[Element]) -> None:
        number = 0
        for number, slide in enumerate(slides, start=1):
            self._read_slide(slide, number)
        if self._silent:
            self._draft.note(f"{len(self._silent)} of {number} slides hold no text: {ranges(self._silent)}")
        if self._hidden:
            self._draft.note(f"hidden slides, read like the others: {ranges(self._hidden)}")
        read_embedded(self._archive, self._marks.embedded, self._draft)
        for thing in self._marks.left_out:
            self._draft.note(f"{thing} left out")

    def _read_slide(self, slide: Element, number: int) -> None:
        if attribute(slide, "style-name") in self._hiding:
            self._hidden.append(number)
        page = Draft(self._draft.media_type, name=self._draft.name, limits=self._draft.room, depth=self._draft.depth)
        self._read_shapes(slide, page)
        for notes in slide.iterfind("{*}notes"):
            self._read_shapes(notes, page)
        blocks = self._blocks(page)
        for comment in slide.iterfind("{*}annotation"):
            blocks.comment(comment)
        self._draft.part()
        if page.is_empty:
            self._silent.append(number)
        self._draft.extend(_on_page(page.finish(), number))

    def _blocks(self, page: Draft) -> OdtBlocks:
        return OdtBlocks(self._archive, page, styles=self._styles, marks=self._marks)

    def _read_shapes(self, around: Element, page: Draft) -> None:
        """Titles stand first, wherever they are drawn."""
        shapes = [shape for shape in around if local_name(shape) in DRAWN and _class(shape) not in _FURNITURE]
        order = reading_order([_box(shape) for shape in shapes])
        for index in sorted(order, key=lambda index: _class(shapes[index]) != "title"):
            if _class(shapes[index]) == "title":
                self._read_title(shapes[index], page)
            else:
                self._blocks(page).read_drawings([shapes[index]])

    def _read_title(self, shape: Element, page: Draft) -> None:
        said = Draft(page.media_type, name=page.name, limits=page.room, depth=page.depth)
        self._blocks(said).read_drawings([shape])
        page.heading(" ".join(block.text for block in said.finish().blocks), level=1)


def _hides(style: Element) -> bool:
    return any(attribute(found, "visibility") == "hidden" for found in style.iterfind("{*}drawing-page-properties"))


def _class(shape: Element) -> str:
    """What a placeholder is for; "" of a shape that is none."""
    return attribute(shape, "class")


def _on_page(document: ParsedDocument, number: int) -> ParsedDocument:
    blocks = tuple(block._replace(page=number) for block in document.blocks)
    return ParsedDocument(document.media_type, blocks, document.title, document.notes)


def _box(shape: Element) -> Box | None:
    """Where a shape stands; a group stands where its shapes do."""
    if local_name(shape) == "g":
        return _around([box for child in shape if (box := _box(child))])
    places = [_length(attribute(shape, name)) for name in ("x", "y", "width", "height")]
    left, top, width, height = (place or 0 for place in places)
    return None if None in places[:2] else Box(left, top, left + width, top + height)


def _around(boxes: Sequence[Box]) -> Box | None:
    if not boxes:
        return None
    return Box(
        min(box.left for box in boxes),
        min(box.top for box in boxes),
        max(box.right for box in boxes),
        max(box.bottom for box in boxes),
    )


def _length(text: str) -> int | None:
    found = _LENGTH.fullmatch(text)
    return int(float(found[1]) * _UNITS[found[2] or "cm"]) if found else None
