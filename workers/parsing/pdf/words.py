"""Owns the words of a page and their places, as pdfium's text page has them."""

import ctypes
import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from embedmill.workers.parsing.pdf.signs import readable

_LINE = re.compile("[^\r\n\0]+")
_WORD = re.compile("[^\\s\0\x02\ufffe]+[\x02\ufffe]?|[\x02\ufffe]")
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_UPRIGHT = 0.02  # radians

Box = tuple[float, float, float, float]
"""Left, bottom, right, top, in points."""


class Word(NamedTuple):
    """A word along its line: `base` is the height of its baseline, `size` that of its line, in points.

    `place` is its first character's on the page.
    """

    text: str
    left: float
    right: float
    base: float
    size: float
    place: int
    backward: bool = False


class Stretch(NamedTuple):
    """What pdfium takes for a line: words in reading order, turned upright from `angle`, in radians."""

    words: list[Word]
    angle: float


def read_stretches(text_page: Any, box: Box) -> Iterator[Stretch]:
    """The page's text in the order of its content, without what begins outside the visible `box`."""
    text = _text(text_page)
    place = _Places(text_page, box)
    for line in _LINE.finditer(text):
        if words := place.words(text, *line.span()):
            yield Stretch(words, place.angle)


def _text(text_page: Any) -> str:
    """One character for each of pdfium's; beyond U+FFFF its buffer has two."""
    from pypdfium2 import raw

    count = raw.FPDFText_CountChars(text_page)
    if count <= 0:
        return ""
    buffer = (ctypes.c_ushort * (count + 1))()
    raw.FPDFText_GetText(text_page, 0, count, buffer)
    text = bytes(buffer)[: 2 * count].decode("utf-16-le", "surrogatepass")
    if len(text.rstrip("\0")) == count:
        return text
    return "".join(_character(raw.FPDFText_GetUnicode(text_page, index)) for index in range(count))


def _character(code: int) -> str:
    return chr(code) if code <= 0x10FFFF else "\ufffd"


class _Places:
    """Asks pdfium for places, into buffers that are made once: two calls a word, and a third where a height changes."""

    def __init__(self, text_page: Any, box: Box) -> None:
        from pypdfium2 import raw

        self.angle = 0.0
        self._raw = raw
        self._page = text_page
        self._visible = box
        self._x, self._y = ctypes.c_double(), ctypes.c_double()
        self._first, self._last = raw.FS_RECTF(), raw.FS_RECTF()

    def words(self, text: str, start: int, end: int) -> list[Word]:
        """The visible words of `text[start:end]`, a line."""
        angle = self._raw.FPDFText_GetCharAngle(self._page, start)
        # pdfium counts clockwise.
        self.angle = 0.0 if angle < _UPRIGHT or angle > 2 * math.pi - _UPRIGHT else 2 * math.pi - angle
        if self.angle:
            return [self._turned(word) for word in self._upright(text, start, end)]
        return list(self._upright(text, start, end))

    def _upright(self, text: str, start: int, end: int) -> Iterator[Word]:
        page, first, last, loose_box = self._page, self._first, self._last, self._raw.FPDFText_GetLooseCharBox
        visible_left, _, visible_right, _ = self._visible
        top = bottom = math.inf
        base: float | None = None
        for found in _WORD.finditer(text, start, end):
            begin, behind = found.span()
            loose_box(page, begin, first)
            if first.top != top or first.bottom != bottom:
                top, bottom, base = first.top, first.bottom, self._base(begin)
            left, right = first.left, first.right
            if not visible_left <= left <= visible_right or base is None:
                continue
            if behind - begin > 1:
                loose_box(page, behind - 1, last)
                right = last.right
            word = found[0]
            if word.isascii() and right >= left:
                yield Word(word, left, right, base, top - bottom, begin)
            else:
                yield _odd_word(word, left, right, base=base, size=top - bottom, place=begin)

    def _base(self, index: int) -> float | None:
        """The height of a character's baseline; None outside the visible box."""
        self._raw.FPDFText_GetCharOrigin(self._page, index, self._x, self._y)
        return self._y.value if self._visible[1] <= self._y.value <= self._visible[3] else None

    def _turned(self, word: Word) -> Word:
        """The word as it is when its text is turned upright: its boxes are upright ones around turned characters."""
        first = self._corners(self._first)
        last = self._corners(self._last) if len(word.text) > 1 else first
        self._raw.FPDFText_GetCharOrigin(self._page, word.place, self._x, self._y)
        _, base = self._turn(self._x.value, self._y.value)
        left, right = min(first[0], last[0]), max(first[1], last[1])
        backward = _RIGHT_TO_LEFT.search(word.text) is not None
        return Word(word.text, left, right, base, first[2], word.place, backward)

    def _corners(self, box: Any) -> tuple[float, float, float]:
        """Left, right and height of a box, turned."""
        corners = [self._turn(x, y) for x in (box.left, box.right) for y in (box.bottom, box.top)]
        along, across = [x for x, _ in corners], [y for _, y in corners]
        return min(along), max(along), max(across) - min(across)

    def _turn(self, x: float, y: float) -> tuple[float, float]:
        sine, cosine = math.sin(self.angle), math.cos(self.angle)
        return x * cosine + y * sine, y * cosine - x * sine


def _odd_word(text: str, left: float, right: float, *, base: float, size: float, place: int) -> Word:
    """A word with signs beyond ASCII, or one that runs from right to left."""
    backward = right < left or _RIGHT_TO_LEFT.search(text) is not None
    return Word(readable(text), min(left, right), max(left, right), base, size, place, backward)
