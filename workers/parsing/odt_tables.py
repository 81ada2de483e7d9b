"""Owns tables of OpenDocument: rows and cells that are repeated, cells that span others, and those that are covered."""

from collections.abc import Iterator

from embedmill.workers.parsing.xml import Element, all_text, attribute, local_name

REPEATED = 30
"""Most times that a row or cell is repeated; spreadsheets fill their last row and column up to a million."""

_GROUPS = frozenset({"table-rows", "table-row-group", "table-header-rows"})


def rows_of(table: Element, *, is_head: bool = False) -> Iterator[tuple[Element, bool]]:
    """Each row with whether it is of the header; a row with words as often as it is repeated."""
    for child in table:
        name = local_name(child)
        if name in _GROUPS:
            yield from rows_of(child, is_head=is_head or name == "table-header-rows")
        elif name == "table-row":
            for _ in range(_times(child, "number-rows-repeated") if _has_words(child) else 1):
                yield child, is_head


def cells_of(row: Element) -> Iterator[Element]:
    """Each cell that is not covered by another, as often as it is repeated, up to the last one with words."""
    cells = [cell for cell in row if local_name(cell) == "table-cell"]
    while cells and not _has_words(cells[-1]):
        cells.pop()
    for cell in cells:
        for _ in range(_times(cell, "number-columns-repeated")):
            yield cell


def span(cell: Element, name: str) -> int:
    """`number-columns-spanned` or `number-rows-spanned`, at least 1."""
    return _whole(attribute(cell, name))


def _times(element: Element, name: str) -> int:
    return min(_whole(attribute(element, name)), REPEATED)


def _has_words(element: Element) -> bool:
    """A drawing may hold words elsewhere."""
    return bool(all_text(element).strip()) or element.find(".//{*}frame") is not None


def _whole(text: str) -> int:
    return max(int(text), 1) if text.isdecimal() and len(text) < 10 else 1
