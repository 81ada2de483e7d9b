"""Owns the lists of HTML: where an ordered list begins and how it counts, and the markers of its items."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from embedmill.workers.parsing.list_items import BULLET
from embedmill.workers.parsing.numerals import numeral

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

_TYPES = {"a": "letters", "A": "LETTERS", "i": "roman", "I": "ROMAN"}
_CSS_TYPES = {
    "lower-alpha": "letters",
    "lower-latin": "letters",
    "upper-alpha": "LETTERS",
    "upper-latin": "LETTERS",
    "lower-roman": "roman",
    "upper-roman": "ROMAN",
    "decimal-leading-zero": "decimal-zero",
    "cjk-decimal": "chinese",
}
_UNCOUNTED = frozenset({"none", "disc", "circle", "square"})
_CSS = re.compile(r"list-style(?:-type)?\s*:\s*([a-z-]+)")
_INTEGER = re.compile(r"\s*([+-]?\d{1,9})")


@dataclass(slots=True)
class HtmlList:
    """A list that is open: `style` "" is one of bullets, `number` is the next item's.

    `depth` is that of its items, where it is another than that of lists around it.
    """

    style: str = ""
    number: int = 1
    step: int = 1
    depth: int | None = None

    @classmethod
    def of(cls, tag: str, node: "LexborNode", depth: int | None) -> "HtmlList":
        if tag != "ol":
            return cls(depth=depth)
        attributes = node.attributes
        is_reversed = "reversed" in attributes
        first = sum(1 for child in node.iter() if child.tag == "li") if is_reversed else 1
        return cls(_style(attributes), integer(attributes.get("start"), first), -1 if is_reversed else 1, depth)

    def next(self, value: str | None) -> str:
        """The marker of the next item, which may say its own number."""
        if not self.style:
            return BULLET
        number = integer(value, self.number)
        self.number = number + self.step
        return f"{numeral(number, self.style)}."


def integer(text: str | None, default: int) -> int:
    """The number that an attribute begins with, as browsers read it."""
    found = _INTEGER.match(text or "")
    return int(found[1]) if found else default


def _style(attributes: dict[str, str | None]) -> str:
    css = _CSS.search((attributes.get("style") or "").lower())
    if css and css[1] in _CSS_TYPES:
        return _CSS_TYPES[css[1]]
    if css and css[1] in _UNCOUNTED:
        return ""
    return _TYPES.get(attributes.get("type") or "", "decimal")
