"""Owns super- and subscripts, written apart from their base: `10^-3`, `H_2O`, and `[1]` for a footnote's mark."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from embedmill.workers.parsing.scripts import SUB, SUPER, script

SMALLER = 0.92
"""Of the height of the sign before: a script is smaller."""
SHIFTED = 0.08
"""Of that height: the least by which a script stands higher or lower."""

SMALLEST = 0.5
FARTHEST = 0.4
"""Of that height: so far a script stands from the baseline that has another one above or below it."""

HALF = 0.5
"""Of the height of the sign before: so far letters within a word stand from its baseline."""

MAY_HOLD = re.compile(
    r"[-\u2212+=/,0-9](?:(?<=[^\W\d_][0-9])|(?<=[\d)\]][-\u2212+])[0-9]|(?<=[)\]\u201d.,;:][0-9])"
    r"|(?<=\b\w[^\w])\w|(?<=\b\w\w[^\w])\w)"
)
"""Places within a word that may have a script, led by a class of signs, for which an expression looks fastest."""
MAY_OPEN = re.compile(r"\d{1,2}(?=[^\W\d_])")
"""Digits at a word's beginning that may be a footnote's mark."""
SHORT_WORD = re.compile(r"\b[^\W\d_]{3,4}\b")
"""Letters that may have scripts between them where there are others."""

_ELEMENT = re.compile(
    r"(?:Al|Ba|B|Ca|Cl|Co|Cs|C|Fe|F|H|Kr|K|Li|Mg|Na|N|O|Pb|Pu|P|Ra|Rb|Si|Sr|S|Tc|Th|U|Xe|Zn)(?![^\W\d_])"
)
"""What a number before it belongs to: `14C`. Without those that are words: He, I, In, As, At, Be, Am, No."""
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


class BaselineRun(NamedTuple):
    """Neighbouring signs on one baseline, and the height of the largest."""

    text: str
    size: float
    base: float


def apart(runs: Sequence[BaselineRun], before: str) -> str:
    """A word whose scripts are written apart from what they are scripts of; `before` stands right before it."""
    of, told, following = runs[0], runs[0].text, runs[1:]
    if len(runs) > 1 and is_script(of.size, of.base, of_size=runs[1].size, of_base=runs[1].base):
        of, opening, following = runs[1], of, runs[2:]
        told = (
            _opening(opening, before, "".join([run.text for run in runs[1:]]), raised=opening.base > of.base) + of.text
        )
    script: list[BaselineRun] = []
    for run in following:
        if _is_of(run, of) and (not script or (run.base > of.base) == (script[0].base > of.base)):
            script.append(run)
            continue
        told += _told(told, script, of)
        script = [run] if _is_of(run, of) else []
        if not script:
            of, told = run, told + run.text
    return told + _told(told, script, of)


def _opening(script: BaselineRun, before: str, rest: str, *, raised: bool) -> str:
    """A script that begins a word: one of what stands before it, of an element, or a footnote's mark."""
    if before:
        return written(before, script.text, raised=raised)
    if not MAY_OPEN.match(script.text + rest):
        return script.text
    return f"{SUPER}{script.text}" if _ELEMENT.match(rest) else f"[{script.text}] "


def _is_of(run: BaselineRun, of: BaselineRun) -> bool:
    """Whether signs are a script of others; letters that are far smaller or lower stand behind an initial."""
    if not is_script(run.size, run.base, of_size=of.size, of_base=of.base):
        return False
    if any(map(str.isdigit, run.text)):
        return True
    return run.size > SMALLEST * of.size and abs(run.base - of.base) < HALF * of.size


def _told(before: str, script: Sequence[BaselineRun], of: BaselineRun) -> str:
    """A script, which may have scripts of its own, behind `before`."""
    if not script:
        return ""
    first = script[0]
    text = first.text
    for run in script[1:]:
        is_own = is_stacked(run.size, run.base, of_size=first.size, of_base=first.base)
        text += written(text, run.text, raised=run.base > first.base) if is_own else run.text
    return written(before, text, raised=first.base > of.base)


def is_stacked(size: float, base: float, *, of_size: float, of_base: float) -> bool:
    """Whether it is a script that stands below or above another one of the same sign: what is no script is lower."""
    return SMALLEST * of_size < size < SMALLER * of_size and SHIFTED < abs(base - of_base) / of_size < FARTHEST


def is_script(size: float, base: float, *, of_size: float, of_base: float) -> bool:
    """Whether a sign of that size and baseline is a script of another."""
    return size < SMALLER * of_size and SHIFTED * of_size < abs(base - of_base) < of_size
