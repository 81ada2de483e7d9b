"""Owns the check of quotes: whether a text holds what somebody says that it holds, and where.

The check is blind to form: Unicode's forms, case, spaces, dashes, quotation marks of all languages, ligatures, soft
hyphens, Markdown, ellipses in order, final punctuation. It is strict in meaning: digits, signs, units, negations,
brackets, accents and the order of words are never folded, and a quote neither begins nor ends within a word or number.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from embedmill.retrieval.folding import Folded, FormReading, fold, has_layout

Span = tuple[int, int]

FEWEST_CHARACTERS = 8
"""Letters and digits of a quote; shorter ones are found anywhere. A letter of a script without spaces counts twice."""
FEWEST_IN_A_FRAGMENT = 4
LONGEST_SILENT_GAP = 4
"""Words that an ellipsis may leave out with a negation among them, when it does not end a sentence: none."""

ELLIPSIS = re.compile(r"\s*(?:\[\s*(?:\.{3,}|…)\s*\]|\(\s*(?:\.{3,}|…)\s*\)|\.{3,}|…|(?:\. ){2}\.)\s*")
WIDE = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")
NEGATION = re.compile(
    r"\b(?:not|no|never|none|nor|neither|without|cannot|\w+n't|nicht|kein\w*|nie|ohne|pas|jamais|sans|non|mai|senza|nunca|sin|não|sem)\b"
)
SIGNS = "-\u2212+\u00b1<>\u2264\u2265~"
SENTENCE_END = re.compile(r"[.!?]['\"]?(?:\s|$)")
OUTER_START = re.compile(r"""^(?:["'\s]|\.{3,}|- (?=[^\W\d]))+""")
OUTER_END = re.compile(r"""[\s"'.,;:!?]+$""")
UNIT = re.compile(r"(?<=\d)\s*([a-zA-Zµμ]{1,4})(?![a-zA-Z])")
PREFIXED_UNIT = re.compile(r"[mMpPkKgGtT]?(?:[wW]h?|[vV]|[hH]z|[pP]a|[jJ]|[aA]|[gGlLmMsS]|[bB]|bit|Bit|eV|ev|EV)")

SMALL_UNITS = frozenset(("mg", "ml", "mm", "ms"))
"""Units that are written in small letters, and are others with a large one."""


class QuoteKind(StrEnum):
    """What a quote turned out to be."""

    VERIFIED = "verified"
    EMPTY = "empty"
    TOO_SHORT = "too_short"
    STITCHED = "stitched"
    OTHER_DOCUMENT = "other_document"
    PROMPT = "prompt"
    FABRICATED = "fabricated"


@dataclass(frozen=True, slots=True)
class CheckedQuote:
    """A quote and what it turned out to be; offsets into the text, in characters, only where it is verified."""

    kind: QuoteKind
    start: int | None = None
    end: int | None = None


def find_quote(quote: str, text: str) -> Span | None:
    """Where the text holds the quote, (start, end) in characters of the text; None where it does not.

    A quote with ellipses is held where its fragments follow one another: the span is from the first to the last.
    """
    if fault_of(quote) is not None:
        return None
    exact = text.find(quote)
    if exact >= 0 and _stands_alone(text, exact, exact + len(quote)):
        return exact, exact + len(quote)
    for reading in FormReading:
        if reading and not (has_layout(text, reading) or has_layout(quote, reading)):
            continue
        held = _fold(text, reading)
        for wanted in _fragments(quote, min(reading, FormReading.WITHOUT_MARKDOWN)):
            for span in _find(wanted, held):
                if not _divides_amount(text, *span) and _same_units(quote, text[slice(*span)]):
                    return span
    return None


def check_quote(quote: str, text: str, *, others: Sequence[str] = (), prompt: str = "") -> CheckedQuote:
    """What a quote of the text is; one that is not held may be of another document, of the prompt, or stitched."""
    if fault := fault_of(quote):
        return CheckedQuote(fault)
    if span := find_quote(quote, text):
        return CheckedQuote(QuoteKind.VERIFIED, *span)
    if any(find_quote(quote, other) for other in others):
        return CheckedQuote(QuoteKind.OTHER_DOCUMENT)
    if prompt and find_quote(quote, prompt):
        return CheckedQuote(QuoteKind.PROMPT)
    return CheckedQuote(QuoteKind.STITCHED if _is_stitched(quote, text) else QuoteKind.FABRICATED)


def fault_of(quote: str) -> QuoteKind | None:
    """Why a quote says nothing, whatever the text: it is empty or too short. None for one that can be looked for."""
    sizes = [_size(fragment) for fragment in ELLIPSIS.split(quote)]
    if not any(sizes):
        return QuoteKind.EMPTY
    is_short = sum(sizes) < FEWEST_CHARACTERS or any(0 < size < FEWEST_IN_A_FRAGMENT for size in sizes)
    return QuoteKind.TOO_SHORT if is_short else None


def _size(text: str) -> int:
    return sum(map(str.isalnum, text)) + len(WIDE.findall(text))


@lru_cache(maxsize=256)
def _fold(text: str, reading: FormReading) -> Folded:
    return fold(text, reading)


@lru_cache(maxsize=256)
def _fragments(quote: str, reading: FormReading) -> tuple[tuple[str, ...], ...]:
    """The fragments of a quote: first with its dots taken for text, then as ellipses.

    A quote is never read without its layout: its numbers have to be those of the text.
    """
    whole = (_trimmed(fold(quote, reading).text),)
    if not ELLIPSIS.search(quote):
        return (whole,)
    parts = (_trimmed(fold(part, reading).text) for part in ELLIPSIS.split(quote))
    fragments = tuple(part for part in parts if part)
    return whole, fragments


def _trimmed(folded: str) -> str:
    return OUTER_END.sub("", OUTER_START.sub("", folded))


def _find(fragments: Sequence[str], held: Folded) -> Iterator[Span]:
    """The spans of the fragments, one after the other, from every place of the first."""
    begin = 0
    while (first := _next(fragments[0], held.text, begin)) is not None:
        end = first + len(fragments[0])
        if (last := _follow(fragments[1:], held.text, end)) is not None:
            yield held.span(first, last)
        begin = first + 1


def _divides_amount(text: str, start: int, end: int) -> bool:
    """Whether a span begins or ends between a number and the unit that is written without a space."""
    return any(
        text[place - 1 : place].isdigit() and text[place : place + 1].isalpha() for place in (start, end) if place
    )


def _follow(fragments: Sequence[str], text: str, end: int) -> int | None:
    """Where the last of the fragments ends, each the nearest after the one before."""
    for fragment in fragments:
        found = _next(fragment, text, end)
        if found is None or _hides_negation(text[end:found]):
            return None
        end = found + len(fragment)
    return end


def _hides_negation(gap: str) -> bool:
    return (
        len(gap.split()) <= LONGEST_SILENT_GAP and NEGATION.search(gap) is not None and SENTENCE_END.search(gap) is None
    )


def _next(fragment: str, text: str, begin: int) -> int | None:
    """The next place that neither begins nor ends within a word or number."""
    found = text.find(fragment, begin)
    while found >= 0:
        if _stands_alone(text, found, found + len(fragment)):
            return found
        found = text.find(fragment, found + 1)
    return None


def _stands_alone(text: str, start: int, end: int) -> bool:
    return not (_cuts_start(text, start) or _cuts_end(text, end))


def _cuts_start(text: str, start: int) -> bool:
    """Whether something before belongs to what the span begins with: letters, digits, a sign, a decimal point."""
    first, before = text[start : start + 1], text[max(start - 2, 0) : start]
    if not before or not first.isalnum():
        return False
    if before[-1].isalnum():
        return not (WIDE.match(first) or WIDE.match(before[-1]))
    if not first.isdigit():
        return False
    is_decimal = before[-1] in ".," and before[:-1].isdigit()
    is_sign = before[-1] in SIGNS and not before[:-1].isalnum()
    return is_decimal or is_sign


def _cuts_end(text: str, end: int) -> bool:
    last, after = text[max(end - 1, 0) : end], text[end : end + 2]
    if not after or not last.isalnum():
        return False
    if after[0].isalnum():
        return not (WIDE.match(last) or WIDE.match(after[0]))
    return last.isdigit() and after[0] in ".,^" and after[1:].isdigit()


def _same_units(quote: str, held: str) -> bool:
    """Whether units after numbers are in the same case where case tells them apart: mW is no MW, Mb no MB.

    A quote all in capitals, or all in small letters, says nothing of case; but a thousandth is no million.
    """
    units, theirs = UNIT.findall(quote), UNIT.findall(held)
    if any(one in SMALL_UNITS and other == f"M{one[1:]}" for one, other in zip(units, theirs, strict=False)):
        return False
    if quote.isupper() or quote.casefold() == quote:
        return True
    return len(units) != len(theirs) or all(
        one == other or one.casefold() != other.casefold() or not PREFIXED_UNIT.fullmatch(other)
        for one, other in zip(units, theirs, strict=True)
    )


def _is_stitched(quote: str, text: str) -> bool:
    """Whether the quote is a head and a tail that the text holds, with something left out and no word about it."""
    words = _trimmed(fold(quote).text).split(" ")
    for held in (_fold(text, reading) for reading in FormReading):
        head = _longest_head(words, held.text)
        rest = " ".join(words[head:])
        if head and _size(rest) >= FEWEST_IN_A_FRAGMENT and _next(rest, held.text, 0) is not None:
            return True
    return False


def _longest_head(words: Sequence[str], text: str) -> int:
    """How many of the first words, though not all, the text holds side by side."""

    def is_missing(count: int) -> bool:
        return _next(" ".join(words[:count]), text, 0) is None

    return bisect_left(range(1, len(words)), 1, key=is_missing)
