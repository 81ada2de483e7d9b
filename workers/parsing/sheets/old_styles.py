"""Owns the number formats of workbooks from before 2007 (BIFF8): which one a cell's style names.

Layout: [MS-XLS] 2.4.126 for formats, 2.4.353 for styles.
"""

import struct
from collections.abc import Mapping
from functools import cached_property

from embedmill.workers.parsing.number_formats import telling

_FORMAT, _STYLE = 0x41E, 0xE0
_WIDE = 1


class OldStyles:
    """Formats and styles as their records come, before those of any sheet."""

    def __init__(self) -> None:
        self._own: dict[int, str] = {}
        self._styles: list[int] = []

    def take(self, kind: int, content: bytes) -> None:
        """Takes a record of the workbook's own; a format begins with its number, its length and how it is written."""
        if kind == _STYLE:
            self._styles.append(struct.unpack_from("<H", content, 2)[0])
        elif kind == _FORMAT:
            number, length, how = struct.unpack_from("<HHB", content)
            is_wide = how & _WIDE
            text = content[5 : 5 + length * (1 + is_wide)]
            self._own[number] = text.decode("utf-16-le" if is_wide else "latin-1", "replace")

    @cached_property
    def codes(self) -> Mapping[int, str]:
        """By the number of a style, where its format shows another text than the value's."""
        known = telling(self._own)
        return {style: known[number] for style, number in enumerate(self._styles) if number in known}
