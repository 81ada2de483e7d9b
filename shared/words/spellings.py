"""Owns how else one identifier is written: its letters and its number together or apart, with a sign between or not."""

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise, product

from embedmill.shared.words.folding import fold, normalise

_TOGETHER = re.compile(
    r"([^\W\d_]+)(\d+)"  # A320
    r"|([^\W\d_]?[1-9]\d*)(x)(\d+)"  # 1920x1080, M3x10
    r"|(\d+)(?![ai]\Z)([^\W\d_]{1,3}\d?)"  # 24h, 20m2; not 1a
)
_QUANTITY = re.compile(r"(?P<number>[-+]?\d+(?:[.,]\d+)*)-?(?:(?P<degree>°?)(?P<scale>[cf])|(?P<unit>[^\W\d_]{1,4}))")
_AMOUNT = re.compile(
    r"(?P<number>\d{4,12}|\d{1,3}(?:,\d{3})+(?=\.)|\d{1,3}(?:\.\d{3})+(?=,))(?P<sign>[.,])(?P<cents>\d{1,2})"
)
_RANGE = re.compile(r"(?<=\d)[\u2012-\u2015](?=\d)")
_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"})
_DRAWN = re.compile(r"(?<![aeouq])(?:ae|oe|ue)|(?<!a)aa")
_SIGNED_NAME = re.compile(r"(?<=[^\W\d_])(\+\+)(?=\d)")
_INITIALS = re.compile(r"(?<![\w.])(?:[^\W\d_]\.){2,}(?!\w)")
_TIMES = r"\s?[x×]\s?"
_SIGN_OF_TIMES = re.compile(r"(?<=\d)\s?×\s?(?=\d)")
_SIGN = r"(?:[^\w\s.,;:!?]|_)?"
_BETWEEN = rf"{_SIGN}\s?{_SIGN}"
"""What may stand between the parts of an identifier: a space, a hyphen, a degree sign with a space; no pause."""
_BEFORE, _BEHIND = r"(?<![^\W_])(?<!\d[.,])(?<!\s[-+])", r"(?![^\W_])"
"""No other word, and no more of a number: 5 km is not in 1.5 km."""
MOST_DRAWN = 3
"""Pairs of letters in a word, each of which may be an umlaut by itself."""
LONGEST_INITIALS = 3
"""Letters of what may be written with a stop behind each, as p.m."""


def name_and_number(token: str) -> tuple[str, ...]:
    """A and 320 for A320, 24 and h for 24h, 4, x and 3 for 4x3; nothing for what is made otherwise."""
    found = _TOGETHER.fullmatch(token)
    return tuple(filter(None, found.groups())) if found else ()


def other_wholes(whole: str) -> tuple[str, ...]:
    """How a folded quantity or an amount is written as one word too: 40°c for 40c, 3.5-mm for 3.5mm."""
    if others := _other_amounts(whole):
        return others
    found = _QUANTITY.fullmatch(whole)
    if not found:
        return ()
    number, unit = found["number"], found["scale"] or found["unit"]
    written = [f"{number}{unit}", f"{number}-{unit}", *([f"{number}°{unit}"] if found["scale"] else ())]
    return tuple(other for other in written if other != whole)


def _other_amounts(whole: str) -> tuple[str, ...]:
    """An amount with its thousands apart and not: 1234.56 and 1,234.56, 1234,56 and 1.234,56."""
    found = _AMOUNT.fullmatch(whole)
    if not found:
        return ()
    digits, sign, cents = re.sub(r"\D", "", found["number"]), found["sign"], found["cents"]
    apart = f"{int(digits):,}".replace(",", "," if sign == "." else ".")
    return tuple(other for other in (f"{digits}{sign}{cents}", f"{apart}{sign}{cents}") if other != whole)


def written_out(shown: str) -> str:
    """A word with its umlauts as two letters, as where keys for them are missing: mueller for müller."""
    return fold(shown.translate(_OUT))


def drawn_together(word: str) -> tuple[str, ...]:
    """What a word may be that is written so, as umlauts are folded: muller for mueller.

    Each pair of letters may be one sign or two, as in noerregaard for Nørregaard; of many all are one.
    """
    places = [found.end() - 1 for found in _DRAWN.finditer(word)]
    if not places:
        return ()
    if len(places) > MOST_DRAWN:
        return (_DRAWN.sub(lambda found: found[0][0], word),)
    chosen = product((True, False), repeat=len(places))
    left_out = [{place for place, is_out in zip(places, some, strict=True) if is_out} for some in chosen]
    return tuple("".join(sign for at, sign in enumerate(word) if at not in some) for some in left_out if some)


def in_one_form(text: str) -> str:
    """A query with its words as they are told apart: C++ 17 for C++17, 5 pm for 5 p.m., sizes with x, plain ranges."""
    initials = _INITIALS.sub(lambda found: found[0].replace(".", ""), _RANGE.sub("-", text))
    return _SIGN_OF_TIMES.sub(" x ", _SIGNED_NAME.sub(r"\1 ", initials))


@lru_cache(maxsize=256)
def spelling_of(parts: Sequence[str], written: str = "") -> re.Pattern[str]:
    """What finds an identifier of these folded parts in a folded text, together or apart, sizes without their x too.

    As it is `written` it is found whatever signs join it, as those of v2.0-rc.1 and 00:1a:2b.
    """
    pieces = [_TIMES if _is_times(parts, at) else _spelled(part) for at, part in enumerate(parts)]
    joined = "".join(one if _TIMES in (one, other) else one + _BETWEEN for one, other in pairwise(pieces))
    spelled = "|".join([joined + pieces[-1], *filter(None, [re.escape(written).replace(r"\ ", r"\s+")])])
    return re.compile(f"{_BEFORE}(?:{spelled}){_BEHIND}")


def _spelled(part: str) -> str:
    if part.isalpha() and 1 < len(part) <= LONGEST_INITIALS:
        return r"\.?".join(part) + r"\.?"
    return re.escape(part)


def _is_times(parts: Sequence[str], at: int) -> bool:
    return parts[at] == "x" and at > 0 and parts[at - 1][-1].isdecimal() and "".join(parts[at + 1 : at + 2]).isdecimal()


folded = lru_cache(maxsize=2048)(lambda text: fold(normalise(text)))
"""A text as spellings are looked for in it."""
