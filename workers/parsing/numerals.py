"""Owns the numbers of list items as people see them: decimal, letters, Roman and Chinese numerals, circled digits."""

from collections.abc import Callable

_ROMAN = (
    (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"),
    (9, "ix"), (5, "v"), (4, "iv"), (1, "i"),
)  # fmt: skip
_ROMAN_BELOW = 4000
_CHINESE = "〇一二三四五六七八九"
_CIRCLED = "①"
_ORDINALS = {1: "st", 2: "nd", 3: "rd"}


def letters(number: int) -> str:
    """From a to z, then aa, ab, as HTML and OpenDocument count."""
    found = ""
    while number > 0:
        number, digit = divmod(number - 1, 26)
        found = chr(ord("a") + digit) + found
    return found


def repeated_letters(number: int) -> str:
    """From a to z, then aa, bb, as Word counts."""
    rounds, digit = divmod(number - 1, 26)
    return chr(ord("a") + digit) * min(rounds + 1, 10)


def roman(number: int) -> str:
    """In small letters; from 4,000 on, which Roman numerals cannot say, in digits."""
    if number >= _ROMAN_BELOW:
        return str(number)
    found = ""
    for value, sign in _ROMAN:
        times, number = divmod(number, value)
        found += sign * times
    return found


def _chinese(number: int) -> str:
    if number >= 100:
        return str(number)
    tens, ones = divmod(number, 10)
    lead = ("" if tens == 1 else _CHINESE[tens]) + "十" if tens else ""
    return lead + (_CHINESE[ones] if ones else "")


def _circled(number: int) -> str:
    return chr(ord(_CIRCLED) + number - 1) if number <= 20 else str(number)


def _ordinal(number: int) -> str:
    return f"{number}{'th' if number % 100 in {11, 12, 13} else _ORDINALS.get(number % 10, 'th')}"


_STYLES: dict[str, Callable[[int], str]] = {
    "chinese": _chinese,
    "circled": _circled,
    "decimal-zero": lambda number: f"{number:02}",
    "letters": letters,
    "LETTERS": lambda number: letters(number).upper(),
    "none": lambda _: "",
    "ordinal": _ordinal,
    "repeated-letters": repeated_letters,
    "REPEATED-LETTERS": lambda number: repeated_letters(number).upper(),
    "roman": roman,
    "ROMAN": lambda number: roman(number).upper(),
}


def numeral(number: int, style: str) -> str:
    """In digits where the style is none of ours, or has no sign for such a number; `none` is no numeral at all."""
    if style != "none" and number < 1:
        return str(number)
    return _STYLES.get(style, str)(number)
