"""Owns whether the words of a text stand as they are written: composing it would join none, and changes no sign."""

import re
from unicodedata import is_normalized

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.lexicon import MOST, NEW, TextWords, bare
from embedmill.shared.words.folding import LARGE_UNITS, UNITS, compose, may_be_joined

_KNOWN, _DOUBTED, _NUMBER, _UNIT = 1, 2, 4, 8
"""What is known of a word: that it was looked at, may be changed, ends with a digit, begins with a unit."""
_UNIT_OF_NUMBER = 1
"""By so many bits what is known of a number is apart from what is known of a unit."""
_BEGINNING = re.compile(r"([^\W\d_]{1,4})(?!\w)|%")
_NUMBERED = re.compile(r"[nN][oOr]\.")


def stands_as_written(text: str, words: TextWords) -> bool:
    """Whether composing a text with these words changes nothing of it, nor of a part between white space."""
    return _stand_alone(words) or compose(text) == text


def _stand_alone(words: TextWords) -> bool:
    """Whether the words tell that; False where the text has to be looked at."""
    known = words.lexicon.table(_make)
    kinds = known[words.numbers]
    if not kinds.all():
        new = np.flatnonzero(kinds == 0)
        numbers, others = words.numbers[new], iter(words.others)
        written = [next(others) if number == NEW else words.lexicon.words[number] for number in numbers.tolist()]
        kinds[new] = list(map(_kind_of, written))
        known[numbers[numbers != NEW]] = kinds[new][numbers != NEW]
    is_unit_behind_number = kinds[:-1] << _UNIT_OF_NUMBER & kinds[1:] & _UNIT
    return not ((kinds & _DOUBTED).any() or is_unit_behind_number.any())


def _make() -> NDArray[np.uint8]:
    return np.zeros(MOST + 1, np.uint8)


def _kind_of(written: str) -> int:
    word = bare(written)
    kind = _KNOWN
    if _NUMBERED.search(word) or not (word.isascii() or (is_normalized("NFC", word) and not may_be_joined(word))):
        kind |= _DOUBTED
    if word[-1:].isdecimal():
        kind |= _NUMBER
    begin = _BEGINNING.match(word)
    if begin and (begin[1] is None or begin[1].lower() in UNITS or begin[1] in LARGE_UNITS):
        kind |= _UNIT
    return kind
