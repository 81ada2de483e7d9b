"""Owns the text of drawings: paragraphs with their scripts and equations, and the markers of their lists."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from embedmill.workers.parsing.equations import omml
from embedmill.workers.parsing.list_items import BULLET
from embedmill.workers.parsing.numerals import numeral
from embedmill.workers.parsing.scripts import STRUCK, SUB, SUPER, MarkedPiece, marked
from embedmill.workers.parsing.word_text import chosen
from embedmill.workers.parsing.xml import Element, local_name

_NUMBERED = re.compile(r"(?P<style>[a-z]+(?:Lc|Uc)?)(?P<form>ParenBoth|ParenR|Period|Plain|Minus)\Z")
_STYLES = {"alphaLc": "letters", "alphaUc": "LETTERS", "romanLc": "roman", "romanUc": "ROMAN"}
_FORMS = {"ParenBoth": "({})", "ParenR": "{})", "Period": "{}.", "Plain": "{}", "Minus": "{}-"}
_BULLETS = frozenset({"buNone", "buChar", "buAutoNum", "buBlip"})
_DEEPEST = 8


def drawn_line(paragraph: Element) -> str:
    """One `a:p`."""
    return marked(_pieces(paragraph))


def _pieces(paragraph: Element) -> Iterator[MarkedPiece]:
    for child in paragraph:
        match local_name(child):
            case "r" | "fld":
                yield _mark_of(child), child.findtext("{*}t") or ""
            case "br":
                yield "", "\n"
            case "oMath" | "oMathPara":
                yield "", omml(child)
            case "AlternateContent":
                yield from _pieces(chosen(child))
            case "m":
                yield from _pieces(child)


def _mark_of(run: Element) -> str:
    properties = run.find("{*}rPr")
    if properties is None:
        return ""
    struck = properties.get("strike", "noStrike") != "noStrike"
    return (STRUCK if struck else "") + _script_of(properties)


def _script_of(properties: Element) -> str:
    """A baseline above the line is positive, in thousandths of a percent."""
    baseline = properties.get("baseline", "0").rstrip("%")
    return "" if baseline in {"0", ""} else SUB if baseline.startswith("-") else SUPER


@dataclass(slots=True)
class SlideMarkers:
    """Finds the marker of each paragraph of one text body; `styles` are its list styles, the nearest first."""

    styles: Sequence[Element]
    _counts: dict[int, tuple[str, int]] = field(default_factory=dict)

    def next(self, paragraph: Element) -> tuple[str | None, int]:
        """The marker, None for what is no list item, and the paragraph's depth."""
        properties = paragraph.find("{*}pPr")
        level = "" if properties is None else properties.get("lvl", "")
        depth = min(int(level), _DEEPEST) if level.isdecimal() else 0
        bullet = self._bullet(properties, depth)
        for deeper in [other for other in self._counts if other > depth]:
            del self._counts[deeper]
        kind = "buNone" if bullet is None else local_name(bullet)
        if kind == "buAutoNum" and bullet is not None:
            return self._number(bullet, depth), depth
        self._counts.pop(depth, None)
        return (None if kind == "buNone" else BULLET), depth

    def _bullet(self, properties: Element | None, depth: int) -> Element | None:
        levels = (style.find(f"{{*}}lvl{depth + 1}pPr") for style in self.styles)
        for found in (properties, *levels):
            for child in () if found is None else found:
                if local_name(child) in _BULLETS:
                    return child
        return None

    def _number(self, bullet: Element, depth: int) -> str:
        kind, start = bullet.get("type", ""), bullet.get("startAt", "1")
        before, count = self._counts.get(depth, ("", 0))
        number = count + 1 if before == kind else int(start) if start.isdecimal() else 1
        self._counts[depth] = kind, number
        if not (found := _NUMBERED.match(kind)):
            return f"{number}."
        return _FORMS[found["form"]].format(numeral(number, _STYLES.get(found["style"], "decimal")))
