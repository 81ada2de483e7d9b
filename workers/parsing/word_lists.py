"""Owns the numbers of a Word document's lists: which item comes next, and how its number is written."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from embedmill.workers.parsing.numerals import numeral
from embedmill.workers.parsing.xml import Element, attribute, child_value

BULLET = "-"

_STYLES = {
    "cardinalText": "decimal",
    "chineseCounting": "chinese",
    "chineseCountingThousand": "chinese",
    "decimalEnclosedCircle": "circled",
    "decimalZero": "decimal-zero",
    "ideographDigital": "chinese",
    "japaneseCounting": "chinese",
    "lowerLetter": "repeated-letters",
    "lowerRoman": "roman",
    "none": "none",
    "ordinal": "ordinal",
    "taiwaneseCounting": "chinese",
    "upperLetter": "REPEATED-LETTERS",
    "upperRoman": "ROMAN",
}
_PLACE = re.compile("%([1-9])")
_DEEPEST = 8
_LINKS = 10


@dataclass(frozen=True, slots=True)
class Level:
    """One level of a list. `text` is such as `%1.%2.`; `restart` is the level, from 1, after which it begins anew."""

    style: str
    text: str
    start: int = 1
    restart: int | None = None
    is_legal: bool = False
    paragraph_style: str = ""

    def begins_anew_after(self, depth: int) -> bool:
        return self.restart is None or depth < self.restart


@dataclass(frozen=True, slots=True)
class _List:
    """A `num`: the levels of its `abstractNum`, those it writes otherwise, and where it says that counting begins."""

    counted_as: str
    levels: dict[int, Level]
    starts: dict[int, int] = field(default_factory=dict)


class Numbering:
    """Counts the items of all lists of one document, in its order."""

    def __init__(self, root: Element | None, style_lists: dict[str, str]) -> None:
        """`style_lists` has the list that a numbering style names, by the style's id."""
        self._lists = {} if root is None else _read_lists(root, style_lists)
        self._counts: dict[str, dict[int, int]] = {}
        self._begun: set[tuple[str, int]] = set()

    def level_of_style(self, number: str, style: str) -> int:
        """The level of a list whose items have this paragraph style; 0 when the list names none."""
        found = self._lists.get(number)
        levels = found.levels.items() if found else ()
        return next((depth for depth, level in levels if level.paragraph_style == style), 0)

    def next(self, number: str, depth: int) -> str | None:
        """The marker of the next item of a list, which is counted; None where the document has no such list."""
        found = self._lists.get(number)
        level = found.levels.get(depth) if found else None
        if found is None or level is None:
            return None
        counts = self._count(number, found, depth, level)
        return BULLET if level.style == "bullet" else _written(level, found.levels, counts)

    def _count(self, number: str, of: _List, depth: int, level: Level) -> dict[int, int]:
        counts = self._counts.setdefault(of.counted_as, {})
        if depth in of.starts and (number, depth) not in self._begun:
            counts[depth] = of.starts[depth]
        else:
            counts[depth] = counts.get(depth, level.start - 1) + 1
        self._begun.add((number, depth))
        for deeper in [other for other in counts if other > depth]:
            if deeper in of.levels and of.levels[deeper].begins_anew_after(depth + 1):
                del counts[deeper]
        return counts


def _written(level: Level, levels: dict[int, Level], counts: dict[int, int]) -> str:
    def place(found: re.Match[str]) -> str:
        depth = int(found[1]) - 1
        other = levels.get(depth, level)
        style = "decimal" if level.is_legal and other.style != "none" else other.style
        return numeral(counts.get(depth, other.start), style)

    return _PLACE.sub(place, level.text).strip()


def _read_lists(root: Element, style_lists: dict[str, str]) -> dict[str, _List]:
    abstract = {attribute(found, "abstractNumId"): found for found in root.iterfind("{*}abstractNum")}
    numbers = {attribute(found, "numId"): found for found in root.iterfind("{*}num")}
    return {
        number: _read_list(element, _abstract_of(element, abstract, numbers, style_lists))
        for number, element in numbers.items()
    }


def _abstract_of(
    number: Element, abstract: dict[str, Element], numbers: dict[str, Element], style_lists: dict[str, str]
) -> Element | None:
    """A list may leave its levels to a numbering style, which names a list that has them."""
    for _ in range(_LINKS):
        found = abstract.get(child_value(number, "{*}abstractNumId"))
        link = "" if found is None else child_value(found, "{*}numStyleLink")
        linked = numbers.get(style_lists.get(link, ""))
        if linked is None:
            return found
        number = linked
    return None


def _read_list(number: Element, abstract: Element | None) -> _List:
    levels = {} if abstract is None else dict(_read_levels(abstract.iterfind("{*}lvl")))
    starts: dict[int, int] = {}
    for override in number.iterfind("{*}lvlOverride"):
        levels.update(_read_levels(override.iterfind("{*}lvl")))
        if (start := child_value(override, "{*}startOverride")).isdecimal():
            starts[_integer(attribute(override, "ilvl"), 0)] = int(start)
    return _List("" if abstract is None else attribute(abstract, "abstractNumId"), levels, starts)


def _read_levels(elements: Iterable[Element]) -> Iterator[tuple[int, Level]]:
    for element in elements:
        kind = next((attribute(found, "val") for found in element.iter("{*}numFmt")), "decimal")
        restart = child_value(element, "{*}lvlRestart")
        yield (
            min(_integer(attribute(element, "ilvl"), 0), _DEEPEST),
            Level(
                style=_STYLES.get(kind, kind),
                text=child_value(element, "{*}lvlText"),
                start=_integer(child_value(element, "{*}start"), 0),
                restart=int(restart) if restart.isdecimal() else None,
                is_legal=element.find("{*}isLgl") is not None,
                paragraph_style=child_value(element, "{*}pStyle"),
            ),
        )


def _integer(text: str, default: int) -> int:
    return int(text) if text.isdecimal() and len(text) < 10 else default
