"""Places worth a look: where a literal stands that a pattern cannot do without: it is found faster."""

from collections.abc import Iterable, Iterator


def places(text: str, literals: Iterable[str]) -> Iterator[int]:
    """Where each of the literals begins."""
    for literal in literals:
        place = text.find(literal)
        while place >= 0:
            yield place
            place = text.find(literal, place + len(literal))


def regions(text: str, literals: Iterable[str], *, before: int, after: int) -> Iterator[tuple[int, int]]:
    """Spans of so many characters around the literals, in order; those that touch are one."""
    return merged(((place - before, place + after) for place in places(text, literals)), len(text))


def merged(spans: Iterable[tuple[int, int]], length: int) -> Iterator[tuple[int, int]]:
    """Spans in order within a text of a length, those that touch as one."""
    start = end = -1
    for first, last in sorted(spans):
        if first <= end:
            end = max(end, last)
            continue
        if end > 0:
            yield max(0, start), min(end, length)
        start, end = first, last
    if end > 0:
        yield max(0, start), min(end, length)
