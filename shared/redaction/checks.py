"""Check digits and impossible values: what tells a number of a person from one that only looks like it."""

from collections.abc import Callable
from functools import cache
from importlib import import_module

_ZERO = ord("0")
_DOUBLED = bytes.maketrans(b"0123456789", bytes(_ZERO + value for value in (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)))


def passes_luhn(digits: str) -> bool:
    """Luhn's sum (ISO/IEC 7812)."""
    codes = digits.encode("ascii")
    return (sum(codes[-1::-2]) + sum(codes[-2::-2].translate(_DOUBLED)) - _ZERO * len(codes)) % 10 == 0


_BRANDS: tuple[tuple[range, int, frozenset[int]], ...] = (
    (range(4, 5), 1, frozenset({16, 19})),
    (range(51, 56), 2, frozenset({16})),
    (range(2221, 2721), 4, frozenset({16})),
    (range(2200, 2205), 4, frozenset({16, 17, 18, 19})),
    (range(34, 35), 2, frozenset({15})),
    (range(37, 38), 2, frozenset({15})),
    (range(6011, 6012), 4, frozenset({16, 17, 18, 19})),
    (range(644, 650), 3, frozenset({16, 17, 18, 19})),
    (range(65, 66), 2, frozenset({16, 17, 18, 19})),
    (range(3528, 3590), 4, frozenset({16, 17, 18, 19})),
    (range(300, 306), 3, frozenset({14, 16})),
    (range(36, 37), 2, frozenset({14})),
    (range(38, 40), 2, frozenset({14, 16})),
    (range(62, 63), 2, frozenset({16, 17, 18, 19})),
    (range(60, 61), 2, frozenset({16})),
    (range(81, 83), 2, frozenset({16})),
    (range(9792, 9793), 4, frozenset({16})),
    (range(5018, 5019), 4, frozenset({16})),
    (range(5020, 5021), 4, frozenset({16})),
    (range(5038, 5039), 4, frozenset({16})),
    (range(6304, 6305), 4, frozenset({16})),
    (range(6759, 6760), 4, frozenset({16})),
    (range(6761, 6764), 4, frozenset({16})),
)
"""First digits of the issuers' ranges, how many there are of them, and lengths of their numbers."""


_SIZES = {
    f"{first:0{count}}": frozenset[int]().union(
        *(sizes for firsts, other, sizes in _BRANDS if other == count and first in firsts)
    )
    for firsts, count, _ in _BRANDS
    for first in firsts
}
_COUNTS = tuple(sorted({count for _, count, _ in _BRANDS}))


def is_card(digits: str) -> bool:
    """A payment card's number, of an issuer's range and length."""
    size = len(digits)
    for count in _COUNTS:
        if size in _SIZES.get(digits[:count], ()):
            return passes_luhn(digits)
    return False


def is_hinted_card(digits: str) -> bool:
    """A card's number of whatever issuer, where a word says that it is one."""
    return digits[0] in "23456" and passes_luhn(digits)


def is_ssn(digits: str) -> bool:
    """No impossible area, group or serial number (Social Security Administration)."""
    area = digits[:3]
    return area not in {"000", "666"} and area < "900" and digits[3:5] != "00" and digits[5:] != "0000"


def is_itin(digits: str) -> bool:
    """A group that the tax office gives to people without a social security number."""
    group = int(digits[3:5])
    return digits[0] == "9" and (50 <= group <= 65 or 70 <= group <= 88 or 90 <= group <= 92 or 94 <= group <= 99)


def is_iban(code: str) -> bool:
    """ISO 13616: the length that the country's numbers have, and a remainder of 1 by 97."""
    if IBAN_LENGTHS.get(code[:2]) != len(code):
        return False
    return int((code[4:] + code[:4]).translate(_VALUES)) % 97 == 1


_VALUES = {ord(letter): str(int(letter, 36)) for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


IBAN_LENGTHS = {
    entry[:2]: int(entry[2:])
    for entry in (
        "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 "
        "ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 "
        "LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 "
        "PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 "
        "YE30"
    ).split()
}
"""Characters of an account's number by country (SWIFT's IBAN registry)."""


@cache
def stdnum(name: str) -> Callable[[str], bool]:
    """The check of a module of python-stdnum, loaded when it is first asked."""

    @cache
    def loaded() -> Callable[[str], object]:
        is_valid: Callable[[str], object] = import_module(f"stdnum.{name}").is_valid
        return is_valid

    return lambda value: bool(loaded()(value))


def with_luhn(check: Callable[[str], bool]) -> Callable[[str], bool]:
    """A check of which Luhn's sum is a part: most numbers need no more than that."""
    return lambda digits: passes_luhn(digits) and check(digits)


def is_aadhaar(digits: str) -> bool:
    """An Indian id by its check digit, which one number in ten has; a row of years is none."""
    return not all(group[:2] in {"19", "20"} for group in (digits[:4], digits[4:8])) and stdnum("in_.aadhaar")(digits)


def is_rvnr(code: str) -> bool:
    """A German social insurance number: area, birth date, initial, serial number and check digit."""
    digits = [int(c) for c in code[:8]] + [int(c) for c in f"{ord(code[8]) - 64:02d}"] + [int(c) for c in code[9:11]]
    weights = (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1)
    total = sum(sum(divmod(digit * weight, 10)) for digit, weight in zip([*digits], weights, strict=False))
    return total % 10 == int(code[11]) and 1 <= int(code[4:6]) <= 12


def is_snils(digits: str) -> bool:
    """A Russian pension insurance number: a weighted sum by 101, of which 100 is written as 00."""
    total = sum(int(digit) * weight for digit, weight in zip(digits, range(9, 0, -1), strict=False))
    return digits > "00100199800" and total % 101 % 100 == int(digits[9:])


def is_hkid(code: str) -> bool:
    """A Hong Kong id: its letters and digits, weighted, have no remainder by 11."""
    written = code.translate(_BRACKETS).rjust(9)
    values = [36 if sign == " " else int(sign, 36) for sign in written[:8]]
    check = 10 if written[8] == "A" else int(written[8], 36)
    return (sum(value * weight for value, weight in zip(values, range(9, 1, -1), strict=True)) + check) % 11 == 0


_BRACKETS = str.maketrans("", "", "()")
