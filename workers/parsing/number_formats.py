"""Owns number formats: a value as the cell that holds it shows it (ECMA-376, part 1, 18.8.31).

What a code asks for beyond that is left to the caller, who has the value.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property, lru_cache
from itertools import takewhile
from operator import eq, ge, gt, le, lt, ne

from embedmill.workers.parsing.fractions import FractionForm, write_fraction

Moment = date | datetime | time | timedelta

BUILT_IN = {
    1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 11: "0.00E+00", 12: "# ?/?", 13: "# ??/??",
    18: "h:mm AM/PM", 19: "h:mm:ss AM/PM", 20: "h:mm", 21: "h:mm:ss", 37: "#,##0;(#,##0)", 38: "#,##0;(#,##0)",
    39: "#,##0.00;(#,##0.00)", 40: "#,##0.00;(#,##0.00)",
    5: '"$"#,##0;("$"#,##0)', 6: '"$"#,##0;("$"#,##0)', 7: '"$"#,##0.00;("$"#,##0.00)', 8: '"$"#,##0.00;("$"#,##0.00)',
    41: '#,##0;(#,##0);"-"', 42: '"$"#,##0;("$"#,##0);"$-"', 43: '#,##0.00;(#,##0.00);"-"',
    44: '"$"#,##0.00;("$"#,##0.00);"$-"', 45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss.0", 48: "##0.0E+0",
}  # fmt: skip
"""By their numbers, which files do not spell out. Dates (14 to 17, 22) look as a reader's system has them: ISO here.

Sums of money are in its currency, too: dollars here, as the libraries have them that write such files.
"""

_PLAIN = frozenset({"general", "@", ""})
"""Formats that show a value as it is."""

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|_(?P<width>.)|\*.|\[\$(?P<currency>[^\]-]*)[^\]]*\]'
    r"|\[(?P<elapsed>h+|m+|s+)\]|\[(?P<color>Black|Blue|Cyan|Green|Magenta|Red|White|Yellow|Color ?\d+)\]"
    r"|(?P<bracket>\[)"
    r"|(?P<half>AM/PM|A/P)|(?P<date>y+|m+|d+|h+|s+(?:\.0+)?)|(?P<number>[0#?][0#?,]*(?:\.[0#?]*)?,*|\.[0#?]+,*)"
    r"|(?P<exponent>E[+-][0#?]+)|(?P<percent>%)|(?P<text>@)|(?P<general>General)|(?P<literal>.)",
    re.IGNORECASE | re.DOTALL,
)
_SECTION = re.compile(r'((?:"[^"]*"|\\.|\[[^\]]*\]|[^;"\\\[])*)(?:;|$)')
_CONDITION = re.compile(r"(?:\[[a-z0-9 ]+\])?\[(?P<sign>[<>=]{1,2})(?P<bound>-?\d+(?:\.\d+)?)\]", re.IGNORECASE)
_FRACTION = re.compile(r"(?P<whole>[#0?]+ +)?[#0?]+ */ *(?:(?P<digits>[#0?]+)|(?P<parts>[1-9]\d{0,3}))")
_COMPARED = {"<": lt, "<=": le, "=": eq, "<>": ne, ">=": ge, ">": gt}
PERCENT = 2
"""The power of ten that a sign for percent multiplies by."""
_PLAIN_DECIMALS = 5
_PLAIN_VALUES = 1e9
"""With more digits than these a value has no more of its own."""
_LITERALS = ("quoted", "escaped", "currency", "literal")

Token = tuple[str, str]


def telling(own: Mapping[int, str]) -> dict[int, str]:
    """The formats by their numbers, built-in ones and a file's own, that show another text than the value's."""
    return {number: code for number, code in (BUILT_IN | dict(own)).items() if code.lower() not in _PLAIN}


@dataclass(frozen=True)
class _Number:
    """How digits are written: `scale` is a power of ten that the value is multiplied by.

    `gaps` are the texts among the whole part's digits, each with how many digits stand behind it.
    """

    before: str
    after: str
    whole: int
    decimals: int
    least_decimals: int
    grouped: bool
    scale: int
    exponent: int | None
    gaps: tuple[tuple[int, str], ...]

    @cached_property
    def plain(self) -> str:
        """Python's words for it, where all it asks for is a number of decimals, and commas or percent; else ""."""
        is_percent = self.scale == PERCENT and not self.grouped
        is_other = self.exponent is not None or self.gaps or self.whole != 1 or not (is_percent or self.scale == 0)
        if is_other or self.least_decimals != self.decimals or self.decimals > _PLAIN_DECIMALS:
            return ""
        return f"{',' * self.grouped}.{self.decimals + self.scale}f"


_Form = _Number | FractionForm | str | None


def shown(value: float | Moment, code: str) -> str | None:
    """A value in a format; None where the code is beyond what is known here, or shows nothing else than the value."""
    if type(value) is not float and isinstance(value, Moment):
        return _show_moment(value, code)
    forms = _forms(code)
    form = _form_for(value, forms, code) if len(forms) > 1 else forms[0]
    if form is None or isinstance(form, str):
        return form
    signed = value < 0 and (len(forms) < 2 or bool(_conditions(code)))
    return (
        write_fraction(value, form, signed=signed)
        if isinstance(form, FractionForm)
        else _write(value, form, signed=signed)
    )


@lru_cache(maxsize=1024)
def _sections(code: str) -> tuple[str, ...]:
    return tuple(_SECTION.findall(code)[:-1]) or (code,)


@lru_cache(maxsize=1024)
def _forms(code: str) -> tuple[_Form, ...]:
    """How each section writes a number."""
    return tuple(map(_form, (_CONDITION.sub("", section, count=1) for section in _sections(code))))


@lru_cache(maxsize=1024)
def _conditions(code: str) -> tuple[tuple[str, Decimal], ...]:
    """Of sections, from the first on, as far as they have one."""
    found = takewhile(bool, map(_CONDITION.match, _sections(code)))
    return tuple((match["sign"], Decimal(match["bound"])) for match in found if match)


def _form_for(value: float, forms: Sequence[_Form], code: str) -> _Form:
    """Without conditions the second section is that of negative numbers, and the third that of zero."""
    if conditions := _conditions(code):
        exact = Decimal(repr(value))
        met = (at for at, (sign, bound) in enumerate(conditions) if _COMPARED[sign](exact, bound))
        return forms[min(next(met, len(conditions)), len(forms) - 1)]
    if value < 0:
        return forms[1]
    return forms[2] if value == 0 and len(forms) > 2 else forms[0]


@lru_cache(maxsize=4096)
def _tokens(section: str) -> tuple[Token, ...]:
    found = ((match.lastgroup or "", match[match.lastgroup or 0]) for match in _TOKEN.finditer(section))
    return tuple(token for token in found if token[0] and token[0] != "color")


@lru_cache(maxsize=4096)
def _form(section: str) -> _Form:
    plain = "".join(text if kind in {"number", *_LITERALS} else "\0" for kind, text in _tokens(section)).strip()
    if found := _FRACTION.fullmatch(plain):
        return FractionForm(bool(found["whole"]), len(found["digits"] or ""), int(found["parts"] or 0))
    return _number(section)


@lru_cache(maxsize=4096)
def _number(section: str) -> _Number | str | None:
    """How a section writes a number; a text where it has no digits, None where it is not known."""
    tokens = _tokens(section)
    kinds = [kind for kind, _ in tokens]
    if {"bracket", "date", "elapsed", "half", "text", "general"} & set(kinds):
        return None
    if "number" not in kinds:
        return _literal(tokens).strip() if "exponent" not in kinds else None
    first, last = kinds.index("number"), len(kinds) - 1 - kinds[::-1].index("number")
    exponent = next((text for kind, text in tokens if kind == "exponent"), None)
    if exponent and (first != last or kinds[last + 1 : last + 2] != ["exponent"]):
        return None
    if any(kind == "literal" and text in {"/", ","} for kind, text in tokens) or not _is_certain(
        tokens[first : last + 1]
    ):
        return None
    digits = "".join(text for kind, text in tokens if kind == "number")
    whole, decimals = _placeholders(digits)
    scaled = digits.count(",") - (whole.count(",") + decimals.count(","))
    places = whole.replace(",", "")
    return _Number(
        before=_literal(tokens[:first]),
        after=_literal(tokens[last + 1 + bool(exponent) :]),
        whole=len(places.lstrip("#?")),
        decimals=len(decimals),
        least_decimals=len(decimals.rstrip("#?")),
        grouped="," in whole,
        scale=2 * kinds.count("percent") - 3 * scaled,
        exponent=exponent.count("0") if exponent else None,
        gaps=_gaps(tokens[first : last + 1], len(places)),
    )


def _placeholders(digits: str) -> tuple[str, str]:
    """Those of the whole part and of the decimals, without the commas at their ends, each of which is a thousand."""
    whole, _, decimals = digits.partition(".")
    return whole.rstrip(","), decimals.rstrip(",")


def _is_certain(tokens: Sequence[Token]) -> bool:
    """Whether texts among the digits, if any, part the whole part of a number that is not grouped."""
    *parts, last = tokens
    return not parts or (
        all(kind in (*_LITERALS, "number") for kind, _ in parts)
        and all(set(text) <= set("0#") for kind, text in parts if kind == "number")
        and set(_placeholders(last[1])[0]) <= set("0#")
        and not last[1].startswith(".")
    )


def _gaps(tokens: Sequence[Token], digits: int) -> tuple[tuple[int, str], ...]:
    found = []
    for kind, text in tokens[:-1]:
        if kind == "number":
            digits -= len(text)
        else:
            found.append((digits, text))
    return tuple(found)


def _literal(tokens: Sequence[Token]) -> str:
    written = {"percent": "%", "width": " "}
    return "".join(text if kind in _LITERALS else written.get(kind, "") for kind, text in tokens)


def _write(value: float, form: _Number, *, signed: bool) -> str:
    digits = (form.plain and _plain_digits(value, form)) or _exact_digits(value, form)
    sign = "-" if signed and any(digit in digits for digit in "123456789") else ""
    return f"{sign}{form.before}{digits}{form.after}".strip()


def _plain_digits(value: float, form: _Number) -> str:
    """Python's own way to write digits; nothing where that may round another way than the decimals do that are seen."""
    written = repr(value)
    is_tie = written[-1] == "5" and len(written) - written.find(".") == form.decimals + form.scale + 2
    if is_tie or "e" in written or not -_PLAIN_VALUES < value < _PLAIN_VALUES:
        return ""
    digits = format(abs(value), form.plain)
    return _in_percent(digits) if form.scale else digits


def _in_percent(digits: str) -> str:
    whole, _, decimals = digits.partition(".")
    whole = (whole + decimals[:PERCENT]).lstrip("0") or "0"
    return f"{whole}.{decimals[PERCENT:]}" if decimals[PERCENT:] else whole


def _exact_digits(value: float, form: _Number) -> str:
    number = abs(Decimal(repr(value)))
    if form.exponent is not None:
        mantissa, _, power = f"{number:.{form.decimals}E}".partition("E")
        return f"{mantissa}E{power[0]}{power[1:].zfill(form.exponent)}"
    return _digits(number.scaleb(form.scale), form)


def _digits(number: Decimal, form: _Number) -> str:
    rounded = number.quantize(_unit(form.decimals), ROUND_HALF_UP)
    whole, _, decimals = f"{rounded:f}".partition(".")
    whole = whole.lstrip("0").zfill(form.whole)
    while len(decimals) > form.least_decimals and decimals.endswith("0"):
        decimals = decimals[:-1]
    if form.grouped:
        whole = _grouped(whole)
    if form.gaps:
        whole = _with_gaps(whole, form.gaps)
    return f"{whole}.{decimals}" if decimals else whole or "0"


@lru_cache(maxsize=64)
def _unit(decimals: int) -> Decimal:
    """The last digit that is shown."""
    return Decimal(1).scaleb(-decimals)


def _grouped(whole: str) -> str:
    if len(whole) <= 3:
        return whole
    begin = len(whole) % 3
    parts = [whole[:begin], *(whole[place : place + 3] for place in range(begin, len(whole), 3))]
    return ",".join(filter(None, parts))


def _with_gaps(whole: str, gaps: Sequence[tuple[int, str]]) -> str:
    begin, parts = 0, []
    for behind, text in gaps:
        end = max(len(whole) - behind, begin)
        parts += [whole[begin:end], text]
        begin = end
    return "".join(parts) + whole[begin:]


_WRITTEN = {
    "yyyy": "{0.year:04}", "m": "{0.month}", "mm": "{0.month:02}", "d": "{0.day}", "dd": "{0.day:02}",
    "h": "{0.hour}", "hh": "{0.hour:02}", "s": "{0.second}", "ss": "{0.second:02}",
}  # fmt: skip
_MINUTES = {"m": "{0.minute}", "mm": "{0.minute:02}"}


def _show_moment(value: Moment, code: str) -> str | None:
    """A moment that has all parts of a common format is written at once."""
    if template := _template(code):
        with suppress(AttributeError):
            return template.format(value)
    return _show_parts(value, code)


@lru_cache(maxsize=1024)
def _template(code: str) -> str:
    """A format of numbers and plain signs as Python's own; "" for any other."""
    tokens = _tokens(_sections(code)[0])
    parts: list[str] = []
    for place, (kind, text) in enumerate(tokens):
        minutes = kind == "date" and text[0] in "mM" and _is_minute(place, tokens)
        known = _MINUTES if minutes else _WRITTEN
        parts.append(known.get(text.lower(), "") if kind == "date" else _literal(tokens[place : place + 1]))
    is_known = all(kind in {"date", *_LITERALS} for kind, _ in tokens) and any(kind == "date" for kind, _ in tokens)
    return "".join(parts).strip() if is_known and all(parts) and not {"{", "}"} & set(code) else ""


def _show_parts(value: Moment, code: str) -> str | None:
    tokens = _tokens(_sections(code)[0])
    kinds = {kind for kind, _ in tokens}
    if kinds & {"bracket", "number", "general", "text"} or not kinds & {"date", "elapsed"}:
        return None
    twelve = "half" in kinds
    parts = [_moment_part(place, tokens, value, twelve=twelve) for place in range(len(tokens))]
    return None if None in parts else "".join(part or "" for part in parts).strip()


def _moment_part(place: int, tokens: Sequence[Token], value: Moment, *, twelve: bool) -> str | None:
    kind, text = tokens[place]
    if kind == "elapsed":
        return _elapsed(value, text.lower())
    if kind == "half":
        return "AM" if _clock(value)[0] < 12 else "PM"
    if kind != "date":
        return _literal(tokens[place : place + 1])
    code = text.lower()
    if code[0] in "hs" or (code[0] == "m" and _is_minute(place, tokens)):
        return _clock_part(value, code, twelve=twelve)
    return _calendar_part(value, code) if isinstance(value, date) else None


def _is_minute(place: int, tokens: Sequence[Token]) -> bool:
    """An `m` behind hours or before seconds is a minute."""
    named = [(number, text.lower()) for number, (kind, text) in enumerate(tokens) if kind in {"date", "elapsed"}]
    before = next((text for number, text in reversed(named) if number < place), "")
    after = next((text for number, text in named if number > place), "")
    return len(tokens[place][1]) <= 2 and (before.startswith("h") or after.startswith("s"))


def _calendar_part(value: date, code: str) -> str:
    match code[0], len(code):
        case "y", length:
            return f"{value.year % 100:02}" if length <= 2 else f"{value.year:04}"
        case "m", 1 | 2:
            return str(value.month).zfill(len(code))
        case "m", 3:
            return MONTHS[value.month - 1][:3]
        case "m", _:
            return MONTHS[value.month - 1][:1] if len(code) == 5 else MONTHS[value.month - 1]
        case _, 1 | 2:
            return str(value.day).zfill(len(code))
        case _:
            return DAYS[value.weekday()][:3] if len(code) == 3 else DAYS[value.weekday()]


def _clock_part(value: Moment, code: str, *, twelve: bool) -> str:
    hours, minutes, seconds, micros = _clock(value)
    letters, _, fraction = code.partition(".")
    if letters[0] == "h" and twelve:
        hours = hours % 12 or 12
    number = {"h": hours, "m": minutes, "s": seconds}[letters[0]]
    decimals = f".{micros:06}"[: len(fraction) + 1] if fraction else ""
    return str(number).zfill(min(len(letters), 2)) + decimals


def _clock(value: Moment) -> tuple[int, int, int, int]:
    """Hours, minutes, seconds and microseconds of a day; those of a day alone are midnight's."""
    if isinstance(value, timedelta):
        seconds = value.seconds
        return seconds // 3600, seconds // 60 % 60, seconds % 60, value.microseconds
    if isinstance(value, datetime | time):
        return value.hour, value.minute, value.second, value.microsecond
    return 0, 0, 0, 0


def _elapsed(value: Moment, code: str) -> str | None:
    if isinstance(value, time):
        value = timedelta(hours=value.hour, minutes=value.minute, seconds=value.second)
    if not isinstance(value, timedelta):
        return None
    unit = {"h": 3600, "m": 60, "s": 1}[code[0]]
    return str(int(value.total_seconds()) // unit).zfill(len(code))
