"""Owns what a font's name and flags tell of a text: whether it is bold, and whether it has characters of one width."""

import ctypes
import re
from typing import Any, NamedTuple

from embedmill.workers.parsing.pdf.calls import by_address

_BOLD = re.compile(rb"bold|black|heavy|semib|demi|medi(?:um)?\b|cmbx|cmssbx|[.-]b$", re.IGNORECASE)
_FIXED = re.compile(
    rb"mono|courier|consol|menlo|typewriter|cmtt|cmsltt|sftt|ectt|txtt|fixed|letter ?gothic", re.IGNORECASE
)
_FIXED_PITCH = 1  # bit 1 of a font descriptor's flags, ISO 32000-1, table 123
_FORCE_BOLD = 1 << 18
_NAME_BYTES = 128
_KINDS = ctypes.c_int, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_void_p


class Font(NamedTuple):
    """`fixed`: every character has the same width, as code is set."""

    bold: bool = False
    fixed: bool = False


class Fonts:
    """The fonts of a document's characters, by name and flags, each judged once, and asked for once on a page.

    A font keeps its address as long as its page is open.
    """

    def __init__(self) -> None:
        self._object_of = by_address("FPDFText_GetTextObject", ctypes.c_void_p, ctypes.c_int)
        self._font_of = by_address("FPDFTextObj_GetFont", ctypes.c_void_p)
        self._page: Any = None
        self._on_page: dict[int, Font] = {}
        self._ask = by_address("FPDFText_GetFontInfo", ctypes.c_ulong, *_KINDS)
        self._judged: dict[tuple[bytes, int], Font] = {}
        self._name = ctypes.create_string_buffer(_NAME_BYTES)
        self._flags = ctypes.c_int()
        self._places = ctypes.addressof(self._name), _NAME_BYTES, ctypes.addressof(self._flags)

    def at(self, text_page: Any, index: int) -> Font:
        """The font of one character of a page."""
        if text_page is not self._page:
            self._page, self._on_page = text_page, {}
        thing = self._object_of(text_page, index)
        address = thing and self._font_of(thing)
        if (font := self._on_page.get(address)) is None:
            font = self._on_page[address] = self._asked(index)
        return font

    def _asked(self, index: int) -> Font:
        if not self._ask(self._page, index, *self._places):
            return Font()
        key = self._name.value, self._flags.value
        if (font := self._judged.get(key)) is None:
            font = self._judged[key] = _judge(*key)
        return font


def _judge(name: bytes, flags: int) -> Font:
    return Font(
        bold=bool(flags & _FORCE_BOLD) or _BOLD.search(name) is not None,
        fixed=bool(flags & _FIXED_PITCH) or _FIXED.search(name) is not None,
    )
