"""Owns the text of OpenDocument paragraphs: without what is deleted or hidden, and with what is anchored in it."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from embedmill.workers.parsing.fixed_fonts import is_fixed
from embedmill.workers.parsing.odt_styles import OdtStyles
from embedmill.workers.parsing.scripts import STRUCK, MarkedPiece, marked
from embedmill.workers.parsing.symbols import shown
from embedmill.workers.parsing.xml import Element, all_text, attribute, local_name

_SPACES_AT_MOST = 1000
_SPACE_RUN = re.compile("[ \t\n\r]+")
_LEFT_OUT = frozenset({"annotation-end", "hidden-text", "tracked-changes", "sequence-decls", "forms", "title", "desc"})
DRAWN = frozenset({
    "frame", "custom-shape", "rect", "ellipse", "line", "polyline", "polygon", "path", "connector", "g", "caption",
    "circle", "regular-polygon", "measure",
})  # fmt: skip


@dataclass(slots=True)
class OdtLine:
    """A paragraph's text, and the drawings that are anchored in it; `is_fixed`: it is set as code is, all of it."""

    text: str
    drawings: list[Element] = field(default_factory=list)
    is_fixed: bool = False


@dataclass(slots=True)
class OdtMarks:
    """What a text refers to, in its order, the parts that are files of other programs, and what was left out of it."""

    notes: list[tuple[str, Element]] = field(default_factory=list)
    comments: list[Element] = field(default_factory=list)
    embedded: dict[str, None] = field(default_factory=dict)
    left_out: dict[str, None] = field(default_factory=dict)


def read_odt_line(
    paragraph: Element, styles: OdtStyles, marks: OdtMarks, equation: Callable[[Element], str]
) -> OdtLine:
    """One `text:p` or `text:h`; `equation` gives the line of a frame that holds one, and "" for any other frame."""
    reader = _OdtReader(styles, marks, equation)
    reader.read_spanned(paragraph, "", "")
    return OdtLine(reader.text(), reader.drawings, reader.is_fixed)


class _OdtReader:
    """Collects pieces of text with the marks of their spans."""

    def __init__(self, styles: OdtStyles, marks: OdtMarks, equation: Callable[[Element], str]) -> None:
        self._equation = equation
        self._styles = styles
        self._marks = marks
        self._pieces: list[MarkedPiece] = []
        self._font = ""
        self._fonts: set[str] = set()
        self.drawings: list[Element] = []

    @property
    def is_fixed(self) -> bool:
        """Whether every text is in a fixed-width font, and not because the document's own is one."""
        return all(map(is_fixed, self._fonts)) and bool(self._fonts) and not self._styles.is_typewritten

    def text(self) -> str:
        return marked(self._pieces)

    def read_spanned(self, element: Element, mark: str, font: str) -> None:
        """What is in an element that may have a style of its own."""
        style = self._styles[attribute(element, "style-name")]
        if style.is_hidden:
            self._marks.left_out["hidden text"] = None
        else:
            is_struck = mark.startswith(STRUCK) if style.is_struck is None else style.is_struck
            self._font = style.font or font
            self._read(element, (STRUCK if is_struck else "") + (style.script or mark.lstrip(STRUCK)))
            self._font = font

    def _read(self, element: Element, mark: str) -> None:
        self._add(element.text, mark)
        for child in element:
            self._read_child(child, local_name(child), mark)
            self._add(child.tail, mark)

    def _add(self, text: str | None, mark: str) -> None:
        if text:
            self._pieces.append((mark, shown(_SPACE_RUN.sub(" ", text))))
            if not text.isspace():
                self._fonts.add(self._font)

    def _read_child(self, child: Element, name: str, mark: str) -> None:
        match name:
            case "span":
                self.read_spanned(child, mark, self._font)
            case "s":
                count = attribute(child, "c")
                self._pieces.append((mark, " " * min(int(count) if count.isdecimal() else 1, _SPACES_AT_MOST)))
            case "tab" | "line-break":
                self._pieces.append((mark[: mark.startswith(STRUCK)], "\t" if name == "tab" else "\n"))
            case "note":
                self._pieces.append(("", self._marked(child)))
            case "annotation":
                self._marks.comments.append(child)
            case "ruby":
                self._pieces.append((mark, self._ruby(child)))
            case "frame" if line := self._equation(child):
                self._pieces.append(("", line))
            case _ if name in DRAWN:
                self.drawings.append(child)
            case _ if name and name not in _LEFT_OUT:
                self._read(child, mark)

    def _marked(self, note: Element) -> str:
        citation = note.find("{*}note-citation")
        number = "" if citation is None else all_text(citation).strip()
        mark = f"[{number or len(self._marks.notes) + 1}]"
        body = note.find("{*}note-body")
        if body is not None:
            self._marks.notes.append((mark, body))
        return mark

    def _ruby(self, element: Element) -> str:
        """The reading of a word stands behind it in parentheses."""
        base = "".join(map(all_text, element.iterfind("{*}ruby-base")))
        reading = "".join(map(all_text, element.iterfind("{*}ruby-text")))
        return f"{base}({reading})" if reading else base
