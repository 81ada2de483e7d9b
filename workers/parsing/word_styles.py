"""Owns the styles of a Word document: which paragraphs are headings, code, captions or items of a list."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from embedmill.workers.parsing.archive import Archive
from embedmill.workers.parsing.fixed_fonts import is_fixed
from embedmill.workers.parsing.inheriting import with_parents
from embedmill.workers.parsing.xml import Element, attribute, children, parse_xml, value

STYLES = "word/styles.xml"

CODE = frozenset({"source code", "html preformatted", "code", "preformatted text", "macro", "plain text code"})
CAPTIONS = frozenset({"caption", "image caption", "table caption"})
BODY_LEVEL = 9
"""The outline level that is no heading."""


@dataclass(frozen=True, slots=True)
class Style:
    """What a style means, its parents included: `level` 0 is no heading; `list` and `depth` are its list's."""

    name: str = ""
    level: int = 0
    parent: str = ""
    list: str = ""
    depth: str = ""
    is_hidden: bool = False
    script: str = ""
    is_struck: bool | None = None
    font: str = ""

    def below(self, parent: "Style") -> "Style":
        return replace(
            self,
            level=self.level or parent.level,
            list=self.list or parent.list,
            depth=self.depth or parent.depth,
            is_hidden=self.is_hidden or parent.is_hidden,
            script=self.script or parent.script,
            is_struck=parent.is_struck if self.is_struck is None else self.is_struck,
            font=self.font or parent.font,
        )


class Styles:
    """Looks styles up by their id; each is read when it is first asked for."""

    def __init__(self, root: Element | None) -> None:
        found = () if root is None else root.iterfind("{*}style")
        self._elements = {attribute(style, "styleId"): style for style in found}
        self._known: dict[str, Style] = {"": Style()}
        self._root = root

    @cached_property
    def is_typewritten(self) -> bool:
        """Whether a fixed-width font is the document's own, and no sign of code."""
        root = self._root
        if root is None:
            return False
        usual = next((name for name, style in self._elements.items() if is_usual_paragraph(style)), "")
        fonts = root.find("{*}docDefaults/{*}rPrDefault/{*}rPr/{*}rFonts")
        return is_fixed(self[usual].font or font_of(fonts))

    @classmethod
    def of(cls, archive: Archive) -> "Styles":
        return cls(parse_xml(archive.read(STYLES)) if STYLES in archive else None)

    def __getitem__(self, style_id: str) -> Style:
        """A style that the document does not define means nothing."""
        if style_id not in self._known:
            self._known[style_id] = with_parents(style_id, self._own, self._elements)
        return self._known[style_id]

    def _own(self, style_id: str) -> Style:
        element = self._elements.get(style_id)
        return Style() if element is None else _read_style(element)


def _read_style(style: Element) -> Style:
    own = children(style)
    paragraph, run = children(own.get("pPr")), children(own.get("rPr"))
    listed = children(paragraph.get("numPr"))
    name = value(own.get("name")).lower()
    return Style(
        name=name,
        level=heading_level(name, value(paragraph.get("outlineLvl"))),
        parent=value(own.get("basedOn")),
        list=value(listed.get("numId")),
        depth=value(listed.get("ilvl")),
        is_hidden=is_on(run.get("vanish")),
        script=value(run.get("vertAlign")),
        is_struck=struck(run),
        font=font_of(run.get("rFonts")),
    )


def is_usual_paragraph(style: Element) -> bool:
    """Whether it is what paragraphs are that name no style."""
    return attribute(style, "type") == "paragraph" and attribute(style, "default") in {"1", "true"}


def font_of(fonts: Element | None) -> str:
    """The name of a font for Latin letters; "" where that is left to the theme."""
    return "" if fonts is None else attribute(fonts, "ascii") or attribute(fonts, "hAnsi")


def heading_level(name: str, outline: str) -> int:
    """Outline levels count from 0."""
    if outline.isdecimal():
        return int(outline) + 1 if int(outline) < BODY_LEVEL else 0
    if name == "title":
        return 1
    word, _, number = name.partition(" ")
    return int(number) if word == "heading" and number.isdecimal() else 0


def struck(run: Mapping[str, Element]) -> bool | None:
    """Whether properties of a run strike it, with one line or two; None when they say nothing."""
    said = [is_on(run[name]) for name in ("strike", "dstrike") if name in run]
    return any(said) if said else None


def is_on(switch: Element | None) -> bool:
    """A switch of Word's is on when it stands there, unless it says otherwise."""
    return switch is not None and attribute(switch, "val") not in {"0", "false", "off"}
