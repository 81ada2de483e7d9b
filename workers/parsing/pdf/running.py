"""Owns running lines: headers, footers and page numbers, which repeat at one height outside of the pages' body."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from embedmill.workers.parsing.pdf.lines import Line
from embedmill.workers.parsing.pdf.pages import PdfPage

SAME_HEIGHT = 2.0
"""Points: lines of several pages that differ less are at one height."""
PAGES = 3
MOST_LINES = 3
"""Lines that a header or footer has at the most."""
APART = 1.4
"""Of the distance of a page's lines: a header or footer is farther from the body."""
MARGIN = 0.09
"""Of a page's height: outside, lines may run whose words change from page to page."""
MOST_PAGES_SHARE = 0.6
HUGE = 3.0
"""Of the body's size: so large are words that are laid over pages."""
LARGER = 1.12
"""Of the body's size: larger lines whose words change are headings."""

_NUMBER = re.compile(
    r"^\W*(?P<first>\d+|[ivxlc]+)\b|\b(?:page|seite|p[áa]gina|pagina)\s+(?P<named>\d+)|\b(?P<last>\d+|[ivxlc]+)\W*$",
    re.IGNORECASE,
)
_PAGE_NUMBER = re.compile(
    r"\W*(?:(?:page|seite|p[áa]gina|pagina|s\.|p\.|strana|стр\.?|第)?\s*(?P<page>\d+|[ivxlc]+)"
    r"(?:\s*(?:/|of|von|de|di|из|à)\s*\d+)?)\s*(?:页|ページ)?\W*",
    re.IGNORECASE,
)
_ROMAN = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}


class _Edge(NamedTuple):
    """A line at the upper or lower edge of a page; `number` of the page counts from 1."""

    number: int
    line: Line
    in_margin: bool


def drop_running_lines(pages: Sequence[PdfPage | None], body: float) -> None:
    """Takes the running lines out of `pages`, unless nothing would be left; `body` is the size of running text."""
    held = [(number, page) for number, page in enumerate(pages, start=1) if page]
    running = {id(edge.line) for slot in _slots(held) for edge in _running(slot, len(held), body)}
    running |= {id(line) for line in _watermarks(held, body)}
    stamps = _stamps(held)
    is_all = all(id(line) in running for _, page in held for line in page.lines)
    for _, page in held:
        kept = [line for line in page.lines if id(line) not in running]
        page.only_runs = bool(page.lines) and not kept
        page.lines = page.lines if is_all else kept
        page.turned = [[line for line in lines if line.text not in stamps] for lines in page.turned]


def _stamps(pages: Sequence[tuple[int, PdfPage]]) -> set[str]:
    """Turned text that is the same on several pages."""
    texts = Counter(text for _, page in pages for text in {line.text for lines in page.turned for line in lines})
    return {text for text, count in texts.items() if count >= PAGES}


def _watermarks(pages: Sequence[tuple[int, PdfPage]], body: float) -> Iterator[Line]:
    """Words far larger than the text that stand at one place of most pages."""
    if len(pages) < 2:
        return
    found: dict[tuple[str, int, int], list[Line]] = defaultdict(list)
    for line in (line for _, page in pages for line in page.lines if line.size > HUGE * body):
        found[line.text, round(line.base), round(line.left)].append(line)
    for lines in found.values():
        if len(lines) > MOST_PAGES_SHARE * len(pages):
            yield from lines


def _slots(pages: Sequence[tuple[int, PdfPage]]) -> Iterator[list[_Edge]]:
    """Edge lines of several pages at one height."""
    leading = _leading([page for _, page in pages])
    found = (edge for number, page in pages for edge in _edges(number, page, leading))
    edges = sorted(found, key=lambda edge: edge.line.base)
    slot: list[_Edge] = []
    for edge in edges:
        if slot and edge.line.base - slot[-1].line.base > SAME_HEIGHT:
            yield slot
            slot = []
        slot.append(edge)
    if slot:
        yield slot


def _edges(number: int, page: PdfPage, leading: float) -> Iterator[_Edge]:
    down = sorted((line for line in page.lines if not line.alone), key=lambda line: -line.base)
    if not down:
        return
    _, bottom, _, top = page.box
    margin = MARGIN * (top - bottom)
    apart = {id(line) for lines in (down, down[::-1]) for line in _edge(lines, leading)}
    for line in down:
        in_margin = line.base > top - margin or line.base < bottom + margin
        if (in_margin and line in (down[0], down[-1])) or (id(line) in apart and (in_margin or len(apart) < len(down))):
            yield _Edge(number, line, in_margin=in_margin and id(line) in apart)


def _edge(lines: Sequence[Line], leading: float) -> Sequence[Line]:
    """The lines from a page's edge to the first wide gap."""
    for count, (line, following) in enumerate(pairwise(lines[: MOST_LINES + 1]), start=1):
        if abs(line.base - following.base) > APART * leading:
            return lines[:count]
    return lines if len(lines) <= MOST_LINES else ()


def _leading(pages: Sequence[PdfPage]) -> float:
    """The usual distance of lines."""
    lines = (sorted(page.lines, key=lambda line: -line.base) for page in pages)
    gaps = (above.base - line.base for down in lines for above, line in pairwise(down))
    return median([gap for gap in gaps if gap > 1] or [1.0])


def _running(slot: Sequence[_Edge], pages: int, body: float) -> list[_Edge]:
    """Those lines of one height that repeat: by their words, by page numbers, or most pages have one in the margin."""
    enough = min(PAGES, max(pages, 2))
    if len({edge.number for edge in slot}) < enough:
        return []
    texts = Counter(edge.line.text for edge in slot)
    numbered = _numbered(slot, enough)
    plain = [edge for edge in slot if edge.in_margin and edge.line.size <= LARGER * body]
    if len(plain) >= MOST_PAGES_SHARE * pages and len(plain) >= PAGES and _alternates(plain, numbered):
        return [edge for edge in slot if edge in plain or texts[edge.line.text] >= enough]
    return [edge for edge in slot if texts[edge.line.text] >= enough or _is_page_number(edge, numbered)]


def _is_page_number(edge: _Edge, numbered: set[int]) -> bool:
    return edge.number in numbered and _PAGE_NUMBER.fullmatch(edge.line.text) is not None


def _alternates(plain: Sequence[_Edge], numbered: set[int]) -> bool:
    """Whether lines of most pages count pages, or say one thing for several pages, as names of chapters do."""
    counted = sum(edge.number in numbered for edge in plain)
    texts = Counter(edge.line.text for edge in plain)
    repeated = sum(count for count in texts.values() if count > 1)
    return max(counted, repeated) > len(plain) / 2


def _numbered(slot: Sequence[_Edge], enough: int) -> set[int]:
    """Pages on which the line begins or ends with a number that counts them."""
    offsets: dict[int, set[int]] = defaultdict(set)
    for edge in slot:
        for number in _numbers(edge.line.text):
            offsets[_value(number) - edge.number].add(edge.number)
    counting = (pages for pages in offsets.values() if len(pages) >= enough)
    return set().union(*counting)


def _numbers(text: str) -> Iterator[str]:
    """Numbers that may be a page's."""
    if found := _PAGE_NUMBER.fullmatch(text):
        yield found["page"]
    else:
        yield from (found["first"] or found["named"] or found["last"] for found in _NUMBER.finditer(text))


def _value(number: str) -> int:
    if number.isdecimal():
        return int(number[:9])
    digits = [_ROMAN[sign] for sign in number.lower()]
    return sum(digit if digit >= after else -digit for digit, after in zip(digits, [*digits[1:], 0], strict=True))
