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
_NUMBERED = re.compile(r"(?:N(?<!\wN)(?:[oOr]\.|[°º])|n(?<!\wn)(?:[or]\.|[°º])|№)\s?(?=\d)")
"""`No. 7`, `Nr. 7`, `n° 7` and `№ 7`, which are #7."""
_MAY_BE_NUMBERED = re.compile(r"\.(?<=[nN][oOr]\.)\s?\d")
UNITS = frozenset(
    "nm mm cm dm km mg kg ml cl dl kb mb gb tb pb kib mib gib tib bit kbit mbit gbit hz khz mhz ghz mv kv ma mah kw mw "
    "kwh mwh ns ms min px pt dpi rpm psi bar mbar kpa mpa db lb lbs oz ft mph kmh usd eur "
    "µs µm µg µl µa µf μs μm μg μl μa μf kω mω мм см км мг кг мл гц кгц мгц ггц кб мб гб тб вт квт мвт мин".split()
)
"""What numbers are written together with, and apart. Other units of one letter are parts of names, as 3D and 1a."""
LARGE_UNITS = frozenset("VW")
_BEFORE_UNIT = re.compile(r"[0-9]\s(?=([^\W\d_]{1,4})(?!\w)|%(?![\w(]))")
_DEGREES = re.compile(r"(?<=\d)\s?(?:[°º˚]\s?(?P<scale>[CF])(?!\w)|(?P<sign>[℃℉]))")
_NUMBER = re.compile(r"(?<![\w.,])(?<![\w)\]}][-+])\d+(?:[.,]\d+)*\Z")
LONGEST_NUMBER = 24
_MAY_BE_JOINED = re.compile("[№°º˚℃℉§\u0620-\u06ff]")
"""What beyond ASCII is joined has one of these."""
_BETWEEN_ARABIC = re.compile(r"(?<=[\u0620-\u06ff])\u200c(?=[\u0620-\u06ff])")
"""Where a word of Persian has a joint, whose parts do not touch; other scripts only shape their signs by it."""
_PERSIAN_APART = re.compile(
    r"(?<![\u0620-\u06ff])(?P<before>\u0646?\u0645[\u06cc\u064a])\s(?=[\u0620-\u06ff])"
    r"|(?<=[\u0620-\u06ff])\s(?=(?:\u0647\u0627(?:[\u06cc\u064a]{1,2}\u0645?)?|\u062a\u0631(?:[\u06cc\u064a]\u0646)?)"
    r"(?![\u0620-\u06ff]))"
)
"""A space that is typed for such a joint: behind a verb's prefix, before endings of the plural and the comparative."""
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
        return _join(text)
    composed = _INVISIBLE.sub("", _BETWEEN_ARABIC.sub("-", compose(text)))
    compatible = unicodedata.normalize("NFKC", _APART.sub(" ", composed))
    return _MINUS.sub("-", compatible.translate(_PLAIN))


def compose(text: str) -> str:
    """The text as its words are told apart by spaces, each to be normalised by itself."""
    if text.isascii():
        return _join(text)
    composed = unicodedata.normalize("NFC", text)
    if not _MAY_BE_JOINED.search(composed):
        return _join(composed)
    numbered = _NUMBERED.sub("#", _SECTION.sub("§", composed))
    return _join(_PERSIAN_APART.sub(_join_persian, _DEGREES.sub(_join_degrees, numbered)))


def may_be_joined(text: str) -> bool:
    """Whether it holds a sign beyond ASCII that may be joined with what stands beside it."""
    return _MAY_BE_JOINED.search(text) is not None


def _join(text: str) -> str:
    """What is one word and may be written with a space: a number with its unit, or with what says that it is one."""
    numbered = _NUMBERED.sub("#", text) if _MAY_BE_NUMBERED.search(text) else text
    return _BEFORE_UNIT.sub(_join_unit, numbered)


def _join_unit(match: re.Match[str]) -> str:
    """A digit before what may be a unit, without the space between if that is one, and the number stands alone."""
    if match[1] and match[1].lower() not in UNITS and match[1] not in LARGE_UNITS:
        return match[0]
    begin = max(match.start() + 1 - LONGEST_NUMBER, 0)
    return match[0][0] if _NUMBER.search(match.string[begin : match.start() + 1]) else match[0]


def _join_degrees(match: re.Match[str]) -> str:
    return f"°{match['scale'] or unicodedata.normalize('NFKC', match['sign'])[-1]}"


def _join_persian(match: re.Match[str]) -> str:
    return f"{match['before'] or ''}\u200c"


def fold(word: str) -> str:
    """A word in small letters, without the marks that people leave out; the same for every form of it."""
    if word.isascii():
        return word.lower()
    parted = unicodedata.normalize("NFKD", word.casefold().translate(_LETTERS))
    kept = _LEFT_OUT.sub("", parted).casefold().translate(_LETTERS)
    return unicodedata.normalize("NFKC", _DIGITS.sub(_digit, kept))


def _digit(match: re.Match[str]) -> str:
    return str(unicodedata.digit(match[0], match[0]))
