"""Owns super- and subscripts, written apart from their base: `10^-3`, `H_2O`, and `[1]` for a footnote's mark."""

import re

from embedmill.workers.parsing.scripts import SUB, SUPER, script

SMALLER = 0.92
"""Of the height of the sign before: a script is smaller."""
SHIFTED = 0.1
"""Of that height: the least by which a script stands higher or lower."""

SMALLEST = 0.5
FARTHEST = 0.4
"""Of that height: so far a script stands from the baseline that has another one above or below it."""

MAY_FOLLOW = re.compile(r"(?<=[^\W\d_])\d{1,3}|(?<=[\d)\]])[-\u2212+]\d{1,3}|(?<=[)\]\u201d.,;:])\d{1,2}(?!\d)")
"""Digits within a word that may be a script."""
HOLDS_SCRIPT = re.compile(r"\d(?:(?<=[^\W\d_]\d)|(?<=[\d)\]][-\u2212+]\d)|(?<=[)\]\u201d.,;:]\d))")
"""What all of these have, led by its digit, for which an expression looks through a text ten times as fast."""
MAY_OPEN = re.compile(r"\d{1,2}(?=[^\W\d_])")
"""Digits at a line's beginning that may be a footnote's mark."""

_SAYS = re.compile(r"[^\W_]|^[-\u2212+]$")
_NUMBER = re.compile(r"[-\u2212+]?\d+")
_MARK = re.compile(r"\d{1,3}(?:,\s?\d{1,3})*")
_WORD_BEFORE = re.compile(r"[^\W\d_]{3,}[\W_]*$|[^\w)\]][\"\u201d\u2019)\]]*$|\.$")


def written(before: str, text: str, *, raised: bool) -> str:
    """How a script is written behind `before`; signs such as `®` and `*` stand by it as they are."""
    if raised and _MARK.fullmatch(text) and _WORD_BEFORE.search(before):
        return f"[{text}]"
    mark = SUPER if raised else SUB
    if _NUMBER.fullmatch(text):
        return mark + text.replace("\u2212", "-")
    return script(mark, text, before) if _SAYS.search(text) else text


def is_stacked(size: float, base: float, *, of_size: float, of_base: float) -> bool:
    """Whether it is a script that stands below or above another one of the same sign: what is no script is lower."""
    return SMALLEST * of_size < size < SMALLER * of_size and SHIFTED < abs(base - of_base) / of_size < FARTHEST


def is_script(size: float, base: float, *, of_size: float, of_base: float) -> bool:
    """Whether a sign of that size and baseline is a script of another."""
    return size < SMALLER * of_size and SHIFTED * of_size < abs(base - of_base) < of_size
