"""Reads what providers say that they counted; what cannot be a count is as good as not said."""

from collections.abc import Mapping
from typing import Any

MOST = 2**53
"""No count is larger, and all who read JSON agree on whole numbers up to here."""


def read_count(answer: Any, *path: str, absent: int | None = None) -> int | None:
    """The count at a path of keys or attributes; `absent` where there is none, None where it is no count.

    Negative numbers, fractions, truth values, text, and what is not finite or beyond all counts are none.
    """
    for name in path:
        answer = answer.get(name) if isinstance(answer, Mapping) else getattr(answer, name, None)
    return absent if answer is None else as_count(answer)


def as_count(value: Any) -> int | None:
    """A whole number that is not negative, also where an SDK made a float of it; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST:
        return None
    return int(value) if value == int(value) else None
