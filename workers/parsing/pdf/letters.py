"""Owns letters that are set apart (`t h e i r`): which of them are words, told by the gaps between them."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import median

from embedmill.workers.parsing.pdf.hyphens import is_in_vocabulary

_HINT = re.compile(r" [^\W\d_] [^\W\d_] ")
_RUN = re.compile(r"(?<!\S)(?:[^\W\d_] ){3,}[^\W\d_][^\w\s]{0,2}(?!\S)")
"""Letters with a blank between them, of which the last may have a stop behind it; led by a blank, a hint is fast."""

WIDER = 1.45
"""Of the usual gap between letters: a wider one parts words."""
LEAST = 0.02
"""Of a line's height: letters that touch are not set apart."""
LONG = 6
"""Letters of which a word is one by itself; a shorter one is looked up."""
DISTINCT = 3


def runs_of(text: str) -> list[tuple[int, int]]:
    """Where letters are set apart, the last place first."""
    return [found.span() for found in _RUN.finditer(text)][::-1] if _HINT.search(text) else []


def words_of(letters: str, gaps: Sequence[float], size: float) -> Iterator[tuple[int, int]]:
    """Where words begin and end among `letters`; none where they are names of columns or of variables.

    `gaps` are those between them, in points, and endless where the file itself has a blank.
    """
    usual = median(gaps)
    found = list(_parted(gaps, WIDER * usual)) if LEAST * size < usual < size else []
    words = [letters[begin:end] for begin, end in found]
    if any(_is_word(word) for word in words) and all(len(word) < LONG or _is_word(word) for word in words):
        yield from (span for span, word in zip(found, words, strict=True) if len(word) > 1)


def _parted(gaps: Sequence[float], widest: float) -> Iterator[tuple[int, int]]:
    begin = 0
    for number, gap in enumerate(gaps, start=1):
        if gap > widest:
            yield begin, number
            begin = number
    yield begin, len(gaps) + 1


def _is_word(letters: str) -> bool:
    if len(set(letters)) < DISTINCT or all(one < other for one, other in pairwise(letters.casefold())):
        return False
    return len(letters) >= LONG or (len(letters) > DISTINCT and is_in_vocabulary(letters.casefold()))
