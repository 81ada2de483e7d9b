"""The folded copy of a text, in which values are looked for, and the way from its places back to the text's.

Digits of every script, dashes, blanks, letters with accents and those that look like Latin ones become their kin in
ASCII; what cannot be seen is gone. Every character becomes one or none: the map lists the places where some are gone.
"""

import re
import unicodedata
from bisect import bisect_right
from dataclasses import dataclass

_FOREIGN = re.compile("[^\x00-\x7f]+")
_MARKS = frozenset({"Cf", "Mn", "Me"})
_UNSEEN = frozenset("\u034f\u115f\u1160\u3164\uffa0\ufe0e\ufe0f")
_KIN = dict(
    zip(
        "аАвВеЕкКмМнНоОрРсСтТуУхХіІјЈѕЅԁһΑΒΕΖΗΙΚΜΝΟΡΤΥΧοανⅠ",
        "aABBeEkKMMHHoOpPcCTTyYxXiIjJsSdhABEZHIKMNOPTYXoavI",
        strict=True,
    )
) | {
    "（": "(",
    "）": ")",
    "．": ".",
    "。": ".",
    "·": ".",
    "•": ".",
    "∙": ".",
    "‧": ".",
    "：": ":",
    "＠": "@",
    "﹫": "@",
    "／": "/",
    "⁄": "/",
    "−": "-",
    "＋": "+",
    "﹢": "+",
    "İ": "I",
    "ı": "i",
}


def _fold(character: str) -> str:
    if character in _KIN:
        return _KIN[character]
    category = unicodedata.category(character)
    if category in _MARKS or character in _UNSEEN:
        return ""
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if category == "Pd":
        return "-"
    if category in {"Zs", "Zl", "Zp"}:
        return " " if category == "Zs" else "\n"
    return _unaccented(character)


def _unaccented(character: str) -> str:
    plain = "".join(c for c in unicodedata.normalize("NFKD", character) if not unicodedata.combining(c))
    return (
        plain
        if len(plain) == 1 and plain.isascii() and not unicodedata.category(character).startswith("N")
        else character
    )


class _Table(dict[int, str]):
    """What each character becomes, found out when it is first met."""

    def __missing__(self, code: int) -> str:
        self[code] = folded = _fold(chr(code))
        return folded


_TABLE = _Table()


@dataclass(frozen=True, slots=True)
class Folded:
    """`text` is folded; `starts` are its places behind which `gone` characters are missing, counted from the start."""

    text: str
    starts: tuple[int, ...] = ()
    gone: tuple[int, ...] = ()

    def place(self, index: int) -> int:
        """Where the character at `index` stands in the text as it was given."""
        found = bisect_right(self.starts, index)
        return index + (self.gone[found - 1] if found else 0)

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The span of the given text, what is hidden within it included."""
        return self.place(start), self.place(end - 1) + 1


def fold(text: str) -> Folded:
    """The folded copy; ASCII is its own."""
    if text.isascii():
        return Folded(text)
    parts: list[str] = []
    starts: list[int] = []
    gone: list[int] = []
    before = 0
    for run in _FOREIGN.finditer(text):
        parts.append(text[before : run.start()])
        before = run.end()
        folded = run[0].translate(_TABLE)
        parts.append(folded)
        if len(folded) != len(run[0]):
            _note_gaps(run, starts, gone)
    parts.append(text[before:])
    return Folded("".join(parts), tuple(starts), tuple(gone))


def _note_gaps(run: re.Match[str], starts: list[int], gone: list[int]) -> None:
    missing = gone[-1] if gone else 0
    for place, character in enumerate(run[0], run.start()):
        if not _TABLE[ord(character)]:
            missing += 1
            if starts and starts[-1] == place + 1 - missing:
                gone[-1] = missing
            else:
                starts.append(place + 1 - missing)
                gone.append(missing)


def fold_words(words: str) -> str:
    """Words of context as they stand in a folded text in small letters."""
    return fold(words).text.lower()
