"""Owns the recognition of text layers that say nothing: signs without a meaning, and numbers of glyphs."""

import ctypes
import re
from collections.abc import Sequence
from itertools import repeat
from typing import Any

from embedmill.workers.parsing.pdf.calls import address, by_address
from embedmill.workers.parsing.pdf.lines import Line
from embedmill.workers.parsing.pdf.words import Stretch

SAMPLE = 40
"""Words of a page that are asked for."""
MOST = 0.5
"""Share of a page's signs or words without a meaning, from which on its text is garbled."""

_GLYPHS = re.compile(r"\(cid:\d+\)|/[A-Zgc][A-Za-z]?\d{1,5}(?![A-Za-z])")
_MEANINGLESS = re.compile("[\ufffd\ue000-\uf8ff]")


def has_no_meaning(stretches: Sequence[Stretch], text_page: Any) -> bool:
    """Whether pdfium knows for most signs of a page only their number in a font."""
    places = [word.place for stretch in stretches for word in stretch.words]
    asked = places[:: max(len(places) // SAMPLE, 1)]
    fails = by_address("FPDFText_HasUnicodeMapError", ctypes.c_int, ctypes.c_int)
    unknown = list(map(fails, repeat(address(text_page)), asked)).count(1)
    return bool(asked) and unknown > MOST * len(asked)


def is_garbled(lines: Sequence[Line]) -> bool:
    """Whether lines consist of glyph numbers, of signs for what could not be read, or of private ones."""
    text = " ".join([line.text for line in lines])
    signs = len(text) - text.count(" ")
    glyphs = sum(len(found[0]) for found in _GLYPHS.finditer(text)) if "/" in text or "(cid:" in text else 0
    if not signs or (text.isascii() and not glyphs):
        return False
    return glyphs > MOST * signs or len(_MEANINGLESS.findall(text)) > MOST * signs
