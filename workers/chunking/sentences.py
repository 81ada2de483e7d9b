"""Where text may be cut: sentence, paragraph, line and word boundaries, and graphemes as the last resort.

Every boundary is found in a time linear in the length of the text, whatever the text is.
"""

import itertools
import re
from collections.abc import Callable, Iterator
from functools import cache
from unicodedata import category, combining

from embedmill.workers.chunking.abbreviations import MONTHS, OPENERS, REFERENCES, TITLES, WITHIN
from embedmill.workers.chunking.chunk import Span
from embedmill.workers.chunking.languages import ENGLISH, language_of

Boundary = Callable[[str, int, int], list[int]]
"""Where a text may be cut between two places: behind each boundary. A part of it is cut as if it stood alone."""

WINDOW = 8_000
"""Characters that are looked through for sentences at once: where few signs end one, that takes the square of them."""


def _by(pattern: str) -> Boundary:
    compiled = re.compile(pattern)

    def cuts(text: str, start: int, end: int) -> list[int]:
        return [match.end() for match in compiled.finditer(text, start, end)]

    return cuts


PARAGRAPH = _by(r"\n\s*\n")
LINE = _by(r"\n")
CELL = _by(r" \| ")
WORD = _by(r"\s+")

_STOPPED = re.compile(r"(?<![\w.])((?:[^\W\d_]{1,3}\.){0,4}[^\W\d_]{1,9}|\d{1,8})\.\s*\Z")
_STOPPED_CHARACTERS = 32
_LONGEST_TITLE = 8
"""Letters of a word that none of `TITLES` is longer than."""
_COUNTED = re.compile(r"(?:\d|\b[IVXLCDM]+)\s?[^\W\d_]\.\s*\Z")
"""A unit behind a number, or a century's: `XX w.`"""
_REFERENCE = re.compile(r"([^\W\d_]{1,9}|§)\.?\s\d+\.\s*\Z")
_SIGNS = "$€£§("
_SHORT = 5
"""Letters of a word that a number is rarely the beginning of a sentence behind."""
_NEXT_WORD = re.compile(r"[^\W\d_]+")

JOINERS = frozenset("\u200d\ufe0e\ufe0f" + "".join(map(chr, range(0x1F3FB, 0x1F400))))
"""Zero-width joiner, variation selectors and skin tones: they belong to the character before them."""


def sentences_in(whole: str) -> Boundary:
    """Where sentences end in a text, in its own language, which is found out when it is first cut."""
    known: list[Boundary] = []

    def cuts(text: str, start: int, end: int) -> list[int]:
        if not known:
            known.append(sentences_of(language_of(whole)))
        return known[0](text, start, end)

    return cuts


@cache
def sentences_of(language: str) -> Boundary:
    """Where sentences end in a language; English's abbreviations are known in every other."""
    from sentencex import segment

    is_english, titles = language == ENGLISH, _titles(language)

    def cuts(text: str, start: int, end: int) -> list[int]:
        places: list[int] = []
        while start < end:
            window = text[start : min(start + WINDOW, end)]
            parts = segment(language, window)
            found = list(itertools.accumulate(map(len, parts)))
            if not found or found[-1] != len(window):
                parts, found = [window], [len(window)]  # it left something out: its places are none of the text's
            if start + len(window) < end:
                del found[-1]  # the sentence goes on behind the window
            places += [
                start + place
                for part, place in zip(parts, found, strict=False)
                if (told := part.rstrip())[-1:] != "."
                or (is_english and told[-3:-2].isalpha() and window[place : place + 1].isupper())
                or _ends(told, window[place : place + 1], titles)
                or not _goes_on(window, place, language)
            ]
            start += found[-1] if found else len(window)
        return places

    return cuts


def _ends(told: str, following: str, titles: frozenset[str]) -> bool:
    """Whether the last word is one that ends a sentence before a capital letter, without a look at what precedes it."""
    word = told[-_LONGEST_TITLE - 2 : -1].rpartition(" ")[2]
    return following.isupper() and len(word) > 1 and word.isalpha() and word not in titles


def _goes_on(text: str, place: int, language: str) -> bool:
    """Whether a stop ends no sentence: behind an initial, an abbreviation, a short word before a number, an ordinal."""
    since = max(0, place - _STOPPED_CHARACTERS)
    found = _STOPPED.search(text, since, place)
    if found is None:
        return False
    word, following = found[1], text[place : place + 1]
    if word.isdecimal():
        return len(word) <= 2 and _is_ordinal(text, since, place, language)
    if len(word) == 1:
        return not (word.islower() and following.isupper() and _COUNTED.search(text, since, place))
    if "." in word:
        return following.islower()
    if word in _titles(language):
        return True
    if following.isdecimal() and len(word) <= _SHORT:
        return True
    return not following.isupper() and (following.isalnum() or following in _SIGNS) and word.lower() in WITHIN


def _is_ordinal(text: str, since: int, place: int, language: str) -> bool:
    """Whether a number with a stop says which one: before a small letter or a month, and before German nouns."""
    following = _NEXT_WORD.match(text, place)
    if following is None:
        return language == "de"
    if following[0][0].islower() or following[0] in MONTHS:
        return True
    if language != "de":
        return False
    counted = _REFERENCE.search(text, since, place)
    return not (counted and counted[1].lower() in REFERENCES and following[0] in OPENERS)


@cache
def _titles(language: str) -> frozenset[str]:
    """What no sentence ends with, as it is written within one and at its beginning."""
    words = TITLES.get(language, "").split()
    return frozenset(words) | frozenset(map(str.capitalize, words)) | frozenset(map(str.upper, words))


def spans(text: str, span: Span, boundary: Boundary) -> list[Span]:
    """Non-empty pieces of `span` between the boundaries, without the white space at their ends (see `trim`)."""
    pieces: list[Span] = []
    for start, end in itertools.pairwise(_edges(text, span, boundary)):
        begin = trim(text, start, end)[0] if text.startswith("\n", start) else start
        if length := len(text[begin:end].rstrip()):
            pieces.append((begin, begin + length))
    return pieces


def backwards(text: str, span: Span, boundary: Boundary) -> Iterator[Span]:
    """The same pieces, from the last on."""
    for end, start in itertools.pairwise(reversed(_edges(text, span, boundary))):
        piece = trim(text, start, end)
        if piece[0] < piece[1]:
            yield piece


def _edges(text: str, span: Span, boundary: Boundary) -> list[int]:
    """The boundaries that part no character from its marks, between the beginning and the end."""
    start, end = span
    cuts = boundary(text, start, end)
    while cuts and cuts[-1] >= end:
        del cuts[-1]
    if not text.isascii():
        cuts = [cut for cut in cuts if not combining(text[cut])]
    return [start, *cuts, end]


def trim(text: str, start: int, end: int) -> Span:
    """The span without trailing white space and leading line breaks; a code line's indentation stays."""
    piece = text[start:end]
    begin = start + len(piece) - len(piece.lstrip("\n")) if piece[:1] == "\n" else start
    return begin, start + len(piece.rstrip())


def even_cut(text: str, span: Span, *, parts: int) -> list[Span]:
    """`span` in about `parts` pieces of the same length, between graphemes where there is any such place."""
    start, end = span
    step = max(1, (end - start) // parts)
    edges = [start]
    while edges[-1] + step < end:
        edges.append(_grapheme_edge(text, edges[-1] + step, span=(edges[-1], min(edges[-1] + 2 * step, end))))
    edges.append(end)
    return [(left, right) for left, right in itertools.pairwise(edges) if left < right]


def _grapheme_edge(text: str, cut: int, *, span: Span) -> int:
    before = next((i for i in range(cut, span[0], -1) if not is_joined(text, i)), None)
    if before is not None:
        return before
    return next((i for i in range(cut + 1, span[1]) if not is_joined(text, i)), cut)


def is_joined(text: str, index: int) -> bool:
    """Whether a character belongs to the one before it."""
    character = text[index]
    if character < "\u0300":
        return False
    return character in JOINERS or text[index - 1] == "\u200d" or category(character).startswith("M")
