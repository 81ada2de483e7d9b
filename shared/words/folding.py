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
    text = _APART.sub(" ", _INVISIBLE.sub("", text))
    text = unicodedata.normalize("NFKC", text)
    return _SECTION.sub("§", _MINUS.sub("-", _ALIKE.sub(_plain, text)))


def _plain(match: re.Match[str]) -> str:
    return _SAME.get(match[0], "'")


def fold(word: str) -> str:
    """A word in small letters, without the marks that people leave out; the same for every form of it."""
    if word.isascii():
        return word.lower()
    small = word.casefold().translate(_LETTERS)
    parted = unicodedata.normalize("NFKD", small)
    kept = "".join(sign for at, sign in enumerate(parted) if not _is_dropped(parted, at))
    return unicodedata.normalize("NFKC", _digits(kept).casefold().translate(_LETTERS))


def _is_dropped(parted: str, at: int) -> bool:
    """Whether a sign is an accent, a vowel point or a breathing: marks of scripts whose letters stand without them."""
    code = ord(parted[at])
    return (
        (0x300 <= code <= 0x36F and not _is_short_i(parted, at))
        or 0x591 <= code <= 0x5C7
        or 0x610 <= code <= 0x61A
        or 0x64B <= code <= 0x65F
        or code in {0x670, 0x93C}
        or (0x6D6 <= code <= 0x6ED and unicodedata.combining(parted[at]) > 0)
        or 0x1AB0 <= code <= 0x1AFF
        or 0x1DC0 <= code <= 0x1DFF
        or 0x20D0 <= code <= 0x20FF
    )


def _is_short_i(parted: str, at: int) -> bool:
    """Whether a mark makes another letter of Cyrillic: a breve, or two dots on the letter that looks like an i."""
    before = parted[at - 1] if at else ""
    return (parted[at] == "\u0306" and before in {"и", "у"}) or (parted[at] == "\u0308" and before == "і")


def _digits(word: str) -> str:
    if word.isascii() or not any(sign.isdigit() for sign in word):
        return word
    return "".join(str(unicodedata.digit(sign, sign)) for sign in word)
