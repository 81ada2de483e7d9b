"""Owns the folding of forms: what looks alike or is written with other signs becomes the same word."""
# ruff: noqa: RUF001 - these are the very signs that are told apart

import re
import unicodedata

_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]"
)
_APART = re.compile(r"[™℠®©]|(?<=[^\W\d_]{3})(?=[¹²³⁰⁴-⁹])")
"""Signs that compatibility would glue to a word: a trade mark, the number of a footnote."""
_MINUS = re.compile(r"(?<![\w)])[\u2012-\u2015](?=\d)")
"""A dash that is typed for the sign of a number."""
_SECTION = re.compile(r"§\s(?=\d)")
_PLAIN = str.maketrans(
    "\u2018\u2019\u201b\u02bc\u02b9\u2032\u05f3\u2010\u2011\u2212\u05be\u2044\u2215", "'" * 7 + "-" * 4 + "/" * 2
)

_LEFT_OUT = re.compile(
    r"(?<![иу])\u0306|(?<!і)\u0308|[\u0300-\u0305\u0307\u0309-\u036f\u0591-\u05bd\u05bf\u05c1-\u05c7\u0610-\u061a"
    r"\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7-\u06ed\u093c\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]"
)
"""Accents, breathings and vowel points: marks of scripts whose letters stand without them.

A breve and two dots that make another letter of Cyrillic stay, and so do the vowels of India and what voices a kana.
"""
_DIGITS = re.compile(r"[^\x00-\x7f\D]")
_LETTERS = str.maketrans("øđłıðħŧŋəƒёىکیۀة", "odlidhtnafеيكيهه", "\u0640") | str.maketrans(
    {"æ": "ae", "œ": "oe", "þ": "th"}
)
"""Letters that no decomposition takes to those that are typed for them; the dash that lengthens a word of Arabic."""


def normalise(text: str) -> str:
    """The text in one form, case and marks kept: compatible signs, composed, nothing invisible, plain hyphens."""
    if text.isascii():
        return text
    composed = unicodedata.normalize("NFC", _INVISIBLE.sub("", text))
    compatible = unicodedata.normalize("NFKC", _APART.sub(" ", composed))
    return join_sections(_MINUS.sub("-", compatible.translate(_PLAIN)))


def join_sections(text: str) -> str:
    """`§ 5` as `§5`: of all that is kept whole it alone is written with a space."""
    return _SECTION.sub("§", text) if "§" in text else text


def compose(text: str) -> str:
    """The text as its words are told apart by spaces, each to be normalised by itself."""
    return text if text.isascii() else join_sections(unicodedata.normalize("NFC", text))


def fold(word: str) -> str:
    """A word in small letters, without the marks that people leave out; the same for every form of it."""
    if word.isascii():
        return word.lower()
    parted = unicodedata.normalize("NFKD", word.casefold().translate(_LETTERS))
    kept = _LEFT_OUT.sub("", parted).casefold().translate(_LETTERS)
    return unicodedata.normalize("NFKC", _DIGITS.sub(_digit, kept))


def _digit(match: re.Match[str]) -> str:
    return str(unicodedata.digit(match[0], match[0]))
