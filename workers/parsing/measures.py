"""Owns what a number with its unit is (`750 W`), which is a value and names no column of others."""

import re
from collections.abc import Iterable

_MEASURE = re.compile(r"[+\u2212-]?\d[\d.,]*\s?(?!(?:st|nd|rd|th)$)[^\s\d.,]\S{0,5}")
_YEAR = re.compile(r"(?:19|20)\d\d\b")


def is_one_of(head: str, column: Iterable[str]) -> bool:
    """Whether a measure stands above measures alone."""
    if not _is_measure(head.strip()):
        return False
    filled = [cell.strip() for cell in column if cell.strip()]
    return bool(filled) and all(map(_is_measure, filled))


def _is_measure(text: str) -> bool:
    return _MEASURE.fullmatch(text) is not None and not _YEAR.match(text)
