"""Owns numerals: a number beside a word may be written in digits, in Roman letters, or in Chinese signs."""

import re
from collections.abc import Iterator, Sequence

from embedmill.shared.words.cutting import term_id
from embedmill.shared.words.folding import fold
from embedmill.shared.words.other_forms import OtherForm
from embedmill.shared.words.splitting import split, tokens

MOST_ROMAN = 49
"""Beyond it are C, D and M, which are other things beside a word: vitamin C."""
MOST_WORDS = 5
_ROMAN = re.compile(r"(?=[IVX])(?:XL|X{0,3})(?:IX|IV|V?I{0,3})")
_TENS, _ONES = ("", "X", "XX", "XXX", "XL"), ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")
_DIGITS = "〇一二三四五六七八九"
_ORDINAL = re.compile(rf"第\s?(?P<number>\d{{1,4}}|[{_DIGITS}零十百千]{{1,7}})\s?(?P<counted>[\u4e00-\u9fff])")
_PLACES = ((1000, "千"), (100, "百"), (10, "十"))


def numerals_in(text: str) -> Iterator[OtherForm]:
    """What a normalised query numbers, with its number otherwise: chapter 4 as chapter IV, 第3章 as 第三章."""
    for found in _ORDINAL.finditer(text):
        yield from _counted(found)
    cut = tokens(text)
    if 2 <= len(cut) <= MOST_WORDS:
        yield from _numbered(text, cut)


def _numbered(text: str, cut: Sequence[str]) -> Iterator[OtherForm]:
    """A whole query of a few words of which one, behind the first, is a number or a Roman one."""
    for at, token in enumerate(cut[1:], 1):
        other = _other(token)
        if other and cut[at - 1].isalpha() and not split(cut[at - 1]).grams:
            words = [*cut[:at], other, *cut[at + 1 :]]
            atoms = [atom for word in words for atom in split(word).atoms]
            pattern = r"[\W_]{1,3}".join(map(re.escape, atoms))
            yield OtherForm(fold(text), (), (term_id(fold(other)),), rf"(?<![^\W_]){pattern}(?![^\W_])(?![.,]\d)")


def _other(written: str) -> str:
    if written.isdecimal() and written.isascii() and 0 < int(written) <= MOST_ROMAN and written[0] != "0":
        return roman(int(written))
    return str(_of_roman(written)) if _ROMAN.fullmatch(written) and written != "I" else ""


def roman(number: int) -> str:
    """Up to `MOST_ROMAN`."""
    return _TENS[number // 10] + _ONES[number % 10]


def _of_roman(letters: str) -> int:
    return next(number for number in range(1, MOST_ROMAN + 1) if roman(number) == letters)


def _counted(found: re.Match[str]) -> Iterator[OtherForm]:
    written, counted = found["number"], found["counted"]
    number = int(written) if written.isdecimal() else _of_chinese(written)
    if not number:
        return
    other = str(number) if not written.isdecimal() else chinese(number)
    run = f"第{other}{counted}"
    grams = [gram for token in tokens(run) for gram in (*split(token).grams, *split(token).words)]
    yield OtherForm(fold(found[0]), (), tuple(map(term_id, grams)), rf"第\s?{other}\s?{counted}")


def chinese(number: int) -> str:
    """A number below ten thousand: 12 is 十二, 105 is 一百零五."""
    if number < 20:
        return ("十" if number >= 10 else "") + (_DIGITS[number % 10] if number % 10 else "")
    signs, is_skipped = "", False
    for value, sign in _PLACES:
        digit, number = divmod(number, value)
        if digit:
            signs += ("零" if is_skipped else "") + _DIGITS[digit] + sign
            is_skipped = False
        else:
            is_skipped = bool(signs)
    if number:
        signs += ("零" if is_skipped else "") + _DIGITS[number]
    return signs


def _of_chinese(signs: str) -> int:
    """A number from its signs; 0 where they are none."""
    total, digit = 0, 0
    for sign in signs:
        if sign in _DIGITS or sign == "零":
            digit = max(_DIGITS.find(sign), 0)
        else:
            total += (digit or 1) * next(value for value, place in _PLACES if place == sign)
            digit = 0
    return total + digit
