"""Owns the styles of an OpenDocument text: headings, code, captions, scripts, what is hidden, and how lists count."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from embedmill.workers.parsing.fixed_fonts import is_fixed
from embedmill.workers.parsing.inheriting import with_parents
from embedmill.workers.parsing.list_items import BULLET
from embedmill.workers.parsing.numerals import numeral
from embedmill.workers.parsing.scripts import SUB, SUPER
from embedmill.workers.parsing.xml import Element, attribute, attributes, local_name

CODE = frozenset({"preformatted text", "source code", "sourcecode", "code", "html preformatted"})

_DEEPEST = 10
_HEADING = re.compile("heading ([1-9])")
_ESCAPED = re.compile("_([0-9a-f]{1,6})_")
_PLACE = re.compile("%([0-9]{1,2})%")
_FORMATS = {"a": "letters", "A": "LETTERS", "i": "roman", "I": "ROMAN", "1": "decimal", "": "none"}


@dataclass(frozen=True, slots=True)
class OdtStyle:
    """What a style means, its parents included; `names` are its own and theirs, in small letters."""

    names: tuple[str, ...] = ()
    parent: str = ""
    script: str = ""
    is_hidden: bool = False
    is_struck: bool | None = None
    font: str = ""

    @property
    def level(self) -> int:
        """Of the heading that a paragraph looks like, of which the document's outline knows nothing; 0 for none."""
        found = (_HEADING.fullmatch(name) for name in self.names)
        return 1 if "title" in self.names else next((int(each[1]) for each in found if each), 0)

    @property
    def is_code(self) -> bool:
        return not CODE.isdisjoint(self.names)

    @property
    def is_caption(self) -> bool:
        return any(name.endswith("caption") for name in self.names)

    def below(self, parent: "OdtStyle") -> "OdtStyle":
        return replace(
            self,
            names=self.names + parent.names,
            script=self.script or parent.script,
            is_hidden=self.is_hidden or parent.is_hidden,
            is_struck=parent.is_struck if self.is_struck is None else self.is_struck,
            font=self.font or parent.font,
        )


@dataclass(frozen=True, slots=True)
class OdtLevel:
    """One level of a list: `form` is such as `%1%.%2%.`; `shown` is how many levels' numbers stand in it."""

    style: str
    form: str = ""
    before: str = ""
    after: str = ""
    start: int = 1
    shown: int = 1


class OdtStyles:
    """Looks styles and list styles up by name; each is read when it is first asked for."""

    def __init__(self, *roots: Element) -> None:
        """Of styles of one name, those of a later root count."""
        named = [found for root in roots for found in root.iter("{*}style", "{*}list-style")]
        self._elements = {attribute(found, "name"): found for found in named if local_name(found) == "style"}
        self._listings = {attribute(found, "name"): found for found in named if local_name(found) != "style"}
        self._known: dict[str, OdtStyle] = {"": OdtStyle()}
        self._roots = roots

    @cached_property
    def outline(self) -> dict[int, OdtLevel]:
        """The levels of headings."""
        found = [found for root in self._roots for found in root.iter("{*}outline-style")]
        return dict(_read_levels(found[-1])) if found else {}

    @cached_property
    def is_typewritten(self) -> bool:
        """Whether a fixed-width font is the document's own, and no sign of code."""
        found = (style for root in self._roots for style in root.iter("{*}default-style"))
        usual = next((style for style in found if attribute(style, "family") == "paragraph"), None)
        return is_fixed(self["Standard"].font or ("" if usual is None else _read_style(usual).font))

    def __getitem__(self, name: str) -> OdtStyle:
        if name not in self._known:
            self._known[name] = with_parents(name, self._own, self._elements)
        return self._known[name]

    def levels(self, name: str) -> dict[int, OdtLevel]:
        """The levels of a list style; none where the document does not define it."""
        found = self._listings.get(name)
        return {} if found is None else dict(_read_levels(found))

    def _own(self, name: str) -> OdtStyle:
        element = self._elements.get(name)
        return OdtStyle(names=(_plain(name),)) if element is None else _read_style(element)


@dataclass(slots=True)
class Counter:
    """Counts the items of one list, at all its levels, from 1."""

    levels: dict[int, OdtLevel]
    counts: dict[int, int] = field(default_factory=dict)

    def next(self, depth: int, start: str = "") -> str:
        """The marker of the next item of a level; `start` is the number that an item gives itself, if it does."""
        level = self.levels.get(depth, OdtLevel("bullet"))
        self.counts[depth] = int(start) if start.isdecimal() else self.counts.get(depth, level.start - 1) + 1
        for deeper in [other for other in self.counts if other > depth]:
            del self.counts[deeper]
        return BULLET if level.style == "bullet" else self._written(depth, level)

    def _written(self, depth: int, level: OdtLevel) -> str:
        if level.form:
            return _PLACE.sub(lambda found: self._number(int(found[1])), level.form).strip()
        shown = range(max(depth - level.shown + 1, 1), depth + 1)
        numbers = ".".join(filter(None, map(self._number, shown)))
        return f"{level.before}{numbers}{level.after}".strip() if numbers else ""

    def _number(self, depth: int) -> str:
        level = self.levels.get(depth, OdtLevel("decimal"))
        return numeral(self.counts.get(depth, level.start), level.style)


def _read_style(style: Element) -> OdtStyle:
    said = attributes(style)
    name, shown = said.get("name", ""), said.get("display-name", "")
    properties = next(style.iterfind("{*}text-properties"), None)
    shape = {} if properties is None else attributes(properties)
    return OdtStyle(
        names=(_plain(shown or name),),
        parent=said.get("parent-style-name", ""),
        script=raised(shape.get("text-position", "")),
        is_hidden=shape.get("display") == "none",
        is_struck=_is_struck(shape),
        font=shape.get("font-name") or shape.get("font-family", ""),
    )


def _plain(name: str) -> str:
    return _ESCAPED.sub(lambda found: chr(min(int(found[1], 16), 0x10FFFF)), name).lower()


def _is_struck(shape: Mapping[str, str]) -> bool | None:
    said = [shape.get(f"text-line-through-{kind}", "") for kind in ("style", "type")]
    return "none" not in said if any(said) else None


def raised(position: str) -> str:
    """The script that a text's position is: `super 58%`, `sub 58%`, or how far above the line in percent."""
    raised = position.split(" ", maxsplit=1)[0].rstrip("%")
    if raised in {"", "0"}:
        return ""
    return SUB if raised == "sub" or raised.startswith("-") else SUPER


def _read_levels(listing: Element) -> Iterator[tuple[int, OdtLevel]]:
    for level in _levels_of(listing):
        depth = attribute(level, "level")
        if depth.isdecimal() and 0 < int(depth) <= _DEEPEST:
            yield int(depth), _read_level(level)


def _levels_of(listing: Element) -> Iterable[Element]:
    return (level for level in listing if "level-style" in local_name(level))


def _read_level(level: Element) -> OdtLevel:
    if local_name(level) in {"list-level-style-bullet", "list-level-style-image"}:
        return OdtLevel("bullet")
    said = attributes(level)
    start, shown = said.get("start-value", ""), said.get("display-levels", "")
    return OdtLevel(
        style=_FORMATS.get(said.get("num-format", ""), "decimal"),
        form=said.get("num-list-format", ""),
        before=said.get("num-prefix", ""),
        after=said.get("num-suffix", ""),
        start=int(start) if start.isdecimal() else 1,
        shown=int(shown) if shown.isdecimal() else 1,
    )
