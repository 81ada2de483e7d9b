"""Owns the words of a page and their places, as pdfium's text page has them."""

import ctypes
import math
import re
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import accumulate, chain, count, groupby, islice, pairwise, repeat, takewhile
from operator import add, itemgetter
from struct import iter_unpack
from typing import Any, NamedTuple

from embedmill.workers.parsing.pdf.accents import with_accents
from embedmill.workers.parsing.pdf.calls import address, by_address
from embedmill.workers.parsing.pdf.drawings import Rule
from embedmill.workers.parsing.pdf.hyphens import UNKNOWN
from embedmill.workers.parsing.pdf.letters import runs_of, words_of
from embedmill.workers.parsing.pdf.markers import is_marker
from embedmill.workers.parsing.pdf.scripts import (
    MAY_HOLD,
    MAY_OPEN,
    SHORT_WORD,
    SMALLER,
    BaselineRun,
    apart,
)
from embedmill.workers.parsing.pdf.signs import readable

# pdfium goes on behind a hyphen at a line's end as if there were none.
_LINE = re.compile("[^\r\n\0\x02\ufffe]+[\x02\ufffe]?|[\x02\ufffe]")
_WORD = re.compile(r"\S+")
_MAYBE_HYPHEN = re.compile("\ufffe")
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_UPRIGHT = 0.02  # radians
_SAME_BASE = 0.01  # points
_FEW = 4
_CONTEXT = 8  # characters
NARROW = 0.7
"""Of a line's height: gaps between words that are narrower part nothing by themselves."""
BESIDE = 0.1
"""Of that height: a gap that is narrower is none."""
PARTING = 0.45
"""Of that height: gaps that are narrower are blanks; wider ones part cells where other lines show it."""

Box = tuple[float, float, float, float]
"""Left, bottom, right, top, in points."""

SHORT = 8
"""Words of a line that may be a row whose cells stand a blank apart, at the most."""

_Place = tuple[int, int, float, float, float, float]
"""Where a word begins and ends among the characters, its left and right edge, the height of its baseline, its size."""

_Edges = tuple[float, float, float, float]
"""Left, top, right and bottom of a character's loose box, as pdfium stores them."""

_EDGES = "=4f"
_EDGES_BYTES = 16


_FIRST: Callable[[tuple[int, int, _Edges, _Edges]], int] = itemgetter(0)


class Break(NamedTuple):
    """A gap within a text that may part cells: the place of its blank in the text, and its edges in points."""

    at: int
    left: float
    right: float


_break: Callable[[tuple[int, float, float]], Break] = partial(tuple.__new__, Break)
"""Makes one in half the time: a justified page has hundreds of them."""

_Piece = tuple[int, int, float, float, Sequence[Break]]
"""Where words between wide gaps begin and end among the characters, their edges, and the gaps between them."""

_Found = tuple[int, int, _Edges, _Edges]
"""A word: its first character, the one behind it, and the edges of its first and last one."""


class Word(NamedTuple):
    """A word along its line, or a whole line whose gaps are all narrow, with the widest ones as `breaks`.

    `base` is the height of its baseline, `size` that of its line, in points; `place` is its first character's, and
    `places` those of a line's words in the middle and at the end. `lefts` tells where the words of a short one begin.
    """

    text: str
    left: float
    right: float
    base: float
    size: float
    place: int
    backward: bool = False
    breaks: Sequence[Break] = ()
    places: tuple[int, ...] = ()
    lefts: Sequence[float] = ()


class Stretch(NamedTuple):
    """What pdfium takes for a line: words in reading order, turned upright from `angle`, in radians."""

    words: list[Word]
    angle: float


def read_stretches(text_page: Any, box: Box, walls: Sequence[Rule] = ()) -> Iterator[Stretch]:
    """The page's text in the order of its content, without what begins outside the visible `box`.

    Words between which one of the `walls`, upright rules, may stand are told one by one.
    """
    text = with_accents(_text(text_page), text_page)
    return _Places(text_page, text, box, walls).stretches()


def _spans(line: "re.Match[str]") -> tuple[Sequence[int], Sequence[int]] | None:
    """Where the words of a line begin, and where they end; None without words."""
    start, text = line.start(), line[0].rstrip()
    behinds = list(map(add, accumulate(map(len, text.split())), count(start)))
    if not behinds:
        return None
    if behinds[-1] == start + len(text):
        return [start, *[behind + 1 for behind in behinds[:-1]]], behinds
    found = [word.span() for word in _WORD.finditer(line.string, *line.span())]
    return [begin for begin, _ in found], [behind for _, behind in found]


def _text(text_page: Any) -> str:
    """One character for each of pdfium's; beyond U+FFFF its buffer has two."""
    from pypdfium2 import raw

    length = raw.FPDFText_CountChars(text_page)
    if length <= 0:
        return ""
    buffer = (ctypes.c_ushort * (length + 1))()
    raw.FPDFText_GetText(text_page, 0, length, buffer)
    text = bytes(buffer)[: 2 * length].decode("utf-16-le", "surrogatepass")
    if len(text.rstrip("\0")) == length:
        return _MAYBE_HYPHEN.sub(lambda found: _hyphen(text_page, found), text) if "\ufffe" in text else text
    codes = map(
        by_address("FPDFText_GetUnicode", ctypes.c_uint, ctypes.c_int), repeat(address(text_page)), range(length)
    )
    return "".join(map(_character, codes))


def _hyphen(text_page: Any, found: "re.Match[str]") -> str:
    """Pdfium's sign for a hyphen at a line's end, which it uses for what has no meaning, too."""
    from pypdfium2.raw import FPDFText_IsHyphen

    return found[0] if FPDFText_IsHyphen(text_page, found.start()) == 1 else UNKNOWN


def _character(code: int) -> str:
    return chr(code) if code <= 0x10FFFF else UNKNOWN


class _Places:
    """Asks pdfium for places, two calls a word for all of a page at once, and a third where a height changes."""

    def __init__(self, text_page: Any, text: str, box: Box, walls: Sequence[Rule]) -> None:
        from pypdfium2 import raw

        self.angle = 0.0
        self._page = address(text_page)
        self._text = text
        self._is_plain = text.isascii()
        self._goes_back = not self._is_plain and _RIGHT_TO_LEFT.search(text) is not None
        self._suspects = [found.start() for found in MAY_HOLD.finditer(text)][::-1]
        self._set_apart = runs_of(text)
        self._visible = box
        self._walls = sorted(walls)
        self._x, self._y = ctypes.c_double(), ctypes.c_double()
        self._origin = ctypes.addressof(self._x), ctypes.addressof(self._y)
        self._box = raw.FS_RECTF()
        # What it answers, which every character that is there has, would cost a fifth of the call.
        self._loose_box = by_address("FPDFText_GetLooseCharBox", None, ctypes.c_int, ctypes.c_void_p)
        origin = by_address("FPDFText_GetCharOrigin", None, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
        self._is_generated = by_address("FPDFText_IsGenerated", ctypes.c_int, ctypes.c_int)
        self._ask_origin = partial(origin, self._page)

    def stretches(self) -> Iterator[Stretch]:
        text = self._text
        lines = [spans for line in _LINE.finditer(text) if (spans := _spans(line))]
        begins = list(chain.from_iterable([begins for begins, _ in lines]))
        behinds = list(chain.from_iterable([behinds for _, behinds in lines]))
        words = zip(begins, behinds, self._edges(begins), self._edges([behind - 1 for behind in behinds]), strict=True)
        for (line, _), angle in zip(lines, self._angles([line[0] for line, _ in lines]), strict=True):
            # pdfium counts clockwise.
            self.angle = 0.0 if angle < _UPRIGHT or angle > 2 * math.pi - _UPRIGHT else 2 * math.pi - angle
            if told := self._told(list(islice(words, len(line)))):
                yield Stretch(told, self.angle)

    def _edges(self, characters: Sequence[int]) -> Iterator[_Edges]:
        """The edges of characters, written into one buffer."""
        buffer = (ctypes.c_float * (4 * len(characters)))()
        begin = ctypes.addressof(buffer)
        places = range(begin, begin + len(buffer) * 4, _EDGES_BYTES)
        deque(map(self._loose_box, repeat(self._page), characters, places), maxlen=0)
        return iter_unpack(_EDGES, buffer)

    def _angles(self, characters: Sequence[int]) -> Iterator[float]:
        return map(by_address("FPDFText_GetCharAngle", ctypes.c_float, ctypes.c_int), repeat(self._page), characters)

    def _told(self, words: Sequence[_Found]) -> list[Word]:
        """The visible words of a line, or all of them as one."""
        if self.angle:
            return [self._turned(place) for place in self._upright(words)]
        if self._set_apart and self._set_apart[-1][0] < words[-1][1]:
            words, joined = self._joined(words)
            if joined:
                told = self._scripted(words, is_even=True) | joined
                return [
                    _word(told.get(place[0]) or self._text[place[0] : place[1]], place)
                    for place in self._upright(words)
                ]
        pieces = self._pieces(words)
        text, suspects = self._text, self._suspects
        if pieces and not (suspects and suspects[-1] < words[-1][1]) and not text[words[0][0]].isdecimal():
            return pieces
        told = self._scripted(words, is_even=bool(pieces))
        if pieces and not told:
            return pieces
        return [_word(told.get(place[0]) or text[place[0] : place[1]], place) for place in self._upright(words)]

    def _joined(self, words: Sequence[_Found]) -> tuple[Sequence[_Found], dict[int, str]]:
        """A line's words with those as one whose letters are set apart, and these by their first characters."""
        kept, joined = list(words), dict[int, str]()
        while self._set_apart and self._set_apart[-1][0] < words[-1][1]:
            begin, behind = self._set_apart.pop()
            first, end = (bisect_left(kept, place, key=_FIRST) for place in (begin, behind))
            letters = kept[first:end]
            if len(letters) < _FEW:
                continue
            gaps = [self._gap_behind(one, other) for one, other in pairwise(letters)]
            size = letters[0][2][1] - letters[0][2][3]
            spans = words_of("".join([self._text[letter[0]] for letter in letters]), gaps, size)
            for one, other in reversed(list(spans)):
                of = letters[one:other]
                joined[of[0][0]] = self._text[of[0][0] : of[-1][1]].replace(" ", "")
                kept[first + one : first + other] = [(of[0][0], of[-1][1], of[0][2], of[-1][3])]
        return kept, joined

    def _gap_behind(self, letter: _Found, following: _Found) -> float:
        """The width of the blank between two letters; endless where the file has one."""
        if self._is_generated(self._page, letter[1]) != 1:
            return math.inf
        return following[2][0] - letter[3][2]

    def _scripted(self, words: Sequence[_Found], *, is_even: bool) -> dict[int, str]:
        """The words of a line that have scripts, by their first characters, with these apart."""
        text, start, end = self._text, words[0][0], words[-1][1]
        suspects = [start] if text[start].isdecimal() and MAY_OPEN.match(text, start) else []
        while self._suspects and self._suspects[-1] < end:
            if self._rises_at(place := self._suspects.pop()):
                suspects.append(place)
        uneven = [] if is_even else [begin for begin, _, first, last in words if _are_uneven(first, last)]
        if uneven:
            suspects += [*uneven, *[found.start() for found in SHORT_WORD.finditer(text, start, end)]]
        told: dict[int, str] = {}
        for suspect in suspects:
            begin, behind = words[bisect_right(words, suspect, key=_FIRST) - 1][:2]
            if begin not in told and len(runs := self._runs(begin, behind)) > 1:
                written = apart(runs, self._right_before(begin) if begin == start else "")
                if written != text[begin:behind]:
                    told[begin] = written
        return told

    def _rises_at(self, place: int) -> bool:
        """Whether the baseline changes at a sign or right before it."""
        base = self._base_of(place)
        return base != self._base_of(place - 1) or base != self._base_of(place - 2)

    def _runs(self, begin: int, behind: int) -> list[BaselineRun]:
        """A word by the baselines of its signs; nothing where all are of one height."""
        edges = list(self._edges(range(begin, behind)))
        first = edges[0]
        if all(one[1] == first[1] and one[3] == first[3] for one in edges):
            return []
        runs: list[BaselineRun] = []
        for base, group in groupby(zip(range(begin, behind), edges, strict=True), key=self._base_of_sign):
            signs = list(group)
            size = max(top - bottom for _, (_, top, _, bottom) in signs)
            runs.append(BaselineRun(self._text[signs[0][0] : signs[-1][0] + 1], size, base))
        return runs

    def _base_of_sign(self, sign: tuple[int, _Edges]) -> float:
        return self._base_of(sign[0])

    def _right_before(self, begin: int) -> str:
        """The word that the one which begins a line goes on with: pdfium breaks lines where baselines change."""
        behind = len(self._text[max(0, begin - 4) : begin].rstrip()) + max(0, begin - 4)
        if not 0 < behind < begin:
            return ""
        _, top, right, bottom = self._edges_of(behind - 1)
        left = self._edges_of(begin)[0]
        return self._text[max(0, behind - _CONTEXT) : behind] if abs(left - right) < BESIDE * (top - bottom) else ""

    def _pieces(self, words: Sequence[_Found]) -> list[Word]:
        """A line whose words stand on one baseline and in one order, in pieces without wide gaps; else nothing."""
        begin, _, (start, top, _, bottom), _ = words[0]
        end, length = words[-1][1], len(words)
        base = self._base(begin)
        if base is None or not self._visible[0] <= start or self._text.count(" ", begin, end) != length - 1:
            return []
        size = top - bottom
        widest, parting, farthest = NARROW * size, PARTING * size, self._visible[2]
        pieces: list[_Piece] = []
        breaks: list[Break] = []
        right = left_of_piece = start
        for first, _, (left, own_top, _, own_bottom), (last_left, last_top, last_right, last_bottom) in words:
            if own_top != top or own_bottom != bottom:
                # A sign that reaches higher or lower than others of its font has one of the two.
                if own_top != top and own_bottom != bottom and not abs((self._base(first) or 0.0) - base) < _SAME_BASE:
                    return []
                top, bottom = own_top, own_bottom
            gap = left - right
            if gap < 0 or last_left < left or last_top <= bottom or left > farthest:
                return []
            if last_top != top and last_top - last_bottom < SMALLER * (top - bottom):
                return []
            if gap >= widest:
                pieces.append((begin, first - 1, left_of_piece, right, breaks))
                begin, left_of_piece, breaks = first, left, []
            elif gap > parting:
                breaks.append(_break((first - begin - 1, right, left)))
            right = last_right
        pieces.append((begin, end, left_of_piece, right, breaks))
        if self._walls and self._has_wall(start, right, base):
            return []
        asked = words if len(pieces) > 1 or length <= _FEW else (words[0], words[1], words[-1])
        if size != top - bottom and is_marker(self._text[words[0][0] : words[0][1]]):
            asked = words[1:] or words
        size = sorted([own_top - own_bottom for _, _, (_, own_top, _, own_bottom), _ in asked])[len(asked) // 2]
        places = words[length // 2][0], words[-1][0]
        if len(pieces) == 1:
            lefts = tuple([edges[0] for _, _, edges, _ in words]) if length <= SHORT else ()
            return self._readable([self._piece(pieces[0], base, size, places, lefts)])
        return self._readable([self._piece(piece, base, size, places, _lefts(piece, words)) for piece in pieces])

    def _piece(self, piece: _Piece, base: float, size: float, places: tuple[int, int], lefts: Sequence[float]) -> Word:
        begin, end, left, right, breaks = piece
        text = self._text[begin:end]
        return Word(text, left, right, base, size, begin, breaks=tuple(breaks), places=places, lefts=lefts)

    def _readable(self, pieces: list[Word]) -> list[Word]:
        """The same as people write them; nothing where that would move their gaps, or they are read from the right."""
        for number, piece in enumerate(pieces) if not self._is_plain else ():
            if not piece.text.isascii():
                text = readable(piece.text)
                if (self._goes_back and _RIGHT_TO_LEFT.search(text)) or (piece.breaks and len(text) != len(piece.text)):
                    return []
                pieces[number] = piece._replace(text=text)
        return pieces

    def _has_wall(self, left: float, right: float, base: float) -> bool:
        """Whether a wall may stand within a line."""
        first = bisect_left(self._walls, (left - 1,))
        return any(
            wall.start <= base + 1 <= wall.end + 2
            for wall in takewhile(lambda wall: wall.at <= right + 1, islice(self._walls, first, None))
        )

    def _base_of(self, index: int) -> float:
        """The height of a character's baseline."""
        self._ask_origin(index, *self._origin)
        return self._y.value

    def _upright(self, words: Sequence[_Found]) -> Iterator[_Place]:
        """The visible words of a line, one by one."""
        visible_left, _, visible_right, _ = self._visible
        top = bottom = math.inf
        base: float | None = None
        for begin, behind, (left, own_top, right, own_bottom), (last_left, last_top, last_right, _) in words:
            if own_top != top or own_bottom != bottom:
                base, top, bottom = self._base(begin), own_top, own_bottom
            if base is None or not visible_left <= left <= visible_right:
                continue
            is_below = last_top <= bottom and last_left < right and last_right > left
            if behind - begin > 1 and is_below and not self.angle:
                yield from self._one_by_one(begin, behind)
                top = math.inf
            elif last_left >= left:
                yield begin, behind, left, last_right, base, top - bottom
            else:
                yield begin, behind, last_left, right, base, top - bottom

    def _one_by_one(self, begin: int, behind: int) -> Iterator[_Place]:
        """Characters that stand below one another with nothing between them, as in a column of single ones."""
        for index in range(begin, behind):
            left, top, right, bottom = self._edges_of(index)
            base = self._base(index)
            if base is not None and self._visible[0] <= left <= self._visible[2]:
                yield index, index + 1, left, right, base, top - bottom

    def _edges_of(self, index: int) -> _Edges:
        box = self._box
        self._loose_box(self._page, index, ctypes.addressof(box))
        return box.left, box.top, box.right, box.bottom

    def _base(self, index: int) -> float | None:
        """The height of a character's baseline; None outside the visible box."""
        base = self._base_of(index)
        return base if self._visible[1] <= base <= self._visible[3] else None

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
        box_left, top, box_right, bottom = self._edges_of(index)
        corners = [self._turn(x, y) for x in (box_left, box_right) for y in (bottom, top)]
        along, across = [x for x, _ in corners], [y for _, y in corners]
        return min(along), max(along), max(across) - min(across)

    def _turn(self, x: float, y: float) -> tuple[float, float]:
        sine, cosine = math.sin(self.angle), math.cos(self.angle)
        return x * cosine + y * sine, y * cosine - x * sine


def _are_uneven(first: _Edges, last: _Edges) -> bool:
    """Whether a word's last sign is smaller than its first, or the other way round."""
    height, other = first[1] - first[3], last[1] - last[3]
    return min(height, other) < SMALLER * max(height, other)


def _lefts(piece: _Piece, words: Sequence[_Found]) -> Sequence[float]:
    """Where the words of a piece of a short line begin."""
    begin, end = piece[:2]
    return tuple([edges[0] for first, _, edges, _ in words if begin <= first < end]) if len(words) <= SHORT else ()


def _word(text: str, place: _Place) -> Word:
    begin, _, left, right, base, size = place
    if text.isascii():
        return Word(text, left, right, base, size, begin)
    return Word(readable(text), left, right, base, size, begin, _RIGHT_TO_LEFT.search(text) is not None)
