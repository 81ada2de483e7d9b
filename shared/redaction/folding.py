"""The folded copy of a text, in which values are looked for, and the way from its places back to the text's.

Digits of every script, dashes, blanks, letters with accents and those that look like Latin ones become their kin in
ASCII; what cannot be seen is gone. Every character becomes one or none: the map lists the places where some are gone.
"""

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_FOREIGN = re.compile("([^\x00-\x7f]+)")
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


class _Runs(dict[str, str]):
    """What runs of foreign characters become; short ones, which come again and again, are remembered."""

    def __missing__(self, run: str) -> str:
        folded = run.translate(_TABLE)
        if len(run) <= REMEMBERED and len(self) < MOST_REMEMBERED:
            self[run] = folded
        return folded


REMEMBERED, MOST_REMEMBERED = 2, 10_000

_TABLE = _Table()
_RUNS = _Runs()


@dataclass(frozen=True, slots=True)
class FoldedNumbers:
    """`text` is folded; `starts` are its places behind which `gone` characters are missing, counted from the start."""

    text: str
    starts: tuple[int, ...] = ()
    gone: tuple[int, ...] = ()

    def spans(self, spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """Spans, in order and apart, of the text as it was given, what is hidden within them included."""
        starts, gone = (*self.starts, math.inf), (0, *self.gone)
        passed = 0
        for start, end in spans:
            while starts[passed] <= start:
                passed += 1
            begin = start + gone[passed]
            while starts[passed] < end:
                passed += 1
            yield begin, end + gone[passed]


def fold(text: str) -> FoldedNumbers:
    """The folded copy; ASCII is its own."""
    if text.isascii():
        return FoldedNumbers(text)
    folded = "\n".join([line if line.isascii() else _fold_line(line) for line in text.split("\n")])
    return FoldedNumbers(folded) if len(folded) == len(text) else FoldedNumbers(folded, *_gaps(text))


def _fold_line(line: str) -> str:
    parts = _FOREIGN.split(line)
    parts[1::2] = map(_RUNS.__getitem__, parts[1::2])
    return "".join(parts)


def _gaps(text: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Behind which places of the folded text characters of the given one are missing, and how many by then.

    The pattern is of what this text alone has: what other threads meet meanwhile makes no difference.
    """
    unseen = "".join(sorted(c for c in set(text) if not c.isascii() and not _TABLE[ord(c)]))
    starts: list[int] = []
    gone: list[int] = []
    missing = 0
    for run in re.finditer(f"[{unseen}]+", text):
        starts.append(run.start() - missing)
        missing += run.end() - run.start()
        gone.append(missing)
    return tuple(starts), tuple(gone)


def fold_words(words: str) -> str:
    """Words of context as they stand in a folded text in small letters."""
    return fold(words).text.lower()
