"""Owns the words of a page and their places, as pdfium's text page has them."""

import ctypes
import math
import re
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

from embedmill.workers.parsing.pdf.accents import with_accents
from embedmill.workers.parsing.pdf.calls import address, by_address
from embedmill.workers.parsing.pdf.hyphens import UNKNOWN
from embedmill.workers.parsing.pdf.scripts import MAY_FOLLOW, MAY_OPEN, is_script, written
from embedmill.workers.parsing.pdf.signs import readable

_LINE = re.compile("[^\r\n\0]+")
_WORD = re.compile("[^\\s\0\x02\ufffe]+[\x02\ufffe]?|[\x02\ufffe]")
_PLAIN_WORD = re.compile(r"\S+")
_SIGNS = re.compile("[\0\x02\ufffe]")
_MAYBE_HYPHEN = re.compile("\ufffe")
_DIGIT = re.compile(r"\d")
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_UPRIGHT = 0.02  # radians
_FEW = 4
NARROW = 0.7
"""Of a line's height: gaps between words that are narrower part nothing by themselves."""
PARTING = 0.45
"""Of that height: gaps that are narrower are blanks; wider ones part cells where other lines show it."""

Box = tuple[float, float, float, float]
"""Left, bottom, right, top, in points."""

_Place = tuple[int, int, float, float, float, float]
"""Where a word begins and ends among the characters, its left and right edge, the height of its baseline, its size."""


class Break(NamedTuple):
    """A gap within a text that may part cells: the place of its blank in the text, and its edges in points."""

    at: int
    left: float
    right: float


class Word(NamedTuple):
    """A word along its line, or several of a line whose gaps are all narrow, with its widest ones as `breaks`.

    `base` is the height of its baseline, `size` that of its line, in points; `place` is its first character's.
    """

    text: str
    left: float
    right: float
    base: float
    size: float
    place: int
    backward: bool = False
    breaks: tuple[Break, ...] = ()


class Stretch(NamedTuple):
    """What pdfium takes for a line: words in reading order, turned upright from `angle`, in radians."""

    words: list[Word]
    angle: float


def read_stretches(text_page: Any, box: Box, *, merged: bool) -> Iterator[Stretch]:
    """The page's text in the order of its content, without what begins outside the visible `box`.

    Where rules may part words, they must not be `merged`.
    """
    text = with_accents(_text(text_page), text_page)
    place = _Places(text_page, text, box)
    for line in _LINE.finditer(text):
        if words := place.words(*line.span(), merged=merged):
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
        return _MAYBE_HYPHEN.sub(lambda found: _hyphen(text_page, found), text) if "\ufffe" in text else text
    return "".join(_character(raw.FPDFText_GetUnicode(text_page, index)) for index in range(count))


def _hyphen(text_page: Any, found: "re.Match[str]") -> str:
    """Pdfium's sign for a hyphen at a line's end, which it uses for what has no meaning, too."""
    from pypdfium2.raw import FPDFText_IsHyphen

    return found[0] if FPDFText_IsHyphen(text_page, found.start()) == 1 else UNKNOWN


def _character(code: int) -> str:
    return chr(code) if code <= 0x10FFFF else UNKNOWN


class _Places:
    """Asks pdfium for places, into buffers that are made once: two calls a word, and a third where a height changes."""

    def __init__(self, text_page: Any, text: str, box: Box) -> None:
        from pypdfium2 import raw

        self.angle = 0.0
        self._is_even = self._has_breaks = False
        self._raw = raw
        self._page = text_page
        self._text = text
        # Signs for a hyphen at a line's end are rare, and make words twice as slow to find.
        self._word = _WORD if _SIGNS.search(text) else _PLAIN_WORD
        self._goes_back = _RIGHT_TO_LEFT.search(text) is not None
        self._visible = box
        self._x, self._y = ctypes.c_double(), ctypes.c_double()
        self._origin = ctypes.addressof(self._x), ctypes.addressof(self._y)
        self._first, self._last = raw.FS_RECTF(), raw.FS_RECTF()
        loose_box = by_address("FPDFText_GetLooseCharBox", ctypes.c_int, ctypes.c_int, ctypes.c_void_p)
        self._ask = partial(loose_box, address(text_page))
        origin = by_address("FPDFText_GetCharOrigin", ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
        self._ask_origin = partial(origin, address(text_page))
        # Left, top, right and bottom, read at once.
        self._first_edges = memoryview(self._first).cast("B").cast("f")
        self._last_edges = memoryview(self._last).cast("B").cast("f")

    def words(self, start: int, end: int, *, merged: bool) -> list[Word]:
        """The visible words of a line, from its first character to behind its last."""
        angle = self._raw.FPDFText_GetCharAngle(self._page, start)
        # pdfium counts clockwise.
        self.angle = 0.0 if angle < _UPRIGHT or angle > 2 * math.pi - _UPRIGHT else 2 * math.pi - angle
        if self.angle:
            return [self._turned(place) for place in self._upright(start, end)]
        places = self._upright(start, end)
        if merged and self._is_even and len(places) > _FEW and not self._turns_back(start, end):
            first, middle, last = self._told(start, end, [places[0], _joined(places[1:-1]), places[-1]])
            return [first, middle._replace(breaks=_breaks(places[1:-1])) if self._has_breaks else middle, last]
        return self._told(start, end, places)

    def _told(self, start: int, end: int, places: Sequence[_Place]) -> list[Word]:
        text = self._text
        if not self._may_hold_scripts(start, end):
            return [_word(text[place[0] : place[1]], place) for place in places]
        return [_word(self._with_scripts(text, place[0], place[1]), place) for place in places]

    def _turns_back(self, start: int, end: int) -> bool:
        """Whether there is text from right to left."""
        return self._goes_back and _RIGHT_TO_LEFT.search(self._text, start, end) is not None

    def _may_hold_scripts(self, start: int, end: int) -> bool:
        text = self._text
        if not _DIGIT.search(text, start, end):
            return False
        return bool(MAY_FOLLOW.search(text, start, end) or MAY_OPEN.match(text, start, end))

    def _with_scripts(self, text: str, begin: int, behind: int) -> str:
        """The text of a word with its scripts written apart."""
        if not _DIGIT.search(text, begin, behind):
            return text[begin:behind]
        told, since = self._mark(text, begin)
        for found in MAY_FOLLOW.finditer(text, max(since, begin + 1), behind):
            raised = self._raised(found.start())
            if raised is not None:
                told += text[since : found.start()]
                told += written(told, found[0], raised=raised)
                since = found.end()
        return told + text[since:behind]

    def _mark(self, text: str, begin: int) -> tuple[str, int]:
        """A footnote's mark at the beginning, and where the text goes on."""
        found = MAY_OPEN.match(text, begin)
        if not found:
            return "", begin
        base, size = self._height(found.end())
        above, own = self._height(begin)
        is_mark = is_script(own, above, of_size=size, of_base=base)
        return (f"[{found[0]}] ", found.end()) if is_mark else ("", begin)

    def _raised(self, index: int) -> bool | None:
        """Whether a character is a superscript of the one before, or a subscript; None if it is neither."""
        before, size = self._height(index - 1)
        base, own = self._height(index)
        if not is_script(own, base, of_size=size, of_base=before):
            return None
        return base > before

    def _height(self, index: int) -> tuple[float, float]:
        """The height of a character's baseline, and its size."""
        self._ask_origin(index, *self._origin)
        self._ask(index, ctypes.addressof(self._last))
        return self._y.value, self._last.top - self._last.bottom

    def _upright(self, start: int, end: int) -> list[_Place]:
        """Notes whether words stand on one baseline, in one order, with narrow gaps, and none was left out."""
        ask, first, last = self._ask, ctypes.addressof(self._first), ctypes.addressof(self._last)
        edges_of_first, edges_of_last = self._first_edges.tolist, self._last_edges.tolist
        visible_left, _, visible_right, _ = self._visible
        top = bottom = right = math.inf
        places: list[_Place] = []
        base: float | None = None
        size = widest = parting = 0.0
        is_even, has_breaks = True, False
        for found in self._word.finditer(self._text, start, end):
            begin, behind = found.span()
            ask(begin, first)
            left, own_top, own_right, own_bottom = edges_of_first()
            if own_top != top or own_bottom != bottom:
                above, base = base, self._base(begin)
                top, bottom, size = own_top, own_bottom, own_top - own_bottom
                widest, parting = NARROW * size, PARTING * size
                is_even = is_even and above in {base, None}
            if not -widest < left - right < widest and right != math.inf:
                is_even = False
            elif left - right > parting:
                has_breaks = True
            right = own_right
            if base is None or not visible_left <= left <= visible_right:
                is_even = False
                continue
            if behind - begin > 1:
                ask(behind - 1, last)
                last_left, last_top, last_right, _ = edges_of_last()
                is_below = last_top <= bottom and last_left < right and last_right > left
                if is_below and not self.angle:
                    places += self._one_by_one(begin, behind)
                    is_even, top = False, math.inf
                    continue
                left, right = (left, last_right) if last_left >= left else (last_left, own_right)
            places.append((begin, behind, left, right, base, size))
        self._is_even, self._has_breaks = is_even, has_breaks
        return places

    def _one_by_one(self, begin: int, behind: int) -> Iterator[_Place]:
        """Characters that stand below one another with nothing between them, as in a column of single ones."""
        for index in range(begin, behind):
            self._ask(index, ctypes.addressof(self._last))
            left, top, right, bottom = self._last_edges.tolist()
            base = self._base(index)
            if base is not None and self._visible[0] <= left <= self._visible[2]:
                yield index, index + 1, left, right, base, top - bottom

    def _base(self, index: int) -> float | None:
        """The height of a character's baseline; None outside the visible box."""
        self._ask_origin(index, *self._origin)
        return self._y.value if self._visible[1] <= self._y.value <= self._visible[3] else None

    def _turned(self, place: _Place) -> Word:
        """The word as it is when its text is turned upright: its boxes are upright ones around turned characters."""
        begin, behind = place[:2]
        left, right, size = self._corners(begin)
        last_left, last_right, _ = self._corners(behind - 1)
        self._ask_origin(begin, *self._origin)
        _, base = self._turn(self._x.value, self._y.value)
        turned = (begin, behind, min(left, last_left), max(right, last_right), base, size)
        return _word(self._text[begin:behind], turned)

    def _corners(self, index: int) -> tuple[float, float, float]:
        """Left, right and height of a character's box, turned."""
        box = self._last
        self._ask(index, ctypes.addressof(box))
        corners = [self._turn(x, y) for x in (box.left, box.right) for y in (box.bottom, box.top)]
        along, across = [x for x, _ in corners], [y for _, y in corners]
        return min(along), max(along), max(across) - min(across)

    def _turn(self, x: float, y: float) -> tuple[float, float]:
        sine, cosine = math.sin(self.angle), math.cos(self.angle)
        return x * cosine + y * sine, y * cosine - x * sine


def _joined(places: Sequence[_Place]) -> _Place:
    begin, _, left, _, base, size = places[0]
    return begin, places[-1][1], left, places[-1][3], base, size


def _breaks(places: Sequence[_Place]) -> tuple[Break, ...]:
    """The wide gaps of words that were joined."""
    begin = places[0][0]
    gaps = ((before[1] - begin, before[3], word[2], word[5]) for before, word in pairwise(places))
    return tuple(Break(at, left, right) for at, left, right, size in gaps if right - left > PARTING * size)


def _word(text: str, place: _Place) -> Word:
    begin, _, left, right, base, size = place
    if text.isascii():
        return Word(text, left, right, base, size, begin)
    return Word(readable(text), left, right, base, size, begin, _RIGHT_TO_LEFT.search(text) is not None)
