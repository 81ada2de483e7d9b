"""Owns the styles of a Word document: which paragraphs are headings, code, captions or items of a list."""

from dataclasses import dataclass, replace
from functools import cached_property

from embedmill.workers.parsing.archive import Archive
from embedmill.workers.parsing.xml import Element, attribute, child_value, parse_xml

STYLES = "word/styles.xml"

CODE = frozenset({"source code", "html preformatted", "code", "preformatted text", "macro", "plain text code"})
CAPTIONS = frozenset({"caption", "image caption", "table caption"})
BODY_LEVEL = 9
"""The outline level that is no heading."""

_CHAIN = 20


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

    def below(self, parent: "Style") -> "Style":
        return replace(
            self,
            level=self.level or parent.level,
            list=self.list or parent.list,
            depth=self.depth or parent.depth,
            is_hidden=self.is_hidden or parent.is_hidden,
            script=self.script or parent.script,
        )


class Styles:
    """Looks styles up by their id."""

    def __init__(self, root: Element | None) -> None:
        found = () if root is None else root.iterfind("{*}style")
        self._own = {attribute(style, "styleId"): _read_style(style) for style in found}
        self._known: dict[str, Style] = {}

    @classmethod
    def of(cls, archive: Archive) -> "Styles":
        return cls(parse_xml(archive.read(STYLES)) if STYLES in archive else None)

    def __getitem__(self, style_id: str) -> Style:
        """A style that the document does not define means nothing."""
        if style_id not in self._known:
            self._known[style_id] = self._with_parents(style_id)
        return self._known[style_id]

    @cached_property
    def lists(self) -> dict[str, str]:
        """The list that a style names, by the style's id."""
        return {style_id: style.list for style_id, style in self._own.items() if style.list}

    def _with_parents(self, style_id: str) -> Style:
        style = own = self._own.get(style_id, Style())
        for _ in range(_CHAIN):
            if own.parent not in self._own:
                break
            own = self._own[own.parent]
            style = style.below(own)
        return style


def _read_style(style: Element) -> Style:
    name = child_value(style, "{*}name").lower()
    return Style(
        name=name,
        level=heading_level(name, child_value(style, "{*}pPr/{*}outlineLvl")),
        parent=child_value(style, "{*}basedOn"),
        list=child_value(style, "{*}pPr/{*}numPr/{*}numId"),
        depth=child_value(style, "{*}pPr/{*}numPr/{*}ilvl"),
        is_hidden=is_on(style.find("{*}rPr/{*}vanish")),
        script=child_value(style, "{*}rPr/{*}vertAlign"),
    )


def heading_level(name: str, outline: str) -> int:
    """Outline levels count from 0."""
    if outline.isdecimal():
        return int(outline) + 1 if int(outline) < BODY_LEVEL else 0
    if name == "title":
        return 1
    word, _, number = name.partition(" ")
    return int(number) if word == "heading" and number.isdecimal() else 0


def is_on(switch: Element | None) -> bool:
    """A switch of Word's is on when it stands there, unless it says otherwise."""
    return switch is not None and attribute(switch, "val") not in {"0", "false", "off"}
