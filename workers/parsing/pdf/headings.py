"""Owns which lines are headings, and of what level: from the outline, and from size, weight and numbers."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile
from statistics import median

from embedmill.workers.parsing.pdf.lines import Line, from_place
from embedmill.workers.parsing.pdf.markers import BULLETS, CAPTION, MARKER, has_leaders
from embedmill.workers.parsing.pdf.outline import Outline, folded
from embedmill.workers.parsing.pdf.tables import Part
from embedmill.workers.parsing.pdf.tags import Tag

LARGER = 1.12
"""Of the body's size: larger lines are headings."""
NEAR_SIZE = 0.04
"""Sizes that differ by a smaller share are one."""
MOST_LINES = 3
LONGEST = 200
LONGEST_BOLD = 100
ENOUGH_TAGS = 2
"""Headings that a tagged document has at the least for its word to be taken; others leave them to the eye."""
MOST_SHARE = 1 / 3
"""Of a document's lines: with more headings it is an advertisement, of which the largest sizes count."""
APART = 1.25
"""Of the distance of lines: so far from the text above is a heading that only its number tells."""

_NUMBERED = re.compile(
    r"(?:(?P<deep>\d{1,3}(?:\.\d{1,3})+)\.?|(?P<flat>\d{1,3})\.?|[A-Z]\.?|[IVX]{1,5}\.)\s+(?=[^\W\d_a-z])"
)
_ENDS = (".", ",", ";")
_AUTHORS = re.compile(r"\w@\w|[^\W\d_](?:[∗*†‡]|\[\d(?:,\d)*\]),")
_LETTER = re.compile(r"[^\W\d_]")

Style = tuple[float, bool]
"""Size, and whether bold."""


@dataclass(slots=True)
class Heading:
    """`count` lines from `at` on, on one page. `depth` is that of its number; `level` is 0 until it is known."""

    page: int
    at: int
    count: int
    style: Style
    depth: int = 0
    level: int = 0


Headings = dict[tuple[int, int], Heading]
"""By page and place among its parts."""


def body_size(lines: Sequence[Line]) -> float:
    """The size of most of the text, in points; 0 without text."""
    counted: dict[float, int] = defaultdict(int)
    for line in lines:
        cells = line.cells
        if line.fixed:
            counted[line.size] += len(cells)
        else:
            counted[line.size] += len(cells[0].text) if len(cells) == 1 else sum([len(cell.text) for cell in cells])
    sizes: Counter[float] = Counter()
    for size, characters in counted.items():
        sizes[rounded(size)] += characters
    return sizes.most_common(1)[0][0] if sizes else 0.0


def rounded(size: float) -> float:
    """A size to half a point, as styles differ."""
    return round(size * 2) / 2


def find_headings(pages: Sequence[Sequence[Part]], outline: Outline, body: float) -> Headings:
    """The headings of a document whose running text has the size `body`."""
    tagged = [heading for page, parts in enumerate(pages) for heading in _tagged(page, parts)]
    if len(tagged) >= ENOUGH_TAGS:
        return {(heading.page, heading.at): heading for heading in tagged}
    found = [heading for page in range(len(pages)) for heading in _of_page(page, pages[page], outline, body)]
    lines = sum(isinstance(part, Line) for parts in pages for part in parts)
    if sum(heading.count for heading in found if not heading.level) > max(MOST_SHARE * lines, MOST_LINES):
        found = _largest(found)
    _set_levels(found)
    return {(heading.page, heading.at): heading for heading in found}


def _tagged(page: int, parts: Sequence[Part]) -> Iterator[Heading]:
    """Lines that the document itself calls headings; those of one element are one."""
    at = 0
    while at < len(parts):
        tag = _heading_tag(parts[at])
        count = len(list(takewhile(lambda part: _heading_tag(part) == tag, from_place(parts, at)))) if tag else 1  # noqa: B023
        if tag:
            yield Heading(page, at, count, (0.0, False), level=tag.level)
        at += count


def _heading_tag(part: Part) -> Tag | None:
    return part.tag if isinstance(part, Line) and part.tag and part.tag.level else None


def _of_page(page: int, parts: Sequence[Part], outline: Outline, body: float) -> Iterator[Heading]:
    titles = outline.get(page, {})
    leading = _leading(parts)
    at = 0
    while at < len(parts):
        heading = _outlined(page, parts, at, titles) or _styled(page, parts, at, body, leading)
        if heading and heading.count:
            if heading.style[0]:
                yield heading
            at += heading.count
        else:
            at += 1


def _outlined(page: int, parts: Sequence[Part], at: int, titles: dict[str, int]) -> Heading | None:
    """The outline's entry that starts here; a page number above it folds to nothing and must not be taken into it."""
    first = parts[at]
    if not titles or not isinstance(first, Line) or not _may_begin(first.text, titles):
        return None
    text = ""
    for count, part in enumerate(parts[at : at + MOST_LINES], start=1):
        if not isinstance(part, Line):
            return None
        text += " " + part.text
        if level := titles.get(folded(text), 0):
            return Heading(page, at, count, _style(first), _depth(text), level)
    return None


def _may_begin(text: str, titles: dict[str, int]) -> bool:
    """Whether a title begins with a line, of which the first word tells most."""
    first = folded(text.partition(" ")[0])
    return not (first and not _begins(first, titles)) and _begins(folded(text), titles)


def _begins(text: str, titles: dict[str, int]) -> bool:
    return bool(text) and any(title.startswith(text) for title in titles)


def _styled(page: int, parts: Sequence[Part], at: int, body: float, leading: float) -> Heading | None:
    """What looks like a heading from here on; one without a style is emphasised text that is none, to pass over."""
    line = parts[at]
    if not isinstance(line, Line) or line.fixed or line.alone or _is_item(line.text):
        return None
    larger = line.size > LARGER * body
    if line.bold and not larger and (CAPTION.match(line.text) or _is_of_authors(parts, at)):
        return None
    if not larger and not (line.bold and line.size >= 0.95 * body):
        return _numbered(page, parts, at, leading)
    lines = list(_alike(parts, at))
    text = " ".join(line.text for line in lines)
    if len(lines) > MOST_LINES or not _may_head(line, text, larger=larger):
        return Heading(page, at, len(lines) if len(lines) > MOST_LINES else 0, (0.0, False))
    return Heading(page, at, len(lines), _style(line), _depth(text))


def _is_of_authors(parts: Sequence[Part], at: int) -> bool:
    """Whether a line has addresses, or names with marks behind them, or goes on with what a comma ends."""
    line, above = parts[at], parts[at - 1] if at else None
    assert isinstance(line, Line)
    if _AUTHORS.search(line.text):
        return True
    is_below = isinstance(above, Line) and 0 < above.base - line.base < 1.5 * line.size
    return is_below and isinstance(above, Line) and above.text.endswith(",")


def _is_item(text: str) -> bool:
    """Whether a bullet stands before it; a number may stand before a heading, too."""
    found = MARKER.match(text)
    return text[0] in BULLETS or (found is not None and bool(found["bullet"]))


def _alike(parts: Sequence[Part], at: int) -> Iterator[Line]:
    """Lines from here on in one style, each right below the one before; another number begins another heading."""
    before: Line | None = None
    for part in from_place(parts, at):
        if not isinstance(part, Line) or part.fixed or (before and not _goes_on(before, part)):
            return
        yield part
        before = part


def _goes_on(before: Line, line: Line) -> bool:
    near = 0 < before.base - line.base < 1.5 * before.size
    alike = abs(before.size - line.size) <= NEAR_SIZE * before.size and before.bold == line.bold
    return near and alike and not _depth(line.text) and line.left < before.right


def _may_head(line: Line, text: str, *, larger: bool) -> bool:
    if (
        has_leaders(text)
        or any(cell.text[0] in BULLETS for cell in line.cells)
        or not _LETTER.search(text)
        or len(text) > (LONGEST if larger else LONGEST_BOLD)
    ):
        return False
    if not larger and text.endswith(_ENDS) and not _NUMBERED.match(text):
        return False
    return len(line.cells) == 1 or larger or (len(line.cells) == 2 and _NUMBERED.match(line.text) is not None)


def _numbered(page: int, parts: Sequence[Part], at: int, leading: float) -> Heading | None:
    """A short line like the text's, which stands apart and begins with a number of several parts."""
    line = parts[at]
    assert isinstance(line, Line)
    found = _NUMBERED.match(line.text)
    if not found or not found["deep"] or len(line.text) > LONGEST_BOLD or line.text.endswith(_ENDS):
        return None
    above = parts[at - 1] if at else None
    below = parts[at + 1] if at + 1 < len(parts) else None
    is_apart = not isinstance(above, Line) or not 0 < above.base - line.base < APART * leading
    if not is_apart or has_leaders(line.text) or not isinstance(below, Line) or _is_numbered(below):
        return None
    return Heading(page, at, 1, _style(line), _depth(line.text))


def _is_numbered(line: Line) -> bool:
    return _NUMBERED.match(line.text) is not None


def _style(line: Line) -> Style:
    return rounded(line.size), line.bold


def _depth(text: str) -> int:
    """Parts of the number that a heading begins with: 2 of `3.1`; 0 without one."""
    found = _NUMBERED.match(text.strip())
    if not found:
        return 0
    return found["deep"].count(".") + 1 if found["deep"] else 1


def _leading(parts: Sequence[Part]) -> float:
    lines = [part for part in parts if isinstance(part, Line)]
    gaps = [above.base - line.base for above, line in pairwise(lines)]
    return median([gap for gap in gaps if gap > 0] or [0.0])


def _largest(found: Sequence[Heading]) -> list[Heading]:
    """The headings of the outline, and of the others those of the two largest sizes."""
    sizes = sorted({heading.style[0] for heading in found if not heading.level}, reverse=True)[:2]
    return [heading for heading in found if heading.level or heading.style[0] in sizes]


def _set_levels(found: Sequence[Heading]) -> None:
    """Levels of the outline, else by the rank of the style; numbers say how deep a heading is below the first ones."""
    told = _told_levels(found)
    ranks = _ranks(found, told)
    first = min((ranks[heading.style] for heading in found if heading.depth == 1), default=0)
    for heading in found:
        if not heading.level:
            below = first + heading.depth - 1 if first and heading.depth else 0
            heading.level = min(below or ranks[heading.style], 6)


def _told_levels(found: Sequence[Heading]) -> dict[Style, int]:
    """The level that the outline gives to most headings of a style."""
    levels: dict[Style, Counter[int]] = {}
    for heading in found:
        if heading.level:
            levels.setdefault(heading.style, Counter())[heading.level] += 1
    return {style: counted.most_common(1)[0][0] for style, counted in levels.items()}


def _ranks(found: Sequence[Heading], told: dict[Style, int]) -> dict[Style, int]:
    """Levels by size and weight, the largest first; a style whose level the outline tells has that."""
    ranks: dict[Style, int] = {}
    level, before = 0, None
    for style in sorted({heading.style for heading in found}, reverse=True):
        if style in told:
            level = told[style]
        elif before is None or not _is_one_style(before, style):
            level += 1
        ranks[style] = min(level, 6)
        before = style
    return ranks


def _is_one_style(one: Style, other: Style) -> bool:
    return one[1] == other[1] and abs(one[0] - other[0]) <= NEAR_SIZE * one[0]
