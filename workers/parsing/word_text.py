"""Owns the text of Word paragraphs: as it reads with all tracked changes accepted, and what is anchored in it."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from embedmill.workers.parsing.equations import omml
from embedmill.workers.parsing.fixed_fonts import is_fixed
from embedmill.workers.parsing.numerals import roman
from embedmill.workers.parsing.package import relation_id
from embedmill.workers.parsing.scripts import STRUCK, SUB, SUPER, MarkedPiece, marked
from embedmill.workers.parsing.symbols import shown, symbol
from embedmill.workers.parsing.word_styles import Style, Styles, font_of, is_on, struck
from embedmill.workers.parsing.xml import Element, attribute, child_value, children, local_name, value

_SPACES = {"tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "\u2011"}
_SCRIPTS = {"superscript": SUPER, "subscript": SUB}
_RAISED, _LOWERED = 3, -2
"""Half points that a script is moved by at least."""
_BOXES = {True: "☒", False: "☐"}
# Deleted text, text that moved elsewhere, and properties.
_LEFT_OUT = frozenset({"del", "moveFrom", "delText", "pPr", "rPr", "sdtPr", "sdtEndPr", "rubyPr"})
_DRAWINGS = frozenset({"drawing", "pict", "object"})


@dataclass(frozen=True, slots=True)
class Anchored:
    """What stands in a paragraph and is no part of its line: `kind` is box, alternative, chart or diagram.

    `text` is an alternative text, or the relation of a chart or diagram.
    """

    kind: str
    element: Element
    text: str = ""


@dataclass(slots=True)
class AnchoredText:
    """A paragraph's text, and what is anchored in it; `is_fixed`: it is set as code is, all of it."""

    text: str
    anchored: list[Anchored] = field(default_factory=list)
    is_fixed: bool = False


@dataclass(slots=True)
class NoteMarks:
    """Footnotes and endnotes in the order in which the text refers to them, by their id, and what was left out."""

    footnotes: dict[str, str] = field(default_factory=dict)
    endnotes: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, None] = field(default_factory=dict)

    def footnote(self, note: str) -> str:
        return self.footnotes.setdefault(note, f"[{len(self.footnotes) + 1}]")

    def endnote(self, note: str) -> str:
        return self.endnotes.setdefault(note, f"[{roman(len(self.endnotes) + 1)}]")


def read_line(paragraph: Element, style: Style, styles: Styles, marks: NoteMarks) -> AnchoredText:
    """The text of one `w:p` of a style, without that of text boxes in it."""
    reader = _WordReader(styles, marks, style)
    if style.is_hidden:
        marks.left_out["hidden text"] = None
    else:
        reader.read(paragraph)
    return AnchoredText(reader.text(), reader.anchored, reader.is_fixed)


class _WordReader:
    """Collects pieces of text; a run that does not say whether it is struck is what its paragraph is."""

    def __init__(self, styles: Styles, marks: NoteMarks, style: Style) -> None:
        self._styles = styles
        self._marks = marks
        self._style = style
        self._pieces: list[MarkedPiece] = []
        self._script = ""
        self._struck = ""
        self._font = style.font
        self._fonts: set[str] = set()
        self.anchored: list[Anchored] = []

    @property
    def is_fixed(self) -> bool:
        """Whether every text is in a fixed-width font, and not because the document's own is one."""
        return all(map(is_fixed, self._fonts)) and bool(self._fonts) and not self._styles.is_typewritten

    def text(self) -> str:
        return marked(self._pieces)

    def read(self, node: Element) -> None:
        for child in node:
            self._read_child(child, local_name(child))

    def _read_child(self, child: Element, name: str) -> None:
        if name == "r":
            self._read_run(child)
        elif name == "t":
            self._pieces.append((self._struck + self._script, shown(child.text or "")))
            if child.text and not child.text.isspace():
                self._fonts.add(self._font)
        elif name in _SPACES:
            self._add(_SPACES[name])
        elif name in _DRAWINGS:
            self.anchored.extend(_anchored(child))
        elif name not in _LEFT_OUT:
            self._read_special(child, name)

    def _read_special(self, child: Element, name: str) -> None:
        match name:
            case "AlternateContent":
                self.read(chosen(child))
            case "endnoteReference":
                self._add(self._marks.endnote(attribute(child, "id")))
            case "fldChar":
                self._read_field(child)
            case "footnoteReference":
                self._add(self._marks.footnote(attribute(child, "id")))
            case "oMath" | "oMathPara":
                self._read_equation(child)
            case "ruby":
                self._read_ruby(child)
            case "sym":
                self._read_symbol(child)
            case "txbxContent":
                self.anchored.append(Anchored("box", child))
            case _:
                self.read(child)

    def _read_run(self, run: Element) -> None:
        before = self._script, self._struck
        self._script, self._struck, self._font = "", STRUCK if self._style.is_struck else "", self._style.font
        first = next(iter(run), None)
        if first is None or local_name(first) != "rPr" or len(first) == 0 or not self._is_hidden(first):
            self.read(run)
        self._script, self._struck = before

    def _is_hidden(self, properties: Element) -> bool:
        """Reads a run's properties: hidden text is left out; a script, and that it is struck, holds for the run."""
        own = children(properties)
        style = self._styles[value(own.get("rStyle"))]
        is_hidden = is_on(own["vanish"]) if "vanish" in own else style.is_hidden
        self._script = _SCRIPTS.get(value(own.get("vertAlign")) or style.script, "") or _moved(own)
        self._font = font_of(own.get("rFonts")) or style.font or self._style.font
        said = (struck(own), style.is_struck, self._style.is_struck)
        self._struck = STRUCK if next((each for each in said if each is not None), False) else ""
        if is_hidden:
            self._marks.left_out["hidden text"] = None
        return is_hidden

    def _add(self, text: str) -> None:
        self._pieces.append((self._struck, text))

    def _read_equation(self, element: Element) -> None:
        before = self._pieces[-1][1][-1:] if self._pieces else ""
        apart = " " if before.isalnum() else ""
        self._add(apart + omml(element))

    def _read_ruby(self, element: Element) -> None:
        """The reading of a word stands behind it in parentheses."""
        for part, form in (("rubyBase", "{}"), ("rt", "({})")):
            inner = _WordReader(self._styles, self._marks, self._style)
            for found in element.iterfind(f"{{*}}{part}"):
                inner.read(found)
            self._add(form.format(inner.text()))

    def _read_symbol(self, element: Element) -> None:
        sign = symbol(attribute(element, "font"), attribute(element, "char"))
        self._pieces.append((self._struck + self._script, sign))
        if not sign:
            self._marks.left_out["signs of a symbol font"] = None

    def _read_field(self, element: Element) -> None:
        """Check boxes and choices of the old kind stand in the beginning of their field."""
        for box in element.iterfind("{*}ffData/{*}checkBox"):
            checked = box.find("{*}checked")
            self._add(_BOXES[is_on(checked if checked is not None else box.find("{*}default"))])
        for choice in element.iterfind("{*}ffData/{*}ddList"):
            number = child_value(choice, "{*}result") or child_value(choice, "{*}default") or "0"
            entries = [value(entry) for entry in choice.iterfind("{*}listEntry")]
            self._add("".join(entry for at, entry in enumerate(entries) if str(at) == number))


def _moved(properties: dict[str, Element]) -> str:
    """A script that is smaller letters above or below the line, as some programs write it."""
    position = value(properties.get("position"))
    if "sz" not in properties or not position.lstrip("-").isdecimal() or _LOWERED < int(position) < _RAISED:
        return ""
    return SUB if position.startswith("-") else SUPER


def chosen(element: Element) -> Element:
    """Of what says the same for new and for old programs, the new."""
    choice = element.find("{*}Choice")
    if choice is None:
        choice = element.find("{*}Fallback")
    return element if choice is None else choice


def _anchored(element: Element) -> Iterator[Anchored]:
    for child in element:
        match local_name(child):
            case "txbxContent":
                yield Anchored("box", child)
            case "chart":
                yield Anchored("chart", child, relation_id(child))
            case "relIds":
                yield Anchored("diagram", child, attribute(child, "dm"))
            case "docPr":
                yield Anchored("alternative", child, attribute(child, "descr") or attribute(child, "title"))
            case "textpath":
                yield Anchored("alternative", child, attribute(child, "string"))
            case "AlternateContent":
                yield from _anchored(chosen(child))
            case "shape":
                yield Anchored("alternative", child, child.get("alt", ""))
                yield from _anchored(child)
            case _:
                yield from _anchored(child)
