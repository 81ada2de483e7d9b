"""Owns what a slide's placeholders inherit from their layout and master: where they stand, and how their lists look."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from embedmill.workers.parsing.archive import Archive
from embedmill.workers.parsing.package import PartRelation, parts_of_kind, relations
from embedmill.workers.parsing.xml import Element, local_name, parse_xml

_TITLES = frozenset({"title", "ctrTitle"})
_TRANSFORMS = ("{*}spPr/{*}xfrm", "{*}xfrm", "{*}grpSpPr/{*}xfrm")


@dataclass(frozen=True, slots=True)
class Box:
    """Where a shape stands, in the units of the group or slide around it."""

    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True, slots=True)
class Placeholder:
    """`kind` is such as title, body or ftr, and "" for a shape that is no placeholder."""

    kind: str
    index: str

    @classmethod
    def of(cls, shape: Element) -> "Placeholder":
        properties = properties_of(shape)
        found = None if properties is None else properties.find("{*}nvPr/{*}ph")
        return cls("", "") if found is None else cls(found.get("type", "body"), found.get("idx", "0"))

    @property
    def is_title(self) -> bool:
        return self.kind in _TITLES

    @property
    def master_kind(self) -> str:
        return "title" if self.is_title else self.kind if self.kind in {"dt", "ftr", "sldNum"} else "body"


def properties_of(shape: Element) -> Element | None:
    """What a shape says of itself beside its looks: its first child, whatever kind of shape it is."""
    return next((child for child in shape if local_name(child).startswith("nv")), None)


class SlideLayout:
    """The placeholders of a layout and of its master."""

    def __init__(self, layout: Element | None, master: Element | None) -> None:
        self._layout = list(_placeholders(layout))
        self._master = list(_placeholders(master))
        self._styles = None if master is None else master.find("{*}txStyles")

    def above(self, placeholder: Placeholder) -> Iterator[Element]:
        """The shapes from which a placeholder inherits, the nearest first."""
        if not placeholder.kind:
            return
        yield from _matching(self._layout, placeholder)
        yield from (shape for other, shape in self._master if other.master_kind == placeholder.master_kind)

    def list_styles(self, placeholder: Placeholder) -> Iterator[Element]:
        """What gives a placeholder's paragraphs their bullets, the nearest first."""
        for shape in self.above(placeholder):
            yield from shape.iterfind("{*}txBody/{*}lstStyle")
        if self._styles is not None and placeholder.kind and placeholder.master_kind == "body":
            yield from self._styles.iterfind("{*}bodyStyle")


class Layouts:
    """The layouts of a presentation, each read once."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._known: dict[str, SlideLayout] = {}

    def of_slide(self, related: dict[str, PartRelation]) -> SlideLayout:
        """The layout that a slide with these relations names."""
        part = next(parts_of_kind(self._archive, related.values(), "slideLayout"), "")
        if part not in self._known:
            self._known[part] = self._read(part) if part else self._none
        return self._known[part]

    @cached_property
    def _none(self) -> SlideLayout:
        return SlideLayout(None, None)

    def _read(self, part: str) -> SlideLayout:
        masters = parts_of_kind(self._archive, relations(self._archive, part).values(), "slideMaster")
        master = next((parse_xml(self._archive.read(found)) for found in masters), None)
        return SlideLayout(parse_xml(self._archive.read(part)), master)


def box_of(shape: Element, layout: SlideLayout, placeholder: Placeholder) -> Box | None:
    """Its own, or that of what it inherits from."""
    return next((box for found in (shape, *layout.above(placeholder)) if (box := _own_box(found))), None)


def reading_order(boxes: list[Box | None]) -> list[int]:
    """The indexes of the boxes as people read them: bands from top to bottom, and columns in a band from the left.

    A box of unknown place goes with the one before it.
    """
    placed: list[tuple[int, Box]] = []
    for index, box in enumerate(boxes):
        before = placed[-1][1] if placed else Box(0, 0, 0, 0)
        placed.append((index, box or before))
    return [index for index, _ in _ordered(placed)]


def _ordered(placed: list[tuple[int, Box]]) -> list[tuple[int, Box]]:
    if len(placed) < 2:
        return placed
    bands = _cut(placed, lambda box: (box.top, box.bottom))
    if len(bands) > 1:
        return list(_band_by_band(bands))
    columns = _cut(placed, _across)
    if len(columns) > 1:
        return [found for column in columns for found in _ordered(column)]
    return sorted(placed, key=lambda pair: (pair[1].top, pair[1].left))


def _band_by_band(bands: list[list[tuple[int, Box]]]) -> Iterator[tuple[int, Box]]:
    """Bands from the top; low boxes above high ones of the same columns head these, and are read with them."""
    at = 0
    while at < len(bands):
        if at + 1 < len(bands) and _heads(bands[at], bands[at + 1]):
            columns = _cut(bands[at] + bands[at + 1], _across)
            yield from (found for column in columns for found in _ordered(column))
            at += 2
        else:
            yield from _ordered(bands[at])
            at += 1


def _heads(band: list[tuple[int, Box]], below: list[tuple[int, Box]]) -> bool:
    """Whether two or more boxes stand over as many, each as wide as that below it, and half as high or lower."""
    if len(band) != len(below) or len(band) < 2:
        return False
    pairs = zip(*(sorted([box for _, box in boxes], key=_across) for boxes in (band, below)), strict=True)
    return all(_is_over(box, other) for box, other in pairs)


def _is_over(box: Box, other: Box) -> bool:
    slack = (other.right - other.left) // 10
    is_one_column = abs(box.left - other.left) <= slack and abs(box.right - other.right) <= slack
    return is_one_column and 2 * (box.bottom - box.top) <= other.bottom - other.top


def _across(box: Box) -> tuple[int, int]:
    return box.left, box.right


def _cut(placed: list[tuple[int, Box]], side: Callable[[Box], tuple[int, int]]) -> list[list[tuple[int, Box]]]:
    """Groups between which nothing overlaps along one side, but for a tenth of the smaller one."""
    groups: list[list[tuple[int, Box]]] = []
    reach = 0
    for pair in sorted(placed, key=lambda pair: side(pair[1])[0]):
        start, end = side(pair[1])
        if groups and start < reach - (end - start) // 10:
            groups[-1].append(pair)
        else:
            groups.append([pair])
        reach = max(reach, end)
    return groups


def _own_box(shape: Element) -> Box | None:
    for path in _TRANSFORMS:
        if (transform := shape.find(path)) is not None:
            return _box(transform)
    return None


def _box(transform: Element) -> Box | None:
    offset, extent = transform.find("{*}off"), transform.find("{*}ext")
    if offset is None or extent is None:
        return None
    left, top, width, height = (
        _length(element.get(name, "0")) for element, names in ((offset, "xy"), (extent, ("cx", "cy"))) for name in names
    )
    return Box(left, top, left + width, top + height)


def _length(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return 0


def _placeholders(root: Element | None) -> Iterator[tuple[Placeholder, Element]]:
    if root is None:
        return
    for shape in root.iterfind("{*}cSld/{*}spTree/*"):
        if local_name(shape) == "sp" and (placeholder := Placeholder.of(shape)).kind:
            yield placeholder, shape


def _matching(known: list[tuple[Placeholder, Element]], wanted: Placeholder) -> Iterator[Element]:
    """By index, which is the slide's reference to its layout; titles have none."""
    for other, shape in known:
        if other.index == wanted.index and other.master_kind == wanted.master_kind:
            yield shape
            return
