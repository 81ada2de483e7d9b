"""Owns which numbers a text names, however its language writes them: 1.5 and 1,5 are one, 1.5 and 15 never are."""

import re
from collections import Counter

from embedmill.shared.words.languages import guess, languages
from embedmill.shared.words.scripts import script_of

NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
WORD = re.compile(r"[^\W\d_]+")
OF_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:[.,]\d{3})+")
WITH_COMMAS = frozenset("cs da de el es fi fr hu it nl no pl pt ro ru sv tr".split())
"""Languages that write 1,5 for one and a half, and 1.500 for fifteen hundred."""


def numbers_of(text: str) -> frozenset[str]:
    """The numbers of a text, without what only groups their digits, and with a point before their fractions."""
    comma = _language_of(text) in WITH_COMMAS
    return frozenset(_plain(number, comma=comma) for number in NUMBER.findall(text))


def _language_of(text: str) -> str:
    """The language of most of its letters, by its code; empty for a text without any."""
    scripts = Counter(script_of(sign) for sign in text if sign.isalpha())
    spoken = guess(word.lower() for word in WORD.findall(text))
    told = {languages()[code].script: code for code in spoken}
    return next((told.get(script, "") for script, _ in scripts.most_common(1)), "")


def _plain(number: str, *, comma: bool) -> str:
    kinds = {sign for sign in number if not sign.isdigit()}
    if len(kinds) > 1:
        # Both in one number: the last stands before the fraction.
        point = max(number.rfind("."), number.rfind(","))
        return f"{_digits(number[:point])}.{number[point + 1 :]}"
    (sign,) = kinds or {""}
    if not sign or number.count(sign) > 1:
        return _digits(number) if sign and OF_THOUSANDS.fullmatch(number) else number
    groups = OF_THOUSANDS.fullmatch(number) and (sign == ".") == comma
    return _digits(number) if groups else number.replace(",", ".")


def _digits(number: str) -> str:
    return number.replace(".", "").replace(",", "")
