"""Owns the numbers of a Word document's lists: which item comes next, and how its number is written."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from embedmill.workers.parsing.list_items import BULLET
from embedmill.workers.parsing.numerals import numeral
from embedmill.workers.parsing.word_styles import Styles
from embedmill.workers.parsing.xml import Element, attribute, child_value, children, value

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
class ListLevel:
    """One level of a list. `text` is such as `%1.%2.`; `restart` is the level, from 1, after which it begins anew."""

    style: str
    text: str
    start: int = 1
    restart: int | None = None
    is_legal: bool = False
    has_picture: bool = False
    paragraph_style: str = ""

    def begins_anew_after(self, depth: int) -> bool:
        return self.restart is None or depth < self.restart


@dataclass(frozen=True, slots=True)
class CountedList:
    """A `num`: the levels of its `abstractNum`, those it writes otherwise, and where it says that counting begins."""

    counted_as: str
    levels: dict[int, ListLevel]
    starts: dict[int, int] = field(default_factory=dict)


class ListCounts:
    """Counts the items of all lists of one document, in its order."""

    def __init__(self) -> None:
        self._counts: dict[str, dict[int, int]] = {}
        self._begun: set[tuple[str, int]] = set()

    def next(self, number: str, of: CountedList, depth: int) -> str | None:
        """The marker of the next item of a list, which is counted; None where the list has no such level."""
        level = of.levels.get(depth)
        if level is None:
            return None
        counts = self._count(number, of, depth, level)
        if level.style == "bullet":
            return BULLET if level.text.strip() or level.has_picture else ""
        return _written(level, of.levels, counts)

    def _count(self, number: str, of: CountedList, depth: int, level: ListLevel) -> dict[int, int]:
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


class Numbering:
    """The lists of one Word document."""

    def __init__(self, root: Element | None, styles: Styles) -> None:
        """Numbering styles name lists, too."""
        self._styles = styles
        self._numbers = _by_id(root, "num", "numId")
        self._abstract = _by_id(root, "abstractNum", "abstractNumId")
        self._lists: dict[str, CountedList | None] = {}
        self._counts = ListCounts()

    def level_of_style(self, number: str, style: str) -> int:
        """The level of a list whose items have this paragraph style; 0 when the list names none."""
        found = self._list(number)
        levels = found.levels.items() if found else ()
        return next((depth for depth, level in levels if level.paragraph_style == style), 0)

    def next(self, number: str, depth: int) -> str | None:
        """The marker of the next item of a list, which is counted; None where the document has no such list."""
        found = self._list(number)
        return None if found is None else self._counts.next(number, found, depth)

    def _list(self, number: str) -> CountedList | None:
        """A list, read when it is first asked for."""
        if number not in self._lists:
            element = self._numbers.get(number)
            self._lists[number] = None if element is None else _read_list(element, self._abstract_of(element))
        return self._lists[number]

    def _abstract_of(self, number: Element) -> Element | None:
        """A list may leave its levels to a numbering style, which names a list that has them."""
        for _ in range(_LINKS):
            found = self._abstract.get(child_value(number, "{*}abstractNumId"))
            link = "" if found is None else child_value(found, "{*}numStyleLink")
            linked = self._numbers.get(self._styles[link].list)
            if linked is None:
                return found
            number = linked
        return None


def _written(level: ListLevel, levels: dict[int, ListLevel], counts: dict[int, int]) -> str:
    def place(found: re.Match[str]) -> str:
        depth = int(found[1]) - 1
        other = levels.get(depth, level)
        style = "decimal" if level.is_legal and other.style != "none" else other.style
        return numeral(counts.get(depth, other.start), style)

    return _PLACE.sub(place, level.text).strip()


def _read_list(number: Element, abstract: Element | None) -> CountedList:
    levels = {} if abstract is None else dict(_read_levels(abstract.iterfind("{*}lvl")))
    starts: dict[int, int] = {}
    for override in number.iterfind("{*}lvlOverride"):
        levels.update(_read_levels(override.iterfind("{*}lvl")))
        if (start := child_value(override, "{*}startOverride")).isdecimal():
            starts[_integer(attribute(override, "ilvl"), 0)] = int(start)
    return CountedList("" if abstract is None else attribute(abstract, "abstractNumId"), levels, starts)


def _read_levels(elements: Iterable[Element]) -> Iterator[tuple[int, ListLevel]]:
    for element in elements:
        own = children(element)
        # A list with numbers of an uncommon kind stands in a choice, with a common one for old programs.
        kind = value(own.get("numFmt")) or next((value(found) for found in element.iter("{*}numFmt")), "decimal")
        restart = value(own.get("lvlRestart"))
        yield (
            min(_integer(attribute(element, "ilvl"), 0), _DEEPEST),
            ListLevel(
                style=_STYLES.get(kind, kind),
                text=value(own.get("lvlText")),
                start=_integer(value(own.get("start")), 0),
                restart=int(restart) if restart.isdecimal() else None,
                is_legal="isLgl" in own,
                has_picture="lvlPicBulletId" in own,
                paragraph_style=value(own.get("pStyle")),
            ),
        )


def _by_id(root: Element | None, name: str, key: str) -> dict[str, Element]:
    return {} if root is None else {attribute(found, key): found for found in root.iterfind(f"{{*}}{name}")}


def _integer(text: str, default: int) -> int:
    return int(text) if text.isdecimal() and len(text) < 10 else default
