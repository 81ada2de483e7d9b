"""Owns the folding of forms: what looks alike or is written with other signs becomes the same word."""
# ruff: noqa: RUF001 - these are the very signs that are told apart

import re
import unicodedata

_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]"
)
_APART = re.compile("[™℠®©]|(?<=[^\\W\\d_]{3})(?=[¹²³⁰⁴-⁹])")
"""Signs that compatibility would glue to a word: a trade mark, the number of a footnote."""
_ALIKE = re.compile(
    "[\u2018\u2019\u201b\u02bc\u02b9\u2032\u0060\u00b4\u05f3\uff07]|[\u2010\u2011\u2212\u05be]|[\u2044\u2215]"
)
_MINUS = re.compile(r"(?<![\w)])[\u2012-\u2015](?=\d)")
_SECTION = re.compile(r"(?<!\w)§\s(?=\d)")
_SAME = {"‐": "-", "‑": "-", "−": "-", "־": "-", "⁄": "/", "∕": "/"}

_LEFT_OUT = re.compile(
    r"(?<![иу])\u0306|(?<!і)\u0308|[\u0300-\u0305\u0307\u0309-\u036f\u0591-\u05bd\u05bf\u05c1-\u05c7\u0610-\u061a"
    r"\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7-\u06ed\u093c\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]"
)
"""Accents, breathings and vowel points: marks of scripts whose letters stand without them.

A breve and two dots that make another letter of Cyrillic stay, and so do the vowels of India and what voices a kana.
"""
_DIGITS = re.compile(r"[^\x00-\x7f\D]")
_LETTERS = str.maketrans(
    {
        "ø": "o",
        "đ": "d",
        "ł": "l",
        "ı": "i",
        "æ": "ae",
        "œ": "oe",
        "ð": "d",
        "þ": "th",
        "ħ": "h",
        "ŧ": "t",
        "ŋ": "n",
        "ə": "a",
        "ƒ": "f",
        "ĸ": "k",
        "ـ": None,
        "ى": "ي",
        "ک": "ك",
        "ی": "ي",
        "ۀ": "ه",
        "ة": "ه",
        "ё": "е",
    }
)
"""Letters that no decomposition takes to those that are typed for them."""


def normalise(text: str) -> str:
    """The text in one form, case and marks kept: compatible signs, composed, nothing invisible, plain hyphens."""
    if text.isascii():
        return text
    composed = unicodedata.normalize("NFC", _INVISIBLE.sub("", text))
    compatible = unicodedata.normalize("NFKC", _APART.sub(" ", composed))
    return _SECTION.sub("§", _MINUS.sub("-", _ALIKE.sub(_plain, compatible)))


def _plain(match: re.Match[str]) -> str:
    return _SAME.get(match[0], "'")


def fold(word: str) -> str:
    """A word in small letters, without the marks that people leave out; the same for every form of it."""
    if word.isascii():
        return word.lower()
    parted = unicodedata.normalize("NFKD", word.casefold().translate(_LETTERS))
    kept = _LEFT_OUT.sub("", parted).casefold().translate(_LETTERS)
    return unicodedata.normalize("NFKC", _DIGITS.sub(_digit, kept))


def _digit(match: re.Match[str]) -> str:
    return str(unicodedata.digit(match[0], match[0]))
