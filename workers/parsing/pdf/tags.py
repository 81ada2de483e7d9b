"""Owns the structure tree of a tagged PDF, as far as it says more than places do: headings, and header cells."""

import ctypes
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

MOST_ELEMENTS = 20_000
"""Of a page."""
DEEPEST = 60

_HEADING = re.compile(r"H([1-6])")


class Tag(NamedTuple):
    """The element that text belongs to: its number on the page, and its level if it is a heading, else 0."""

    number: int
    level: int

    @property
    def is_header_cell(self) -> bool:
        """Of the elements that are kept, those of no level are cells that head a table."""
        return not self.level


Tags = dict[int, Tag]
"""By the number of a page's marked content."""


def is_tagged(document: Any) -> bool:
    """Whether the document, pdfium's handle, has a structure tree."""
    from pypdfium2.raw import FPDFCatalog_IsTagged

    return bool(FPDFCatalog_IsTagged(document))


def read_tags(page: Any) -> Tags:
    """The headings and header cells of a page, pdfium's handle."""
    from pypdfium2 import raw

    tree = raw.FPDF_StructTree_GetForPage(page)
    if not tree:
        return {}
    try:
        return dict(_Walk().of_tree(tree))
    finally:
        raw.FPDF_StructTree_Close(tree)


def tag_of(text_page: Any, index: int, tags: Tags) -> Tag | None:
    """The tag of a character."""
    from pypdfium2 import raw

    thing = raw.FPDFText_GetTextObject(text_page, index)
    return tags.get(raw.FPDFPageObj_GetMarkedContentID(thing)) if thing else None


class _Walk:
    """Goes through the elements of a page, and counts them."""

    def __init__(self) -> None:
        from pypdfium2 import raw

        self._raw = raw
        self._count = 0

    def of_tree(self, tree: Any) -> Iterator[tuple[int, Tag]]:
        for index in range(max(self._raw.FPDF_StructTree_CountChildren(tree), 0)):
            if child := self._raw.FPDF_StructTree_GetChildAtIndex(tree, index):
                yield from self._of_element(child, None, DEEPEST)

    def _of_element(self, element: Any, around: Tag | None, depth: int) -> Iterator[tuple[int, Tag]]:
        """What is within a heading belongs to it."""
        raw, self._count = self._raw, self._count + 1
        if self._count > MOST_ELEMENTS or not depth:
            return
        tag = around or self._tag(element)
        for index in range(max(raw.FPDF_StructElement_GetMarkedContentIdCount(element), 0) if tag else 0):
            if tag and (content := raw.FPDF_StructElement_GetMarkedContentIdAtIndex(element, index)) >= 0:
                yield content, tag
        for index in range(max(raw.FPDF_StructElement_CountChildren(element), 0)):
            if child := raw.FPDF_StructElement_GetChildAtIndex(element, index):
                yield from self._of_element(child, tag, depth - 1)

    def _tag(self, element: Any) -> Tag | None:
        kind = self._kind(element)
        if found := _HEADING.fullmatch(kind):
            return Tag(self._count, int(found[1]))
        if kind == "Title":
            return Tag(self._count, 1)
        return Tag(self._count, 0) if kind == "TH" else None

    def _kind(self, element: Any) -> str:
        size = self._raw.FPDF_StructElement_GetType(element, None, 0)
        buffer = ctypes.create_string_buffer(max(size, 2))
        self._raw.FPDF_StructElement_GetType(element, buffer, size)
        return buffer.raw[: size - 2].decode("utf-16-le", "replace")
