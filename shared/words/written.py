"""Owns what a query writes with signs that no word holds: code, formulas, comparisons, options (docs/decisions).

The words of `List<String>`, `x != y` or `--force` are found as others are; rows that have the signs too are told from
those that have the words apart by reading them.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from embedmill.shared.words.folding import fold, normalise
from embedmill.shared.words.splitting import split, tokens

LONGEST_RUN = 200
_ANY_SIGN = re.compile(r"[^\w\s\"'`“”„‘’«».,;:!?…–—•·-]|(?<!\S)(?:-+[^\W\d_]|[:!]+\w)|\w(?:[!?][=.]|::|\.\.(?=\w))|!=")
"""What a piece has whose signs are not those of a sentence alone."""
_PIECE = re.compile(r"(?:(?<=\w)(?:\([^()]{0,80}\)|<[^<>=]{1,80}>)|\{\{[^{}]{0,80}\}\}|\S)+")
"""What stands between two spaces, with spaces in brackets that follow a word: f(x, y), Map<K, V>; and in {{ … }}."""
_RAISED = re.compile(r"(?<![^\W\d_]{3})([⁺⁻]?)([⁰¹²³⁴-⁹]+)")
"""A number that is raised, and no footnote of a word."""
_ONE_SIGN = str.maketrans({"≠": "!=", "≤": "<=", "≥": ">=", "→": "->", "⇒": "=>", "←": "<-", "−": "-"})
_OPERATOR = re.compile(r"[=<>!~^*+|&%/:?±×÷∈∪∩√∞≈≡]{1,3}|->|<-|=>|-=")
"""What stands between two words and joins them; a dash alone is a pause."""
_OPENING, _CLOSING = "([{", ")]}"
_QUOTES = "\"'`“”„‘’«»"
_PAUSES = ".,;:!?…"
_PART = re.compile(r"[^\W_][\w\u0300-\u036f]*|_\w*|\S")


class SignedRun(NamedTuple):
    """A piece with its signs, folded, and the words and identifiers in it."""

    written: str
    words: tuple[str, ...]
    wholes: tuple[str, ...]


def signed_runs(text: str) -> Iterator[SignedRun]:
    """The pieces of a query with signs that its words leave out."""
    if not _ANY_SIGN.search(text):
        return
    for run in _joined_by_operators(_PIECE.findall(_signs_told(text))):
        if _ANY_SIGN.search(run) and _has_signs(run):
            pieces = list(map(split, tokens(run)))
            words = tuple(word for some in pieces for word in some.words)
            if words:
                yield SignedRun(fold(run), words, tuple(whole for some in pieces for whole in some.wholes))


@lru_cache(maxsize=256)
def written_as(run: str) -> re.Pattern[str]:
    """What finds such a piece in a `signed` text, with a space beside its signs or without."""
    parts: Sequence[str] = _PART.findall(run)
    pattern = re.escape(parts[0])
    for before, part in pairwise(parts):
        between = r"\s+" if _is_word(before) and _is_word(part) else r"\s?"
        # A call without arguments names the function, whatever it is called with.
        pattern += "" if before == "(" and part == ")" else between + re.escape(part)
    first, last = parts[0], parts[-1]
    begin = r"(?<!\w)" if _is_word(first) else r"(?<![\w-])" if first == "-" else f"(?<!{re.escape(first)})"
    end = r"(?!\w)" if _is_word(last) else "" if last in _CLOSING else f"(?!{re.escape(last)})"
    return re.compile(begin + pattern + end)


@lru_cache(maxsize=2048)
def signed(text: str) -> str:
    """A text as such pieces are looked for in it."""
    return fold(_signs_told(text))


def _signs_told(text: str) -> str:
    """A normalised text whose raised numbers are told from others, and whose arrows and comparisons are in ASCII."""
    if text.isascii():
        return normalise(text)
    raised = _RAISED.sub(lambda found: f"^{'-' if found[1] == '⁻' else ''}{_digits(found[2])}", text)
    return normalise(raised).translate(_ONE_SIGN)


def _digits(text: str) -> str:
    return "".join(str(unicodedata.digit(sign)) for sign in text)


def _joined_by_operators(pieces: Sequence[str]) -> Iterator[str]:
    """Pieces without what stands around words in a sentence; those with an operator between are one."""
    run: list[str] = []
    for piece in pieces:
        if _OPERATOR.fullmatch(piece):
            run.append(piece)
            continue
        if run and not _OPERATOR.fullmatch(run[-1]):
            yield _bare(" ".join(run))
            run = []
        run.append(piece)
    if run:
        yield _bare(" ".join(run))


def _bare(run: str) -> str:
    """Without quotation marks, pauses at the end, brackets around all of it or not closed; nothing of a long one."""
    while len(run) <= LONGEST_RUN:
        if run[-1] in _PAUSES or run[-1] in _QUOTES or _is_alone(run, len(run) - 1):
            run = run[:-1].rstrip()
        elif run[0] in _QUOTES or _is_alone(run, 0):
            run = run[1:].lstrip()
        elif run[0] in _OPENING and run[:1] != run[1:2] and _partner(run) == len(run) - 1:
            run = run[1:-1].strip()
        else:
            return run
        if not run:
            break
    return ""


def _is_alone(run: str, at: int) -> bool:
    """Whether a bracket there has no other half."""
    if run[at] in _OPENING:
        return run.count(run[at]) > run.count(_CLOSING[_OPENING.index(run[at])])
    return run[at] in _CLOSING and run.count(run[at]) > run.count(_OPENING[_CLOSING.index(run[at])])


def _partner(run: str) -> int:
    """Where the bracket with which it begins is closed."""
    depth = 0
    for at, sign in enumerate(run):
        depth += (sign in _OPENING) - (sign in _CLOSING)
        if not depth:
            return at
    return len(run)


def _has_signs(run: str) -> bool:
    """Whether it has signs that its words leave out."""
    left = run
    for token in tokens(run):
        left = left.replace(token, " ", 1)
    return run[0] in "-:!" or ".." in left or _ANY_SIGN.search(left) is not None


def _is_word(part: str) -> bool:
    return part[0] == "_" or part[0].isalnum()
