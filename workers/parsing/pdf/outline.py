"""Owns a PDF's outline: its bookmarks, by the page to which they lead."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

MOST = 20_000

_NOT_WORD = re.compile(r"[\W_]+")

Outline = dict[int, dict[str, int]]
"""Page, from 0, to {folded title: level}."""


def read_outline(document: "PdfDocument") -> Outline:
    """A damaged outline costs only its headings."""
    from pypdfium2 import PdfiumError

    outline: Outline = {}
    try:
        for count, entry in enumerate(document.get_toc(max_depth=6)):
            destination = entry.get_dest()
            if destination is not None and (page := destination.get_index()) is not None and count < MOST:
                outline.setdefault(page, {})[folded(entry.get_title())] = entry.level + 1
    except (PdfiumError, UnicodeDecodeError, ValueError):
        return outline
    return outline


def folded(text: str) -> str:
    """Letters and digits only; a section's number stands on the page but often not in the outline."""
    return _NOT_WORD.sub("", text).casefold().lstrip("0123456789")
