"""Owns the long numbers that a query names, as rows may have them grouped: amounts, accounts, phones, cards, addresses.

`1234567` is 1,234,567 and 1.234.567; an IBAN or an ISBN is the same with any spaces and hyphens, and without; a number
to call is the same with the code of its country, and with the zero that stands for it.
"""

import re
from collections.abc import Iterator

from embedmill.shared.words.cutting import alternatives, term_id
from embedmill.shared.words.folding import fold
from embedmill.shared.words.other_forms import OtherForm

FEWEST_GROUPED, FEWEST_OF_CODES = 4, 7
"""Digits of an amount that may be grouped, and of a number that may be grouped anywhere."""
MOST_OF_CODES = 40
LONGEST_GROUP = 8
_AMOUNT = re.compile(
    r"\d{1,3}(?P<sign>[,.'\s])\d{3}(?:(?P=sign)\d{3})+|\d{1,3}[,'\s]\d{3}|\d{1,2}(?:,\d\d)+,\d{3}"
    r"|(?!19\d\d\Z|20\d\d\Z)[1-9]\d{3,14}"
)
"""Four digits that are likely a year are none."""
_PAIRS = re.compile(r"(?<=\d)(?=(?:\d\d)+\Z)")
_BETWEEN = r"[\s./()-]{0,3}"
_BEHIND = r"(?![^\W_])(?![.,']\d)"
_NUMBER = re.compile(r"(?<![\w-])(?<!\d[.,'])\+?\(?\d[\d\s().,'/-]{2,60}\d(?![^\W_])(?![.,']\d)")
_ACCOUNT = re.compile(r"(?<![^\W_])[a-z]{2}\d\d(?:\s?[a-z\d]{4}){2,7}(?:\s?[a-z\d]{1,3})?(?![^\W_])")
_ADDRESS = re.compile(
    r"(?<![^\W_])(?:[\da-f]{12}|(?:[\da-f]{2}[:-]){5}[\da-f]{2}"
    r"|[\da-f]{32}|[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})(?![^\W_])"
)
_DOTTED_QUAD = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_UNLIKE = re.compile(r"[^\d]{4}|[.,'/-]{2}|\s[-/.,']|[.,'](?=\s)")
"""What no number is grouped with."""
_TRUNK = re.compile(r"\+|00(?=[1-9])|0(?=[1-9])")
_COUNTRY = re.compile(r"[17]|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|\d{3}")
"""The code of a country: one digit, two of those that have two, or three (ITU E.164)."""


def numbers_in(text: str) -> Iterator[OtherForm]:
    """The long numbers of a normalised query as rows may have them."""
    if sum(map(str.isdecimal, text)) < FEWEST_GROUPED:
        return
    small = fold(text)
    for found in _NUMBER.finditer(small):
        yield from _grouped(found[0].strip())
    for found in _ACCOUNT.finditer(small):
        if sum(map(str.isdecimal, found[0])) >= FEWEST_OF_CODES:
            yield _code(found[0])
    for found in _ADDRESS.finditer(small):
        if not (found[0].isdecimal() or found[0].isalpha()):
            yield OtherForm(found[0], tuple(_addresses(found[0])), (), "")


def _grouped(number: str) -> Iterator[OtherForm]:
    digits = re.sub(r"\D", "", number)
    if _DOTTED_QUAD.fullmatch(number) or _UNLIKE.search(number):
        return
    is_amount = _AMOUNT.fullmatch(number) is not None
    if FEWEST_OF_CODES <= len(digits) <= MOST_OF_CODES and (is_amount or "," not in number):
        code = _code(number)
        yield code._replace(wholes=tuple(_amounts(digits))) if is_amount else code
    elif is_amount and len(digits) >= FEWEST_GROUPED:
        yield OtherForm(number, tuple(_amounts(digits)), tuple(_groups(digits)), _amount_pattern(digits), is_usual=True)


def _amounts(digits: str) -> Iterator[str]:
    """An amount as one word: without signs, its thousands apart by each of some, without cents, as India has it."""
    western = f"{int(digits):,}"
    yield from (digits, f"{digits}.00", f"{digits},00")
    yield from (western.replace(",", sign) for sign in ",.'")
    yield from (f"{western.replace(',', sign)}{cents}" for sign, cents in ((",", ".00"), (".", ",00"), ("'", ".00")))
    yield f"{_PAIRS.sub(',', digits[:-3])},{digits[-3:]}"


def _amount_pattern(digits: str) -> str:
    grouped = "[,.'\\s]?".join(f"{int(digits):,}".split(","))
    return rf"(?<![^\W_])(?<!\d[\s.,']){grouped}{_BEHIND}"


def _groups(digits: str) -> Iterator[int]:
    yield from (term for group in f"{int(digits):,}".split(",") for term in alternatives(group, group))


def _code(written: str) -> OtherForm:
    """A number that may be parted anywhere: by the parts of it that a row may hold as words."""
    signs = re.sub(r"[\W_]", "", written)
    trunk = _TRUNK.match(written.lstrip("("))
    national = signs
    if trunk and trunk[0] == "0":
        national = signs[1:]
    elif trunk:
        abroad = signs.removeprefix("00")
        country = _COUNTRY.match(abroad)
        national = abroad[country.end() :] if country else abroad
    pattern = _BETWEEN.join(national)
    if trunk:
        # Whoever is called from abroad has the code of a country, at home a zero.
        pattern = rf"(?:(?:\+|00)\s?\d{{1,3}}{_BETWEEN}0?{_BETWEEN}|0)?{pattern}"
    alike = (signs, f"+{signs.removeprefix('00')}", f"0{national}") if trunk else (signs,)
    return OtherForm(
        written, alike, tuple(_pieces(signs, national)), rf"(?<![^\W_])(?<!\d[.,']){pattern}(?![^\W_])(?![.,']\d)"
    )


def _pieces(signs: str, national: str) -> Iterator[int]:
    """The terms of groups of digits that may be words of a row: of two only at the ends."""
    found = {signs[:2], national[:2], national[-2:]}
    for size in range(3, LONGEST_GROUP + 1):
        found.update(signs[at : at + size] for at in range(len(signs) - size + 1))
    found.update(f"0{national[:size]}" for size in range(2, LONGEST_GROUP))
    yield from map(term_id, sorted(found))


def _addresses(written: str) -> Iterator[str]:
    """The address of a machine, and an id of 32 signs, with what parts them and without."""
    signs = re.sub(r"[:-]", "", written)
    yield signs
    if len(signs) == 12:
        pairs = [signs[at : at + 2] for at in range(0, 12, 2)]
        yield from (sign.join(pairs) for sign in ":-")
        yield ".".join(signs[at : at + 4] for at in range(0, 12, 4))
    else:
        yield "-".join((signs[:8], signs[8:12], signs[12:16], signs[16:20], signs[20:]))
