"""Reads and writes dollars as people do: cents where that says enough, and as many digits as a smaller sum needs."""

import math
from decimal import Decimal, InvalidOperation

from embedmill.shared.ledger import MOST_USD

EXACT, ROUGH = "exact", "rough"
"""How sure an estimate of dollars is."""

DECIMALS, MOST_DECIMALS = 2, 6
LEAST_USD = Decimal("0.000001")
"""A micro-dollar is the least that the ledger knows."""


def format_usd(usd: float | None, *, sign: str = "$") -> str:
    """`$12.34`, `$0.00779`, `$0.000002`; at most three digits that are not zero, and `unpriced` for None."""
    if usd is None:
        return "unpriced"
    if usd == 0 or abs(usd) >= 1:
        return f"{sign}{usd:.{DECIMALS}f}"
    decimals = min(max(2 - math.floor(math.log10(abs(usd))), DECIMALS), MOST_DECIMALS)
    digits = f"{usd:.{decimals}f}"
    whole, _, part = digits.partition(".")
    return f"{sign}{whole}.{part.rstrip('0').ljust(DECIMALS, '0')}"


def parse_usd(text: str) -> Decimal:
    """Dollars from `5`, `$12.50` or `0`; raises ValueError for what is none, too little to be counted, or too much."""
    try:
        amount = Decimal(text.removeprefix("$"))
    except InvalidOperation:
        amount = Decimal("nan")
    if not amount.is_finite() or amount < 0:
        raise ValueError(f"{text!r} is no amount of dollars")
    if 0 < amount < LEAST_USD:
        raise ValueError(f"{text!r} is less than the millionth of a dollar that is counted; 0 stops")
    if amount > MOST_USD:
        raise ValueError(f"{text!r} is too much: the most is {MOST_USD:,} dollars")
    return amount
