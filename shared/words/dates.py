"""Owns the dates that a query names: in which other forms rows may have them, whatever the language of the month."""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import product

from embedmill.shared.words.cutting import alternatives, terms_in
from embedmill.shared.words.folding import fold
from embedmill.shared.words.languages import DEFAULTS
from embedmill.shared.words.other_forms import OtherForm

LATEST_SHORT_YEAR = 69
"""Two digits up to this are years of this century, as POSIX has it."""
_YEAR, _SHORT = r"(?P<year>1\d{3}|20\d\d)", r"(?P<year>1\d{3}|20\d\d|\d\d)"
_MONTH, _DAY = r"(?P<month>1[0-2]|0?[1-9])", r"(?P<day>3[01]|[12]\d|0?[1-9])"
_ENDING = r"(?:\.|st|nd|rd|th|er|[ºª])?"
_OF = r"(?:\s?(?:of|de|del|d[ei]|the)\s|\s|,\s?|\.\s?|\Z)"
_BEFORE, _BEHIND = r"(?<![^\W_])(?<!\d[.,/-])", r"(?![^\W_])(?![./-]\d)"
_NUMERIC = (
    rf"{_YEAR}(?P<sign>[-./])(?P<month>1[0-2]|0?[1-9])(?P=sign){_DAY}(?=t\d|\b)",
    r"(?P<year>19\d\d|20\d\d)(?P<month>0[1-9]|1[0-2])(?P<day>0[1-9]|[12]\d|3[01])",
)
_IN_SOME_ORDER = r"(?P<first>[0-3]?\d)(?P<sign>[./-])(?P<second>[0-3]?\d)(?P=sign)" + _SHORT
_MONTHS_ALONE = (rf"{_YEAR}-(?P<month>0[1-9]|1[0-2])", rf"(?P<month>0[1-9]|1[0-2]|[1-9])[/.]{_YEAR}")


@dataclass(frozen=True, slots=True, order=True)
class Day:
    """A day, or a month where `day` is 0."""

    year: int
    month: int
    day: int


def dates_in(text: str) -> Iterator[OtherForm]:
    """The dates of a normalised query as rows may have them."""
    if not any(map(str.isdecimal, text)):
        return
    small = fold(text)
    taken: list[tuple[int, int]] = []
    for found, days in _found_in(small):
        begin, end = found.span()
        if days and all(end <= other[0] or begin >= other[1] for other in taken):
            taken.append((begin, end))
            yield OtherForm(found[0], wholes_of(days), tuple(_hints(days)), _pattern(days))


def _found_in(small: str) -> Iterator[tuple[re.Match[str], tuple[Day, ...]]]:
    """What may be a date, longer forms first; with the days that it may be."""
    for pattern in _patterns():
        for found in pattern.finditer(small):
            yield found, tuple(dict.fromkeys(_days(found.groupdict())))


def _days(parts: Mapping[str, str | None]) -> Iterator[Day]:
    year = _year(parts["year"] or "")
    if first := parts.get("first"):
        if len(parts["year"] or "") == 2 and not _is_short_date(first, parts["second"] or "", parts["sign"] or ""):
            return
        one, other = int(first), int(parts["second"] or 0)
        # What stops part is day and month; with other signs Americans have the month first.
        orders = ((one, other),) if parts["sign"] == "." else ((one, other), (other, one))
        yield from (Day(year, month, day) for day, month in orders if 1 <= month <= 12 and 1 <= day <= 31)
    else:
        named = parts.get("name")
        months = _months_by_name()[named] if named else (int(parts["month"] or 0),)
        yield from (Day(year, month, int(parts.get("day") or 0)) for month in months)


def _is_short_date(first: str, second: str, sign: str) -> bool:
    """Whether two digits behind two numbers are a year: not those of 1.2.18, which is a version."""
    return sign == "/" or (sign == "." and len(first) == len(second) == 2)


def _year(written: str) -> int:
    year = int(written)
    return year if len(written) > 2 else year + (2000 if year <= LATEST_SHORT_YEAR else 1900)


def wholes_of(days: Iterable[Day]) -> tuple[str, ...]:
    """The numeric forms of a date, each of which is one word."""
    return tuple(dict.fromkeys(form for day in days for form in _wholes(day)))


def _wholes(date: Day) -> Iterator[str]:
    year, month, day = date.year, date.month, date.day
    if not day:
        yield from (f"{year}-{month:02}", f"{month:02}/{year}", f"{month}/{year}", f"{month:02}.{year}")
        return
    yield from (f"{year}-{month:02}-{day:02}", f"{year}/{month:02}/{day:02}", f"{year}.{month:02}.{day:02}")
    years = (f"{year}", f"{year % 100:02}")
    days, months = {f"{day}", f"{day:02}"}, {f"{month}", f"{month:02}"}
    for d, m, y in product(sorted(days), sorted(months), years):
        yield from (f"{d}.{m}.{y}", f"{d}/{m}/{y}", f"{d}-{m}-{y}", f"{m}/{d}/{y}")
    yield f"{year}{month:02}{day:02}"


def _hints(days: Iterable[Day]) -> Iterator[int]:
    """The terms of months by their names, each in its language and as a text that tells none has it."""
    for month in dict.fromkeys(day.month for day in days):
        for code, months in _names().items():
            for name in months[month - 1]:
                yield alternatives(name, name)[0]
                yield from terms_in(name, (code, DEFAULTS["latin"]) if name.isascii() else (code,))
    for date in days:
        yield from (term for number in (date.day, date.year) if number for term in alternatives(*[str(number)] * 2))


def _pattern(days: Iterable[Day]) -> str:
    return "|".join(form for day in days for form in _forms(day))


def _forms(date: Day) -> Iterator[str]:
    """Regular expressions for a date in a folded text."""
    names = "|".join(sorted({name for months in _names().values() for name in months[date.month - 1]}, reverse=True))
    year, short, month = str(date.year), f"(?:{date.year}|'?{date.year % 100:02})", f"0?{date.month}"
    if not date.day:
        yield rf"{_BEFORE}(?:{names})\.?{_OF}{{1,2}}{year}(?!\w)"
        yield rf"{_BEFORE}(?:{year}-0?{date.month}(?!\d)|{month}[/.]{year}(?!\w))"
        yield rf"(?<!\d){year}年{month}月"
        return
    day = f"0?{date.day}"
    yield rf"{_BEFORE}{day}{_ENDING}{_OF}{{1,2}}(?:{names})(?:\.|{_OF}){{1,2}}{short}(?!\w)"
    yield rf"{_BEFORE}(?:{names})\.?\s{day}{_ENDING}{_OF}{{1,2}}{short}(?!\w)"
    yield rf"{_BEFORE}{year}\.?{_OF}(?:{names})\s{day}(?!\d)"
    yield rf"{_BEFORE}(?:{year}[-./]{month}[-./]{day}(?!\d)|{year}{date.month:02}{date.day:02}(?!\d))"
    yield rf"(?<!\d){year}年{month}月{day}日"
    yield rf"{_BEFORE}(?:{day}\s?[./-]\s?{month}\s?[./-]\s?{short}|{month}/{day}/{short}){_BEHIND}"


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    names = "|".join(sorted(_months_by_name(), key=len, reverse=True))
    name = f"(?P<name>{names})"
    day = rf"{_DAY}{_ENDING}"
    forms = (
        rf"{day}{_OF}{{1,2}}{name}(?:\.|{_OF}){{1,2}}{_SHORT}",
        rf"{name}\.?\s{day}{_OF}{{1,2}}{_YEAR}",
        rf"{_YEAR}\.?{_OF}{name}\s{day}",
        *_NUMERIC,
        _IN_SOME_ORDER,
        rf"{name}\.?{_OF}{{1,2}}{_YEAR}",
        *_MONTHS_ALONE,
    )
    signs = (rf"{_YEAR}年{_MONTH}月{_DAY}日", rf"{_YEAR}年{_MONTH}月(?!\d)")
    bordered = [f"{_BEFORE}(?:{form}){_BEHIND}" for form in forms]
    return tuple(map(re.compile, (rf"(?<!\d){signs[0]}", *bordered, rf"(?<!\d){signs[1]}")))


@cache
def _names() -> Mapping[str, Sequence[Sequence[str]]]:
    """The names of the months by language, folded: twelve of each, with their other forms."""
    table = tomllib.loads(files(__package__).joinpath("months.toml").read_text("utf-8"))
    return {code: [[fold(name) for name in month.split(",")] for month in line.split()] for code, line in table.items()}


@cache
def _months_by_name() -> Mapping[str, Sequence[int]]:
    found: dict[str, set[int]] = {}
    for months in _names().values():
        for number, names in enumerate(months, 1):
            for name in names:
                found.setdefault(name, set()).add(number)
    return {name: sorted(numbers) for name, numbers in found.items()}
