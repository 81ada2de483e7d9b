"""Owns accents that are drawn over letters as signs of their own, as TeX does: `M` `¨` `uller` is `Müller`."""

import ctypes
import re
import unicodedata
from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

_COMBINING = dict(
    zip(
        "`\u00b4\u02c6\u02dc\u00a8\u02da\u02c7\u00af\u02d8\u02d9\u02dd\u00b8\u02db",
        "\u0300\u0301\u0302\u0303\u0308\u030a\u030c\u0304\u0306\u0307\u030b\u0327\u0328",
        strict=True,
    )
)
_ACCENT = re.compile(f"[{''.join(_COMBINING)}]")
_DOTLESS = {"\u0131": "i", "\u0237": "j"}
_NOTHING = "\u00ad"
"""A soft hyphen, which is left out within a word."""
FARTHEST = 60
"""Characters before an accent among which its letter is: it may be drawn behind the rest of its line."""
MOST = 200
"""Accents of a page."""
NARROW = 0.1
"""Of a letter's height: parts of one word are no farther apart."""


def with_accents(text: str, text_page: Any) -> str:
    """The text with such letters in one sign, as long as it was; `text_page` is pdfium's handle."""
    if "`" not in text and (text.isascii() or not _ACCENT.search(text)):
        return text
    signs = _Signs(text, text_page)
    for found in islice(_ACCENT.finditer(text), MOST):
        signs.take(found.start())
    return "".join(signs.all)


class _Signs:
    """The characters of a page, and where they stand."""

    def __init__(self, text: str, text_page: Any) -> None:
        from pypdfium2 import raw

        self.all = list(text)
        self._raw = raw
        self._page = text_page
        self._box = raw.FS_RECTF()
        self._x, self._y = ctypes.c_double(), ctypes.c_double()

    def take(self, at: int) -> None:
        """Puts an accent upon the letter over which it stands, if there is one."""
        left, _, right, base = self._place(at)
        for index in chain(self._near(range(at + 1, len(self.all))), range(at - 1, max(at - FARTHEST, 0) - 1, -1)):
            letter = self.all[index]
            whole = unicodedata.normalize("NFC", _DOTLESS.get(letter, letter) + _COMBINING[self.all[at]])
            if len(whole) == 1 and letter.isalpha() and self._covers(index, (left + right) / 2, base):
                self.all[index] = whole
                self._close(at)
                return

    def _near(self, indices: range) -> Iterator[int]:
        """The first of some characters that is no blank."""
        return islice((index for index in indices if not self.all[index].isspace()), 1)

    def _covers(self, index: int, middle: float, base: float) -> bool:
        """Whether a letter stands below or above a place."""
        left, size, right, own_base = self._place(index)
        return left < middle < right and abs(own_base - base) < size

    def _close(self, at: int) -> None:
        """Takes an accent away, with the blanks around it where nothing parts what stands beside it."""
        self.all[at] = " "
        before = next(self._near(range(at - 1, -1, -1)), None)
        behind = next(self._near(range(at + 1, len(self.all))), None)
        if before is None or behind is None:
            return
        (_, size, end, base), (start, _, _, own_base) = self._place(before), self._place(behind)
        if abs(base - own_base) < NARROW * size and abs(start - end) < NARROW * size:
            self.all[before + 1 : behind] = _NOTHING * (behind - before - 1)

    def _place(self, index: int) -> tuple[float, float, float, float]:
        """Left edge, height, right edge, and the height of the baseline."""
        self._raw.FPDFText_GetLooseCharBox(self._page, index, self._box)
        self._raw.FPDFText_GetCharOrigin(self._page, index, self._x, self._y)
        return self._box.left, self._box.top - self._box.bottom, self._box.right, self._y.value
