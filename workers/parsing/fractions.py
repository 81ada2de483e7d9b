"""Owns fractions as cells show them: in parts that the format names, or in as many as it has digits for."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

LARGEST = 1e9
"""Larger values are shown as they are."""


@dataclass(frozen=True)
class FractionForm:
    """How a fraction is written, its whole part apart or not: in so many `parts`, or in as many as have `digits`."""

    is_mixed: bool
    digits: int
    parts: int


def write_fraction(value: float, form: FractionForm, *, signed: bool) -> str | None:
    """The fraction, with its whole part apart where the form has one; None where the value is too large."""
    if not -LARGEST < value < LARGEST:
        return None
    exact = Fraction(abs(Decimal(repr(value))))
    if form.parts:
        parts, of = int(exact * form.parts + Fraction(1, 2)), form.parts
    else:
        parts, of = _approach(exact, 10**form.digits - 1)
    whole, rest = divmod(parts, of) if form.is_mixed else (0, parts)
    written = f"{whole or ''} {rest}/{of}".strip() if rest or not form.is_mixed else str(whole)
    return f"-{written}" if signed and parts else written


def _approach(exact: Fraction, most: int) -> tuple[int, int]:
    """The last convergent of a continued fraction whose denominator is no larger, as spreadsheets choose it."""
    before, found, rest = (1, 0), (int(exact), 1), exact % 1
    while rest:
        whole, rest = divmod(1 / rest, 1)
        following = whole * found[0] + before[0], whole * found[1] + before[1]
        if following[1] > most:
            break
        before, found = found, following
    return found
