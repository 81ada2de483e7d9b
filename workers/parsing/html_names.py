"""Owns the names that a page gives to its elements, classes and ids, found once for whoever looks for some of them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import unescape

# Names in markup, and whatever in a text looks like them. Expressions that begin with one word are found quickly.
_VALUE = r"""=\s*+("[^"<]*+"|'[^'<]*+'|[^\s"'<>]++)"""
_CLASSES = tuple(re.compile(spelt + _VALUE) for spelt in ("class", "CLASS", "Class"))
_IDS = tuple(re.compile(spelt + _VALUE) for spelt in ("id", "ID", "Id"))
_BETWEEN = "<"
"""No value has this sign."""


@dataclass(frozen=True, slots=True)
class PageNames:
    """The values as they are written, and all of them in one small text in lower case."""

    classes: frozenset[str]
    ids: frozenset[str]
    written: str

    @classmethod
    def of(cls, markup: str) -> "PageNames":
        classes, ids = _values(_CLASSES, markup), _values(_IDS, markup)
        return cls(classes, ids, _BETWEEN.join((*classes, *ids)).lower())

    def holds(self, *words: str) -> bool:
        """Whether any of the words stands in a name."""
        return any(word in self.written for word in words)


def plain_values(values: frozenset[str], words: Sequence[str]) -> Iterator[str]:
    """Those in which one of the words stands, as the tree has them."""
    for value in values:
        lowered = value.lower()
        if any(word in lowered for word in words):
            yield unescape(value.strip("\"'"))


def _values(patterns: Sequence[re.Pattern[str]], markup: str) -> frozenset[str]:
    """A page writes the word in one way."""
    return next((frozenset(found) for pattern in patterns if (found := pattern.findall(markup))), frozenset())
